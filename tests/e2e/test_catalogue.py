"""The catalogue of bad requests at both programs: each gets its answer, changes nothing, and the next good request works."""
import json
import socket
import urllib.parse

import pytest

import catalogue
import lab
import siege


class Pair:
    """A local and its centre in step, and how both stand: what a bad request must leave as it is."""
    token = other = ""

    def __init__(self, path, store):
        self.local = lab.Local(path, "a").start()
        self.centre = lab.Centre(path, [self.local], store=store).start()
        self.local.write({"id": "seed", "body": 1})
        self.centre.in_sync("a")
        self.before = self.state()

    @staticmethod
    def headers(_program):
        return {}

    def get(self, program, target):
        r = program.get(target, headers=self.headers(program))
        assert r.status == 200, r.body
        return r.json

    def state(self):
        local, centre = self.get(self.local, "/v1/status"), self.get(self.centre, "/v1/status")
        events = [e for e in self.get(self.centre, "/v1/events?limit=100")["events"] if e["kind"] != "auth.failed"]  # which tells of it, and changes nothing
        nodes = self.get(self.centre, "/v1/nodes")["nodes"]
        return {"log": local["head_seq"], "digest": local["digest"], "epoch": local["epoch"], "records": centre["records"], "conflicts": centre["conflicts"],
                "quarantined": centre["quarantined"], "nodes": [(n["name"], n["url"], n["title"], n["cursor"]) for n in nodes], "event": events[-1] if events else None}

    def stop(self):
        self.centre.kill()
        self.local.kill()


class Locked(Pair):
    """Both asking for tokens, each alone."""
    token, other = "one-that-is-right-and-long-enough-for-anybody", "another-that-is-right-elsewhere-and-long-enough"

    def __init__(self, path, store):
        for name, text in (("token", self.token), ("other", self.other)):
            lab.private_file(path / name, text)
        self.local = lab.Local(path, "a", options=["--token-file", path / "other", "--app-token-file", path / "token"]).start()
        self.centre = lab.Centre(path, options=["--secret-file", path / "token"], store=store).start()
        self.before = self.state()

    def headers(self, _program):
        return {"Authorization": f"Bearer {self.token}"}


def made(kind, tmp_path_factory, store_kind, databases):
    pair = kind(tmp_path_factory.mktemp(kind.__name__), databases() if store_kind == "postgres" else None)
    yield pair
    pair.stop()


@pytest.fixture(scope="module")
def pair(tmp_path_factory, store_kind, databases):
    yield from made(Pair, tmp_path_factory, store_kind, databases)


@pytest.fixture(scope="module")
def locked(tmp_path_factory, store_kind, databases):
    yield from made(Locked, tmp_path_factory, store_kind, databases)


class Line:
    """A connection that says bytes and takes answers."""

    def __init__(self, program, address="127.0.0.1"):
        parts = urllib.parse.urlsplit(program.url)
        self.socket = socket.socket()
        self.socket.settimeout(10)
        self.socket.setsockopt(socket.IPPROTO_IP, siege.NO_PORT_YET, 1)
        self.socket.bind((address, 0))
        self.socket.connect((parts.hostname, parts.port))
        self.got = b""

    def say(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            pass  # refused before all of it was sent: the answer is there to read

    def more(self):
        try:
            chunk = self.socket.recv(1 << 16)
        except ConnectionResetError:
            chunk = b""
        self.got += chunk
        return chunk

    def take(self, head_only=False):
        """(status, body) of the next answer; (None, what came) when the connection ends instead."""
        while b"\r\n\r\n" not in self.got:
            if not self.more():
                return None, self.got
        head, _, rest = self.got.partition(b"\r\n\r\n")
        length = 0 if head_only else next((int(l.split(b":")[1]) for l in head.split(b"\r\n") if l.lower().startswith(b"content-length:")), 0)
        while len(rest) < length and self.more():
            rest = self.got.partition(b"\r\n\r\n")[2]
        self.got = rest[length:]
        return int(head.split(b" ", 2)[1]), rest[:length]


def filled(sent, program, pair):
    """With what only this run knows in it, and the length of what is then sent."""
    centre = program is pair.centre
    head, blank, body = sent.partition(b"\r\n\r\n")
    length = len(body)
    for name, text in {"host": program.url.removeprefix("http://"), "base": "/v1/records/a" if centre else "/v1/records",
                       "owner": '"owner":"a",' if centre else "", "epoch": pair.before["epoch"], "token": pair.token, "other": pair.other}.items():
        head, body = (part.replace(b"{" + name.encode() + b"}", text.encode()) for part in (head, body))
    if len(body) != length:
        head = head.replace(b"Content-Length: %d" % length, b"Content-Length: %d" % len(body))
    return head + blank + body


def serves(line, headers):
    """Does the next good request on this connection work?"""
    lines = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    line.say(f"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode())
    return line.take()[0] == 200


def asked(pair, program, row, address="127.0.0.1"):
    """Sends it and checks the answer; then that nothing changed, and that the next good request works."""
    good = pair.headers(program)
    line = Line(program, address)
    line.say(filled(row.sent, program, pair))
    wanted = row.status if isinstance(row.status, tuple) else (row.status,)
    if wanted == (None,):
        line.socket.shutdown(socket.SHUT_WR)
    status, body = line.take(head_only=row.sent.startswith(b"HEAD"))
    assert status in wanted, (status, body[:300])
    if row.code:
        problem = json.loads(body)
        assert problem["code"] == row.code, problem
        assert problem["status"] == status and problem["title"] and problem["detail"]
    if row.lives is True:
        assert serves(line, good), "the connection ended"
    elif row.lives is False:
        assert not line.more(), f"the connection goes on: {line.got[:200]}"
    line.socket.close()
    assert serves(Line(program), good), "the next good request"
    now = pair.state()
    assert now == pair.before, f"changed: {now}"


def at(rows, which):
    return [pytest.param(r, id=f"{n:03d} {r.what[:40]}".encode("ascii", "backslashreplace").decode()) for n, r in enumerate(rows) if r.at in ("both", which)]


@pytest.mark.parametrize("row", at(catalogue.OPEN, "local"))
def test_a_bad_request_at_the_local(pair, row):
    """One of the catalogue: its answer, nothing changed, the next good request works."""
    asked(pair, pair.local, row)


@pytest.mark.both_stores
@pytest.mark.parametrize("row", at(catalogue.OPEN, "centre"))
def test_a_bad_request_at_the_centre(pair, row):
    """One of the catalogue: its answer, nothing changed, the next good request works."""
    asked(pair, pair.centre, row)


def elsewhere(row):
    """An address of its own: who guesses tokens is slowed down."""
    return f"127.0.1.{catalogue.LOCKED.index(row) + 1}"


@pytest.mark.parametrize("row", at(catalogue.LOCKED, "local"))
def test_a_bad_token_at_the_local(locked, row):
    """One of the catalogue: whatever is wrong with a token, it is refused in the same way."""
    asked(locked, locked.local, row, elsewhere(row))


@pytest.mark.both_stores
@pytest.mark.parametrize("row", at(catalogue.LOCKED, "centre"))
def test_a_bad_token_at_the_centre(locked, row):
    """One of the catalogue: whatever is wrong with a token, it is refused in the same way."""
    asked(locked, locked.centre, row, elsewhere(row))


def test_the_catalogue_is_long():
    """It is not thinned out unseen."""
    assert len(catalogue.OPEN) + len(catalogue.LOCKED) >= 400
    assert len({(r.what, r.at, r.sent) for r in catalogue.OPEN}) == len(catalogue.OPEN)


def test_a_problem_names_the_line(pair):
    """Of many records the one that is wrong is named."""
    r = pair.local.post("/v1/records", catalogue.GOOD + "\n" + '{"id":"x y","type":"t","body":1}')
    assert (r.status, r.code, r.json["line"]) == (400, "bad_id", 2)
    assert pair.state() == pair.before


def test_a_push_of_nonsense(pair):
    """Each line of a push that is no record is answered as rejected, and nothing is taken."""
    r = pair.local.post(f"/v1/apply?epoch={pair.before['epoch']}", '{"id":"x"}\nnonsense\n')
    assert r.status == 200
    answers = [json.loads(l) for l in r.body.decode().splitlines()[1:-1]]
    assert [a["result"] for a in answers] == ["rejected", "rejected"]
    assert pair.state() == pair.before


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(pair):
    """Who sends 8 MiB and a byte all the same gets the answer."""
    r = pair.local.post("/v1/records", b" " * (catalogue.LIMIT + 1))
    assert (r.status, r.code) == (413, "body_too_large")
    assert pair.state() == pair.before
