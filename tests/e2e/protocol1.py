"""Both ends of protocol 1, written from shared/PROTOCOL.md alone and kept as they are when later versions come: so that an
older local still meets a newer centre, and the reverse.  In memory, one request at a time where it matters."""
import copy
import hashlib
import http.server
import json
import secrets
import threading
import time
import urllib.parse

import lab

EMPTY = "0" * 32
STAMP = "2026-01-02T03:04:05.000006Z"


def blake(data):
    return hashlib.blake2b(data, digest_size=16).digest()


def u32(n):
    return n.to_bytes(4, "little")


def u64(n):
    return n.to_bytes(8, "little")


def field(text):
    raw = text.encode() if isinstance(text, str) else text
    return u32(len(raw)) + raw


def dot_of(text):
    actor, n = text.split(".")
    return int(actor, 16), int(n)


def record_hash(r):
    """Section 4; r["body"] is the body's text."""
    actor, n = dot_of(r["dot"])
    vector = [dot_of(x) for x in r.get("vv") or [r["dot"]]]
    data = field(r["owner"]) + field(r["id"]) + field(r["type"]) + bytes([r["deleted"]]) + u64(actor) + u64(n) + u32(len(vector))
    return blake(data + b"".join(u64(a) + u64(m) for a, m in vector) + field(r["body"])).hex()


def next_head(head, seq, rid, digest):
    return blake(bytes.fromhex(head) + u64(seq) + field(rid) + bytes.fromhex(digest)).hex()


def bucket(rid, bits):
    return int.from_bytes(blake(rid.encode())[:2], "big") >> (16 - bits)


def lanes(hashes):
    sums = [0, 0]
    for h in hashes:
        raw = bytes.fromhex(h)
        for i in (0, 1):
            sums[i] = (sums[i] + int.from_bytes(raw[8 * i:8 * i + 8], "little")) % 2**64
    return "%016x%016x" % tuple(sums)


def encode(r, **more):
    """A record's line; the body's text goes in as it is."""
    r = {**r, **more}
    return "{" + ",".join(f'"{k}":' + (v if k == "body" else json.dumps(v)) for k, v in r.items()) + "}"


def decode(line):
    """The same, back: no member before the body can hold a quote, so the first such name is the body's."""
    r = json.loads(line)
    at = line.index('"body":') + len('"body":')
    r["body"] = line[at:json.JSONDecoder().raw_decode(line, at)[1]]
    assert record_hash(r) == r["hash"], line
    return r


class Local:
    """What a local of protocol 1 keeps and answers.  `speaks` is its range; `extra` are members from the future."""

    def __init__(self, name, speaks=(1, 1), answers=None, extra=True, version="0.1.0"):
        self.name, self.speaks, self.answers, self.extra, self.version = name, speaks, answers, extra, version
        self.changed = threading.Condition()
        self.asked = []  # paths
        self.compares = True  # else without the two calls of section 7.5
        self.reset()
        self.web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.web.daemon_threads = True
        threading.Thread(target=self.web.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.web.server_port}"

    def close(self):
        self.web.shutdown()
        self.web.server_close()

    def reset(self):
        """As after a wipe."""
        with self.changed:
            self.epoch, self.seq, self.rows, self.heads = secrets.token_hex(16), 0, {}, {0: EMPTY}
            self.actor = "%016x" % (secrets.randbits(62) or 1)

    def snapshot(self):
        return copy.deepcopy((self.epoch, self.seq, self.rows, self.heads))

    def restore(self, snapshot):
        with self.changed:
            self.epoch, self.seq, self.rows, self.heads = copy.deepcopy(snapshot)
            self.actor = "%016x" % (secrets.randbits(62) or 1)

    def store(self, r):
        self.seq += 1
        self.heads[self.seq] = next_head(self.heads[self.seq - 1], self.seq, r["id"], r["hash"])
        self.rows[r["id"]] = {**{k: r[k] for k in ("owner", "id", "type", "deleted", "body", "hash", "dot", "vv", "created_at", "updated_at",
                                                   "clock_error_us") if k in r}, "seq": self.seq}
        self.changed.notify_all()

    def write(self, rid, body, kind="t"):
        with self.changed:
            dot = f"{self.actor}.{self.seq + 1}"
            seen = {}
            if rid in self.rows:
                old = self.rows[rid]
                seen = dict(dot_of(x) for x in old.get("vv") or [old["dot"]])
            seen[dot_of(dot)[0]] = dot_of(dot)[1]
            r = {"owner": self.name, "id": rid, "type": kind, "deleted": False, "body": body, "hash": "", "dot": dot}
            if len(seen) > 1:
                r["vv"] = ["%016x.%d" % x for x in sorted(seen.items())]
            r.update(created_at=STAMP, updated_at=STAMP, clock_error_us=None, hash=record_hash(r))
            self.store(r)

    def future(self):
        return {"colour": "blue", "nested": {"a": [1, None]}} if self.extra else {}

    # --- section 6 and 7 ---

    def refusal(self, q, code, status=409, **more):
        return status, "application/problem+json", json.dumps({
            "type": "about:blank", "title": code, "status": status, "detail": code, "code": code, "node": self.name,
            "request": q.get("request"), **more, **self.future()})

    def unspoken(self, q):
        """The refusal of a range that shares nothing with ours, or None."""
        low, _, high = q.get("protocol", "1").partition("-")
        if int(low) <= self.speaks[1] and int(high or low) >= self.speaks[0]:
            return None
        return self.refusal(q, "incompatible", 400, min=self.speaks[0], max=self.speaks[1], version=self.version)

    def foreign(self, q):
        """The refusal of a basis that is not this database's, or None."""
        if q["epoch"] != self.epoch:
            return self.refusal(q, "epoch_changed", epoch=self.epoch)
        seq, head = q["witness"].split(".")
        if self.heads.get(int(seq)) != head or int(q.get("after", 0)) > self.seq:
            return self.refusal(q, "rewound", epoch=self.epoch)
        return None

    def framed(self, q, lines, to):
        first = {"node": self.name, "epoch": self.epoch, "request": q["request"], "version": self.version,
                 "protocol": self.answers or 1, **self.future()}
        now = time.time_ns() // 1000
        last = {"end": True, "to_seq": to, "to_head": self.heads[to], "head_seq": self.seq, "more": to < self.seq,
                "digest": {"count": len(self.rows), "sum": lanes(r["hash"] for r in self.rows.values())}, "oldest_after": None,
                "t_recv_us": now, "t_send_us": now, "clock_error_us": None, **self.future()}
        return 200, "application/x-ndjson", "".join(x + "\n" for x in [json.dumps(first), *lines, json.dumps(last)])

    def changes(self, q):
        with self.changed:
            refused = self.foreign(q)
            if refused:
                return refused
            after = int(q["after"])
            if self.seq == after:
                self.changed.wait(min(int(q.get("wait", 0)), 25000) / 1000)
                refused = self.foreign(q)
                if refused:
                    return refused
            rows = sorted((r for r in self.rows.values() if r["seq"] > after), key=lambda r: r["seq"])
            page = rows[:int(q["limit"])]
            to = self.seq if len(page) == len(rows) else page[-1]["seq"] if page else after
            return self.framed(q, [encode(r, **self.future()) for r in page], to)

    def apply(self, q, body):
        with self.changed:
            refused = self.foreign(q)
            if refused:
                return refused
            lines = []
            for line in body.decode().splitlines():
                r, held = decode(line), self.rows.get(json.loads(line)["id"])
                hashed = held["hash"] if held else None
                answer = {"id": r["id"], "result": "already", "hash": r["hash"], **self.future()}
                if hashed == r["expected"] and hashed != r["hash"]:
                    self.store(r)
                    answer["result"] = "applied"
                elif hashed != r["hash"]:
                    answer = {"id": r["id"], "result": "conflict", "record": None}
                text = json.dumps(answer)
                if answer["result"] == "conflict" and held:
                    text = text.replace('"record": null', '"record":' + encode(held))
                lines.append(text)
            return self.framed(q, lines, self.seq)

    def digest(self, q):
        with self.changed:
            refused = self.foreign(q)
            if refused:
                return refused
            bits, held = int(q.get("bits", 0)), {}
            for rid, r in self.rows.items():
                held.setdefault(bucket(rid, bits), []).append(r["hash"])
            lines = [json.dumps({"bucket": b, "count": len(h), "sum": lanes(h), **self.future()}) for b, h in sorted(held.items())]
            return self.framed(q, lines, self.seq)

    def fetch(self, q, body):
        with self.changed:
            refused = self.foreign(q)
            if refused:
                return refused
            wanted = json.loads(body)
            rows = sorted((r for r in self.rows.values() if bucket(r["id"], wanted["bits"]) in wanted["buckets"]), key=lambda r: r["seq"])
            return self.framed(q, [encode(r, **self.future()) for r in rows], self.seq)

    def rename(self, q):
        with self.changed:
            if self.epoch != q["to"] and self.epoch != q["from"]:
                return self.refusal(q, "epoch_changed", epoch=self.epoch)
            seq, head = q["witness"].split(".")
            rewound = self.epoch == q["to"] or self.heads.get(int(seq)) != head
            if rewound:
                self.epoch = q["to"]
            return 200, "application/json", json.dumps({"result": "renamed" if rewound else "not_rewound", "epoch": self.epoch,
                                                        "request": q["request"], **self.future()})

    def serve(self, path, q, body):
        self.asked.append(path)
        if path == "/v1/epoch":
            q = json.loads(body)
        refused = self.unspoken(q)
        if refused:
            return refused
        if path in ("/v1/digest", "/v1/fetch") and not self.compares:
            return self.refusal(q, "not_found", 404)
        if path == "/v1/changes":
            return self.changes(q)
        if path == "/v1/digest":
            return self.digest(q)
        if path == "/v1/fetch":
            return self.fetch(q, body)
        return self.apply(q, body) if path == "/v1/apply" else self.rename(q)

    def handler(self):
        local = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one piece: an answer that lingers would be of an older state
            disable_nagle_algorithm = True

            def answer(self):
                parts = urllib.parse.urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                q = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
                status, media, text = local.serve(parts.path, q, body)
                raw = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", media)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                try:
                    self.wfile.write(raw)
                except OSError:
                    pass  # whoever asked has gone
            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        return Handler


class Centre:
    """What a centre of protocol 1 asks.  `offers` is the range it says."""

    def __init__(self, url, offers="1"):
        self.url, self.offers, self.id = url, offers, secrets.token_hex(16)
        self.epoch, self.witness, self.cursor, self.records = "", "0." + EMPTY, 0, {}

    def query(self, **more):
        self.request = secrets.token_hex(16)
        q = {"centre": self.id, "request": self.request, "protocol": self.offers, "epoch": self.epoch, "witness": self.witness, **more}
        return "?" + urllib.parse.urlencode({k: v for k, v in q.items() if v is not None})

    def framed(self, reply):
        assert reply.status == 200, reply.body
        lines = reply.body.decode().splitlines()
        first, last = json.loads(lines[0]), json.loads(lines[-1])
        assert first["request"] == self.request and first["epoch"] == self.epoch and first["protocol"] == 1 and last["end"] is True
        self.witness = f"{last['to_seq']}.{last['to_head']}"
        return lines[1:-1], last

    def meet(self):
        self.epoch = lab.call(self.url + "/v1/changes" + self.query(after=0, limit=0)).json["epoch"]

    def pull(self, limit=3):
        """Everything that is new, in small pages; proves that both ends are equal."""
        while True:
            lines, last = self.framed(lab.call(self.url + "/v1/changes" + self.query(after=self.cursor, limit=limit)))
            for line in lines:
                r = decode(line)
                self.records[r["id"]] = r
            self.cursor = last["to_seq"]
            if not last["more"]:
                break
        hashes = [r["hash"] for r in self.records.values()]
        assert last["digest"] == {"count": len(hashes), "sum": lanes(hashes)}

    def compare(self, bits=4):
        """The digests of buckets, and the records of those that are not as here: what we hold of them is then right."""
        lines, last = self.framed(lab.call(self.url + "/v1/digest" + self.query(bits=bits)))
        theirs = {(d := json.loads(line))["bucket"]: (d["count"], d["sum"]) for line in lines}
        ours = {}
        for rid, r in self.records.items():
            ours.setdefault(bucket(rid, bits), []).append(r["hash"])
        apart = sorted(b for b in theirs.keys() | ours.keys() if theirs.get(b) != (len(ours.get(b, [])), lanes(ours.get(b, []))))
        if apart:
            lines, _ = self.framed(lab.call(self.url + "/v1/fetch" + self.query(), "POST", json.dumps({"bits": bits, "buckets": apart})))
            self.records = {k: r for k, r in self.records.items() if bucket(k, bits) not in apart}
            self.records.update((r["id"], r) for r in map(decode, lines))
        self.cursor = last["to_seq"]
        return apart

    def edit(self, rid, body):
        """Pushes a version of our own over the one that we know; returns the answer."""
        old = self.records[rid]
        dot = "4%015x.1" % secrets.randbits(60)
        r = {**{k: old[k] for k in ("owner", "id", "type", "deleted")}, "body": body, "hash": "", "dot": dot,
             "vv": sorted([*(old.get("vv") or [old["dot"]]), dot]), "created_at": STAMP, "updated_at": STAMP, "clock_error_us": None}
        r["hash"] = record_hash(r)
        line = encode(r, expected=old["hash"], colour="blue", nested={"a": [1, None]})
        (answer,), _ = self.framed(lab.call(self.url + "/v1/apply" + self.query(), "POST", line + "\n"))
        return json.loads(answer)
