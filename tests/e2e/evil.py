"""Locals that stall, lie and attack: one kind each, all in this process, and each can turn good.

A kind is a function; how it is registered says how much of an honest local is left of it:
  greets   does what it likes with a connection that is open, before anything was asked
  sends    writes bytes of its own where an answer is due
  serves   answers a call by (status, media, text) as it likes
  lies     bends a true answer: its first line, its records, its last line
"""
import gzip
import itertools
import json
import multiprocessing.pool
import secrets
import socket
import struct
import threading

import protocol1

KINDS = {}
LARGE = 65536
HOSTILE = "\x1b[2J\r\n\x9b31m<script>alert(1)</script>%n%s'; DROP TABLE nodes; --"


class Kind:
    def __init__(self, how, act):
        self.how, self.act = how, act


def registered(how):
    def register(act):
        KINDS[act.__name__] = Kind(how, act)
        return act

    return register


greets, sends, serves, lies = (registered(how) for how in ("greets", "sends", "serves", "lies"))


class Asked:
    """A call of the centre."""

    def __init__(self, path, q, body):
        self.path, self.q, self.body = path, q, body


class Answer:
    """A true answer to it, to be bent."""

    def __init__(self, text):
        first, *self.lines, last = text.splitlines()
        self.first, self.last = json.loads(first), json.loads(last)

    def text(self):
        return "".join(x + "\n" for x in [json.dumps(self.first), *self.lines, json.dumps(self.last)])


class Evil(protocol1.Local):
    """A local of `kind` that holds a few records; good = True: an honest one from the next call on."""

    def __init__(self, name, kind):
        self.kind, self.good = KINDS[kind], False
        self.gone = threading.Event()  # what it does with the connections that it has ends
        self.count, self.broken = itertools.count(1), []
        super().__init__(name, extra=False)
        for i in range(3):
            self.write(f"r{i}", f'{{"v":{i}}}')

    def turn_good(self):
        """As if its database had been put in place anew: nothing of what it said before holds."""
        self.good = True
        self.reset()
        self.write("after", '"good"')
        self.gone.set()

    def close(self):
        self.gone.set()
        super().close()

    def serve(self, path, q, body):
        if self.good or self.kind.how not in ("serves", "lies"):
            return super().serve(path, q, body)
        asked = Asked(path, q, body)
        if self.kind.how == "serves":
            return self.kind.act(self, asked)
        status, media, text = super().serve(path, q, body)
        if status == 200 and path != "/v1/epoch":
            bent = Answer(text)
            text = self.kind.act(self, asked, bent) or bent.text()
        return status, media, text

    def true(self, asked):
        return protocol1.Local.serve(self, asked.path, asked.q, asked.body)

    def handler(self):
        node = self

        class Handler(super().handler()):
            def handle(self):
                try:
                    if node.good or node.kind.how != "greets":
                        super().handle()
                    else:
                        node.kind.act(node, self.connection)
                except OSError:
                    pass  # whoever asked has gone

            def answer(self):
                if node.good or node.kind.how != "sends":
                    super().answer()
                    return
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.close_connection = True
                try:
                    node.kind.act(node, self.connection)
                except OSError:
                    pass

            do_GET = do_POST = answer

        return Handler


def close_all(nodes):
    with multiprocessing.pool.ThreadPool(max(1, len(nodes))) as pool:
        pool.map(lambda n: n.close(), nodes)


# --- bytes ---

def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def drip(node, connection, data, seconds=1.0):
    for byte in data:
        connection.sendall(bytes([byte]))
        if node.gone.wait(seconds):
            return


def for_ever(node, connection, chunk):
    while not node.gone.is_set():
        connection.sendall(chunk)


def head(*lines, status="200 OK", media="application/x-ndjson"):
    return "".join(x + "\r\n" for x in (f"HTTP/1.1 {status}", f"Content-Type: {media}", *lines, "")).encode("latin-1")


def chunk(data):
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


@greets
def accepts_and_says_nothing(node, connection):
    node.gone.wait()


@greets
def resets_at_once(node, connection):
    reset(connection)


@greets
def closes_at_once(node, connection):
    connection.close()


@greets
def says_an_ssh_banner(node, connection):
    connection.sendall(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
    node.gone.wait(30)


@greets
def says_an_smtp_banner(node, connection):
    connection.sendall(b"220 mail.example.com ESMTP ready\r\n")
    node.gone.wait(30)


@greets
def says_a_tls_alert(node, connection):
    connection.recv(65536)
    connection.sendall(b"\x15\x03\x03\x00\x02\x02\x46")


@greets
def says_another_answer_before_it_is_asked(node, connection):
    connection.sendall(head("Content-Length: 3") + b"{}\n" + head("Content-Length: 3") + b"{}\n")
    node.gone.wait(30)


@sends
def speaks_http_0_9(node, connection):
    connection.sendall(b"<html>hello</html>\n")


@sends
def resets_in_the_body(node, connection):
    connection.sendall(head("Content-Length: 5000") + b'{"node":')
    reset(connection)


@sends
def chunks_for_ever(node, connection):
    connection.sendall(head("Transfer-Encoding: chunked"))
    for_ever(node, connection, chunk(b"x" * LARGE))


@sends
def chunk_extensions_for_ever(node, connection):
    connection.sendall(head("Transfer-Encoding: chunked") + b"1;x=")
    for_ever(node, connection, b"y" * LARGE)


@sends
def trailers_for_ever(node, connection):
    connection.sendall(head("Transfer-Encoding: chunked", "Trailer: X") + chunk(b"x") + b"0\r\n")
    for_ever(node, connection, b"X: " + b"y" * 1000 + b"\r\n")


@sends
def body_without_a_length_for_ever(node, connection):
    connection.sendall(head())
    for_ever(node, connection, b"{" * LARGE)


@sends
def headers_for_ever(node, connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for_ever(node, connection, b"X-Flood: " + b"y" * 1000 + b"\r\n")


@sends
def a_header_line_without_end(node, connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Flood: ")
    for_ever(node, connection, b"y" * LARGE)


@sends
def a_status_line_without_end(node, connection):
    connection.sendall(b"HTTP/1.1 200 ")
    for_ever(node, connection, b"O" * LARGE)


@sends
def continues_for_ever(node, connection):
    for_ever(node, connection, b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


@sends
def drips_the_head(node, connection):
    drip(node, connection, head("Content-Length: 5000"))


@sends
def drips_the_body(node, connection):
    connection.sendall(head("Content-Length: 5000"))
    drip(node, connection, b"{" * 5000)


@sends
def trickles_the_body(node, connection):
    connection.sendall(head("Transfer-Encoding: chunked"))
    while not node.gone.wait(0.25):
        connection.sendall(chunk(b"x" * 1024))


@sends
def announces_exabytes(node, connection):
    connection.sendall(head(f"Content-Length: {2**62}"))
    for_ever(node, connection, b"x" * LARGE)


@sends
def announces_a_negative_length(node, connection):
    connection.sendall(head("Content-Length: -1") + b"{}\n")


@sends
def announces_two_lengths(node, connection):
    connection.sendall(head("Content-Length: 3", "Content-Length: 50000") + b"{}\n" * 3)


@sends
def sends_a_gzip_bomb(node, connection):
    bomb = gzip.compress(bytes(64 << 20), 9)
    connection.sendall(head("Content-Encoding: gzip", f"Content-Length: {len(bomb)}") + bomb)


def packed(coding, body):
    return head(f"Content-Encoding: {coding}", f"Content-Length: {len(body)}") + body


def zstd_frame(*blocks, window=0x58):
    """Made by hand: of a window of 2 MiB, or as the byte says, without the content's size."""
    return b"\x28\xb5\x2f\xfd\0" + bytes([window]) + b"".join(
        (len_ << 3 | kind << 1 | (i == len(blocks) - 1)).to_bytes(3, "little") + data for i, (kind, len_, data) in enumerate(blocks))


def raw_block(data):
    return 0, len(data), data


def same_byte_block(n):
    """4 bytes that are n."""
    return 1, n, b"x"


@sends
def sends_a_zstd_bomb(node, connection):
    connection.sendall(packed("zstd", zstd_frame(*[same_byte_block(128 << 10)] * 8192)))  # a GiB


@sends
def sends_a_bomb_in_a_bomb(node, connection):
    connection.sendall(packed("gzip, gzip", gzip.compress(gzip.compress(bytes(64 << 20), 9), 9)))


@sends
def sends_a_bomb_that_no_one_asked_for(node, connection):
    connection.sendall(packed("br", b"\x5b\xff\xff\xff\x0f" * 1000))


@sends
def wants_a_window_of_terabytes(node, connection):
    connection.sendall(packed("zstd", zstd_frame(raw_block(b"{}\n"), window=0xff)))


@sends
def packs_half_of_it(node, connection):
    connection.sendall(packed("zstd", zstd_frame(raw_block(b"{}\n"), raw_block(b"{}\n"))[:-1]))


@sends
def packs_and_goes_on(node, connection):
    connection.sendall(packed("gzip", gzip.compress(b"{}\n") + b"{}\n"))


@sends
def packs_twice(node, connection):
    """A second frame behind the first: what is it of?"""
    connection.sendall(packed("zstd", zstd_frame(raw_block(b"{}\n")) * 2))


@sends
def says_one_coding_and_sends_another(node, connection):
    connection.sendall(packed("zstd", gzip.compress(b"{}\n")))


@sends
def names_its_coding_twice(node, connection):
    connection.sendall(head("Content-Encoding: gzip", "Content-Encoding: gzip", "Content-Length: 3") + b"{}\n")


@sends
def packs_nothing_for_ever(node, connection):
    """Empty blocks, without end."""
    connection.sendall(head("Content-Encoding: zstd") + zstd_frame(raw_block(b"{}\n"), raw_block(b""))[:-3])
    for_ever(node, connection, b"\0\0\0" * LARGE)


@sends
def sends_a_broken_chunk(node, connection):
    connection.sendall(head("Transfer-Encoding: chunked") + b"ffffffffffffffffff\r\n{}\r\n")


@sends
def redirects_to_itself(node, connection):
    connection.sendall(head(f"Location: {node.url}/v1/changes", "Content-Length: 0", status="302 Found"))


@sends
def redirects_to_a_file(node, connection):
    connection.sendall(head("Location: file:///etc/passwd", "Content-Length: 0", status="307 Temporary Redirect"))


@sends
def answers_204(node, connection):
    connection.sendall(head(status="204 No Content"))


@sends
def answers_206(node, connection):
    connection.sendall(head("Content-Range: bytes 0-2/999", "Content-Length: 3", status="206 Partial Content") + b"{}\n")


@sends
def answers_999(node, connection):
    connection.sendall(head("Content-Length: 3", status="999 Whatever") + b"{}\n")


@sends
def answers_401(node, connection):
    connection.sendall(head("WWW-Authenticate: Negotiate", "WWW-Authenticate: NTLM", "Content-Length: 0", status="401 No"))


@sends
def answers_a_web_page(node, connection):
    page = b"<!doctype html><title>It works!</title>"
    connection.sendall(head(f"Content-Length: {len(page)}", media="text/html") + page)


@sends
def is_busy_for_ages(node, connection):
    """Retry-After: a trillion seconds, -1, and a time that is long gone."""
    after = ("1000000000000", "-1", "Fri, 31 Dec 1999 23:59:59 GMT")[next(node.count) % 3]
    connection.sendall(head(f"Retry-After: {after}", "Content-Length: 0", status="503 Later"))


# --- calls ---

@serves
def refuses_in_hostile_words(node, asked):
    return node.refusal(asked.q, "unavailable", 503) if next(node.count) % 2 else (
        503, "application/problem+json", json.dumps({"code": "x" * LARGE, "detail": HOSTILE * 1000, "title": HOSTILE}))


@serves
def has_another_epoch_each_time(node, asked):
    node.epoch = secrets.token_hex(16)
    return node.true(asked)


@serves
def goes_back_again_and_again(node, asked):
    """Whatever it said that it holds, it does not hold the next time."""
    if asked.path == "/v1/changes" and not asked.q["witness"].startswith("0.") and next(node.count) % 2:
        return node.refusal(asked.q, "rewound", epoch=node.epoch)
    if asked.path == "/v1/epoch":
        q = json.loads(asked.body)
        node.epoch = q["to"]
        return 200, "application/json", json.dumps({"result": "renamed", "epoch": node.epoch, "request": q["request"]})
    return node.true(asked)


@serves
def says_that_it_lacks_the_empty_log(node, asked):
    if asked.path == "/v1/changes" and asked.q["epoch"] == node.epoch:
        return node.refusal(asked.q, "rewound", epoch=node.epoch)
    return node.true(asked)


@serves
def speaks_no_version_that_is(node, asked):
    return node.refusal(asked.q, "incompatible", 400, min=7, max=2**62, version=HOSTILE)


@serves
def replays_its_first_answer(node, asked):
    if asked.path != "/v1/changes" or asked.q["epoch"] != node.epoch:
        return node.true(asked)
    if not hasattr(node, "recorded"):
        node.recorded = node.true(asked)
    return node.recorded


@serves
def fails_every_other_time(node, asked):
    return node.true(asked) if next(node.count) % 2 else (500, "text/plain", "oops")


@serves
def answers_at_once_and_early(node, asked):
    asked.q["wait"] = "0"
    return node.true(asked)


@serves
def writes_a_record_for_each_answer(node, asked):
    node.write(f"w{next(node.count)}", "1")
    return node.true(asked)


# --- pages ---

@lies
def lacks_the_last_line(node, asked, a):
    return "".join(x + "\n" for x in [json.dumps(a.first), *a.lines])


@lies
def is_cut_within_a_record(node, asked, a):
    return a.text()[:-400]


@lies
def bears_a_wrong_seal(node, asked, a):
    return a.text()[:-2] + ',"check":"0123456789abcdef"}\n'


@lies
def says_the_name_of_another(node, asked, a):
    a.first["node"] = "n0"


@lies
def says_another_epoch(node, asked, a):
    a.first["epoch"] = secrets.token_hex(16)


@lies
def answers_in_protocol_4e9(node, asked, a):
    a.first["protocol"] = 4_000_000_000


@lies
def says_words_for_a_protocol(node, asked, a):
    a.first.update(protocol=HOSTILE, version="9" * 5000)


@lies
def ends_at_2_to_the_63(node, asked, a):
    a.last.update(to_seq=2**63, head_seq=2**63)


@lies
def has_a_head_that_jumps(node, asked, a):
    a.last["head_seq"] = a.last["to_seq"] + secrets.randbelow(2**40)
    a.last["more"] = a.last["head_seq"] > a.last["to_seq"]


@lies
def repeats_a_place(node, asked, a):
    a.lines += a.lines[-1:]


@lies
def goes_down(node, asked, a):
    a.lines.reverse()


@lies
def goes_past_its_end(node, asked, a):
    a.last.update(to_seq=1, to_head=node.heads[1])


@lies
def has_more_and_sends_none(node, asked, a):
    a.lines.clear()
    a.last.update(to_seq=int(asked.q.get("after", 0)), to_head=protocol1.EMPTY, head_seq=2**40, more=True)


@lies
def has_more_and_only_moves(node, asked, a):
    """A page without a record, a place farther each time: for ever, as fast as it is asked."""
    a.lines.clear()
    a.last.update(to_seq=int(asked.q.get("after", 0)) + 1, to_head="5" * 32, head_seq=2**40, more=True)


@lies
def sends_ten_times_what_was_asked(node, asked, a):
    a.lines = ["{}"] * 10 * int(asked.q.get("limit", 1000))


@lies
def sends_a_megabyte_more(node, asked, a):
    a.lines = [json.dumps({"id": "r", "body": "x" * 1000})] * 6000


@lies
def sends_claims_that_are_no_records(node, asked, a):
    """As many as go into an answer, each as short as it can be."""
    a.lines = ['{"id":"a","seq":%d,"hash":"%032x"}' % (i + 1, i + 1) for i in range(5500)]
    a.last.update(to_seq=6000, head_seq=6000, to_head="5" * 32)


@lies
def sends_no_json(node, asked, a):
    a.lines = [x[:-1] for x in a.lines]


@lies
def nests_for_ever(node, asked, a):
    a.lines = ['{"id":' + "[" * 100000 + "]" * 100000 + "}"] * len(a.lines)


@lies
def says_each_member_twice(node, asked, a):
    a.lines = [x[:-1] + "," + x[1:] for x in a.lines]


def more_lines(node, a, ret):
    """Further lines after the true ones; each is given its place."""
    at = node.seq
    for line in ret:
        at += 1
        a.lines.append(line.replace('"seq": 0', f'"seq": {at}'))
    if ret:
        a.last.update(to_seq=at, head_seq=at, to_head="%032x" % at)


def forged(node, owner, rid):
    r = {"owner": owner, "id": rid, "type": "t", "deleted": False, "body": '"forged"', "hash": "", "dot": f"{node.actor}.9"}
    r.update(created_at=protocol1.STAMP, updated_at=protocol1.STAMP, clock_error_us=None, seq=0, hash=protocol1.record_hash(r))
    return r


@lies
def forges_records_of_another(node, asked, a):
    if asked.path == "/v1/changes" and int(asked.q["after"]) <= node.seq:
        more_lines(node, a, [protocol1.encode(forged(node, "n0", "r1"))])


@lies
def forges_pages_of_another(node, asked, a):
    if asked.path == "/v1/changes":
        more_lines(node, a, [protocol1.encode(forged(node, "n0", f"r{i}")) for i in range(1, 40)])
        del a.lines[:-39]


@lies
def sends_a_record_that_fits_no_hash(node, asked, a):
    a.lines = [x.replace('"body":{"v":1}', '"body":{"v":7}') for x in a.lines]


@lies
def brings_broken_records_for_ever(node, asked, a):
    """Eight of 30 KB each time, new ones, of which none passes."""
    if asked.path != "/v1/changes":
        return
    for _ in range(8):
        node.seq += 1
        r = forged(node, node.name, f"b{node.seq}")
        r.update(seq=node.seq, body='"%s"' % ("x" * 30000))
        a.lines.append(protocol1.encode(r))
        node.heads[node.seq] = "%032x" % node.seq
        node.broken.append(r["hash"])
    hashes = [r["hash"] for r in node.rows.values()] + node.broken
    a.last.update(to_seq=node.seq, head_seq=node.seq, to_head=node.heads[node.seq],
                  digest={"count": len(hashes), "sum": protocol1.lanes(hashes)})


@lies
def counts_otherwise_each_time(node, asked, a):
    a.last["digest"] = {"count": secrets.randbelow(2**40), "sum": secrets.token_hex(16)}


@lies
def counts_one_too_many(node, asked, a):
    a.last["digest"]["count"] += 1


@lies
def has_buckets_that_never_meet(node, asked, a):
    """Neither its digest nor those of its buckets are ever the same."""
    a.last["digest"] = {"count": 4, "sum": secrets.token_hex(16)}
    if asked.path == "/v1/digest":
        a.lines = [json.dumps({"bucket": b, "count": 1, "sum": secrets.token_hex(16)})
                   for b in range(min(4, 2 ** int(asked.q.get("bits", 0))))]


@lies
def lives_in_another_time(node, asked, a):
    """1900, 9999, and the ends of what a number holds."""
    times = ((-2208988800000000, 253402300799000000), (-2**63, 2**63 - 1), (2**63 - 1, -2**63))
    a.last["t_recv_us"], a.last["t_send_us"] = times[next(node.count) % 3]
    a.last.update(oldest_after="9999-12-31T23:59:59.999999Z", clock_error_us=2**63 - 1)


@lies
def says_a_nul(node, asked, a):
    a.first["version"] = "1\0 2"


@lies
def says_times_in_words(node, asked, a):
    a.last["t_recv_us"] = HOSTILE


@lies
def is_unwell_in_hostile_words(node, asked, a):
    a.last["unwell"] = {x: HOSTILE * 500 for x in ("disk_low", "disk_full", "writes_fail", "unknown")}
    a.last["chrony"] = HOSTILE
    a.last["damaged"] = {"records": 2**62, "first": HOSTILE}


# --- what becomes of what it is sent: the centre has a record for it ---

def answers_to_push(act):
    def bend(node, asked, a):
        if asked.path == "/v1/apply":
            a.lines = [json.dumps(act(node, json.loads(line))) for line in a.lines]

    bend.__name__ = act.__name__
    return lies(bend)


@answers_to_push
def acknowledges_what_was_never_sent(node, answer):
    return {**answer, "id": "never-sent"}


@answers_to_push
def acknowledges_another_version(node, answer):
    return {"id": answer["id"], "result": "applied", "hash": secrets.token_hex(16)}


@answers_to_push
def rejects_in_hostile_words(node, answer):
    return {"id": answer["id"], "result": "rejected", "reason": HOSTILE * 500}


@lies
def acknowledges_twice(node, asked, a):
    if asked.path == "/v1/apply":
        a.lines *= 2


@serves
def forgets_what_it_was_sent(node, asked):
    """Applied, it says, and its digest says the contrary."""
    if asked.path != "/v1/apply":
        return node.true(asked)
    before = node.snapshot()
    answer = node.true(asked)
    node.epoch, node.seq, node.rows, node.heads = before
    return answer


@serves
def conflicts_for_ever(node, asked):
    """Each push meets a version that nobody has seen."""
    if asked.path == "/v1/apply":
        for line in asked.body.decode().splitlines():
            rid = json.loads(line)["id"]
            node.rows.pop(rid, None)  # so that it knows nothing of what it replaces
            node.write(rid, str(next(node.count)))
    return node.true(asked)
