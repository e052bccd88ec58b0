"""Somebody has a node's token and is no honest centre: whatever he says, no write that an application was told is stored goes from its
local without a trace, the local goes on, and the honest centre and the application then find their way back."""
import collections
import http.client
import json
import os
import random
import secrets
import signal
import threading
import time
import urllib.parse

import pytest

import lab
import load
import proc
import protocol1
from openapi import Document

LIES = int(os.environ.get("TIDEMARK_LIES", "700"))
OPERATOR, APP = "operator-of-the-centre", "application-of-the-site"
IDS = [f"r{i}" for i in range(40)]
MIB = 1 << 20
REFUSED = {400, 404, 405, 409, 411, 413, 414, 415}


def bearer(token, **more):
    return {"Authorization": f"Bearer {token}", **more}


class Shop:
    """A local with both tokens, and its honest centre; `token` is what was stolen."""

    def __init__(self, site):
        self.site = site
        self.secret, self.token_file, self.app_file = (site.path / x for x in ("secret", "token", "app"))
        for file, text in ((self.secret, OPERATOR), (self.app_file, APP)):
            lab.private_file(file, text)
        self.centre = lab.Centre(site.path, [], options=["--secret-file", self.secret, "--poll-interval", "100ms"])
        site.adopt(self.centre)
        self.token = self.ask("/v1/nodes", "POST", '{"name":"shop","url":"http://127.0.0.1:9"}')["token"]
        lab.private_file(self.token_file, self.token)
        self.local = lab.Local(site.path, "shop", options=["--token-file", self.token_file, "--app-token-file", self.app_file])
        site.adopt(self.local)
        self.ask("/v1/nodes/shop", "PATCH", json.dumps({"url": self.local.url}))
        self.in_sync()

    def ask(self, path, method="GET", body=None):
        r = lab.call(self.centre.url + path, method, body, headers=bearer(OPERATOR))
        assert r.status < 300, r.body
        return r.json

    def in_sync(self):
        """Also where the liar made a database look as if it had been left behind and come back: then an operator says that it is the one."""
        def holds():
            n = self.ask("/v1/nodes/shop")
            if n["state"] == "identity_conflict":
                self.ask("/v1/nodes/shop/resume", "POST")
            return n["state"] == "in_sync"

        lab.wait_until("in sync", holds, 60)
        self.centre.tool("--token-file", str(self.secret), "wait", "--in-sync", "--timeout", "30s", "shop")

    def conflicts(self):
        return self.ask("/v1/status")["conflicts"]

    def app(self, path, method="GET", body=None, **headers):
        return lab.call(self.local.url + path, method, body, headers=bearer(APP, **headers))

    def status(self):
        return self.app("/v1/status").json

    def all_of(self, path, **query):
        """Every version of a list, page by page."""
        found, after = [], None
        while True:
            page = self.app(path + "?" + urllib.parse.urlencode({"limit": 1000, **query, **({} if after is None else {"after": after})})).json
            found += page["records"]
            after = page["next"]
            if after is None:
                return found

    def memory_mib(self):
        return proc.resident_mib(self.local.process.pid, peak=True)

    def disk(self):
        return sum(f.stat().st_size for f in self.local.files())


def content(r):
    """What is not to be lost of a version."""
    return r["id"], r["deleted"], json.dumps(r["body"])


class Books:
    """What applications were told is stored, and which of it they replaced knowing it: all else is still to be found at the local."""

    def __init__(self):
        self.lock, self.stored, self.replaced, self.slowest = threading.Lock(), set(), set(), 0.0

    def missing(self, shop):
        with self.lock:
            told = set(self.stored)
        there = {content(r) for path in ("/v1/records", "/v1/replaced", "/v1/records")  # it may move from one to the other meanwhile
                 for r in shop.all_of(path, **({"deleted": "true"} if path == "/v1/records" else {}))}
        with self.lock:
            return told - there - self.replaced


class Application(load.Load):
    """Reads a record, and writes or deletes it in just that version; no two of its bodies are the same."""

    def __init__(self, shop, books, name, seed, pause=0.004):
        super().__init__()
        self.shop, self.books, self.name, self.chance, self.n, self.pause = shop, books, name, random.Random(f"{seed} {name}"), 0, pause

    def once(self):
        self.write(self.chance.choice(IDS), self.chance.random() < 0.15)
        self.stopping.wait(self.pause)

    def write(self, rid, deletes=False):
        """The answer: refused where another was quicker."""
        self.n += 1
        path = f"/v1/records/{rid}"
        old = self.shop.app(path)
        seen = old.json.get("hash")  # a tombstone's too; none where there was never one
        began = time.monotonic()
        method, body = ("DELETE", None) if deletes and old.status == 200 else ("PUT", [self.name, self.n])
        r = self.shop.app(path, method, json.dumps({"type": "t", "body": body}) if body else None,
                          **({"If-Match": f'"{seen}"'} if seen else {"If-None-Match": "*"}))
        assert r.status in (200, 201, 412), r.body
        with self.books.lock:
            self.books.slowest = max(self.books.slowest, time.monotonic() - began)
            if r.status != 412:
                self.books.stored.add((rid, True, "null") if method == "DELETE" else (rid, False, json.dumps(body)))
                if seen:
                    self.books.replaced.add(content(old.json) if old.status == 200 else (rid, True, "null"))
        return r


class Liar:
    """Asks and says what he likes, in words that a local takes for its centre's. `said` counts what came of each kind."""

    def __init__(self, shop, seed):
        self.shop, self.chance = shop, random.Random(f"{seed} liar")
        parts = urllib.parse.urlsplit(shop.local.url)
        self.wire = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        self.ids = [secrets.token_hex(16) for _ in range(12)]  # more than a local keeps acknowledgements of
        self.epoch, self.witness, self.records, self.positions = "", "0." + protocol1.EMPTY, {}, ["0." + protocol1.EMPTY]
        self.epochs, self.old, self.said, self.bytes, self.n = [], [], collections.Counter(), 0, 0

    # --- the wire ---

    def query(self, **more):
        q = {"centre": self.chance.choice(self.ids), "request": secrets.token_hex(16), "protocol": "1", "epoch": self.epoch, "witness": self.witness, **more}
        return "?" + urllib.parse.urlencode({k: v for k, v in q.items() if v is not None})

    def call(self, path, method="GET", body=None):
        if isinstance(body, str):
            body = body.encode()
        try:
            self.wire.request(method, path, body, bearer(self.shop.token))
        except BrokenPipeError:
            pass  # refused before all of it was sent: the answer is there to read
        r = self.wire.getresponse()
        answer = lab.Reply(r.status, r.headers, r.read())
        if r.status != 200:
            self.wire.close()
        assert answer.status < 500, (path, answer.status, answer.body[:300])
        if answer.status == 200:
            self.bytes += len(body or b"")
        return answer

    def learn(self, limit=1000):
        """As an honest centre would."""
        r = self.call("/v1/changes" + self.query(after=0, limit=limit))
        if r.status == 409:
            if r.code == "epoch_changed":
                self.epoch = r.json["epoch"]
                self.epochs.append(self.epoch)
            self.witness = "0." + protocol1.EMPTY
            r = self.call("/v1/changes" + self.query(after=0, limit=limit))
        if r.status != 200:
            return r
        lines = r.body.decode().splitlines()
        for line in lines[1:-1]:
            v = protocol1.decode(line)
            self.records[v["id"]] = v
        end = json.loads(lines[-1])
        self.witness = f"{end['to_seq']}.{end['to_head']}"
        self.positions.append(self.witness)
        return r

    # --- versions ---

    def version(self, rid=None, body=None, dot=None, vv=None, deleted=None):
        """One of his own, over what he knows."""
        c = self.chance
        rid = rid or c.choice(IDS)
        old = self.records.get(rid)
        self.n += 1
        dot = dot or c.choice(["4%015x.%d", "0%015x.%d"]) % (c.randrange(1, 1 << 60), c.choice([1, self.n, (1 << 63) - 1]))
        if vv is None:
            vv = c.choice([[dot], sorted({**self.vector(old), protocol1.dot_of(dot)[0]: protocol1.dot_of(dot)[1]}.items())])
        vv = [x if isinstance(x, str) else "%016x.%d" % x for x in vv]
        deleted = c.random() < 0.2 if deleted is None else deleted
        body = "null" if deleted else body or c.choice([f'"lie {self.n}"', "null", "[]", json.dumps("x" * c.randrange(2000)), "[" * 60 + "]" * 60])
        r = {"owner": "shop", "id": rid, "type": "t", "deleted": deleted, "body": body, "hash": "", "dot": dot}
        if len(vv) > 1:
            r["vv"] = vv
        r.update(created_at=protocol1.STAMP, updated_at=c.choice([protocol1.STAMP, "9999-12-31T23:59:59.999999Z", "1970-01-01T00:00:00.000000Z"]),
                 clock_error_us=c.choice([None, 0, 1 << 40]))
        r["hash"] = protocol1.record_hash(r)
        return r

    def vector(self, r):
        return dict(protocol1.dot_of(x) for x in (r.get("vv") or [r["dot"]])[-20:]) if r else {}

    def expected(self, rid):
        """Mostly what is there."""
        old = self.records.get(rid)
        return old["hash"] if old and self.chance.random() < 0.8 else self.chance.choice([None, secrets.token_hex(16), old and old["hash"]])

    def push(self, *lines, **query):
        body = "".join(x + "\n" for x in lines)
        if len(self.old) < 200:
            self.old.append(body)
        else:
            self.old[self.chance.randrange(200)] = body
        return self.call("/v1/apply" + self.query(**query), "POST", body)

    def line(self, v, expected="as it is"):
        return protocol1.encode(v, expected=self.expected(v["id"]) if expected == "as it is" else expected)

    # --- what he does ---

    def replaces(self):
        r = self.learn()
        for rid in self.chance.sample(IDS, self.chance.randrange(1, 12)):
            v = self.version(rid)
            r = self.push(self.line(v))
        return r

    def claims_to_hold_all(self):
        """What he was served he may say to hold; what is beyond the log, or never was in it, nobody can."""
        seq, head = self.witness.split(".")
        c, beyond = self.chance, int(seq) + self.chance.choice([10**6, 1 << 62])  # an application writes meanwhile
        what = c.choice([{"after": beyond}, {"after": 0, "witness": f"{beyond}.{head}"}, {"after": beyond, "witness": f"{beyond}.{secrets.token_hex(16)}"},
                         {"after": seq, "witness": f"{seq}.{secrets.token_hex(16)}"}, {"after": (1 << 63) - 1}, {"after": 1 << 64}, {"after": -1}, {"after": seq}])
        r = self.call("/v1/changes" + self.query(limit=c.choice([0, 1, 10000]), **what))
        assert r.status in (400, 409) or what["after"] in (seq, 0), (what, r.status)
        return r

    def vouches(self):
        """For writes that the application is to make only later: an honest centre would take them for old."""
        self.learn()
        rid = self.chance.choice(sorted(self.records) or IDS)
        actors = {protocol1.dot_of(x["dot"])[0] for x in self.records.values()}
        if not actors:
            return self.learn()
        vector = {a: (1 << 62) for a in self.chance.sample(sorted(actors), min(len(actors), 30))}
        actor = 1 << 62 | self.chance.randrange(1, 1 << 60)
        vector[actor] = 1
        return self.push(self.line(self.version(rid, dot="%016x.1" % actor, vv=sorted(vector.items()))))

    def pushes_twice(self):
        rid = self.chance.choice(IDS)
        a, b = self.version(rid), self.version(rid)
        return self.push(self.line(a), self.line(b, a["hash"]), self.line(a, b["hash"]), self.line(b, a["hash"]), self.line(a))

    def pushes_many(self):
        """Tiny ones, of which most are refused."""
        for _ in range(20):
            r = self.push(self.line(self.version(), self.chance.choice([None, secrets.token_hex(16)])))
        return r

    def pushes_nonsense(self):
        c, v = self.chance, self.version()
        return self.push(c.choice([
            "", "{", "[]", "null", "\0", "x" * 5000, '{"id":' * 2000, "\n" * 6000, self.line(v)[:-1], self.line({**v, "hash": secrets.token_hex(16)}),
            self.line({**v, "owner": "another"}), self.line({**v, "id": "../" + v["id"]}), self.line(v).replace('"id"', '"id":"r0","id"', 1),
            protocol1.encode(v), self.line(v).replace("{", '{"expected":null,', 1), self.line({**v, "dot": "0000000000000000.0"}),
            self.line({**v, "vv": [v["dot"]] * 40}), self.line({**v, "body": "[" * 5000 + "]" * 5000}), self.line({**v, "body": "1e999999"}),
            self.line({**v, "updated_at": "0000-00-00T00:00:00Z"})]))

    def pushes_much(self):
        v = self.version(body=json.dumps("y" * self.chance.choice([262142, 262143, 300000])), deleted=False)
        return self.push(*[self.line(v)] * self.chance.choice([1, 3, 20]), **({} if self.chance.random() < 0.5 else {"witness": "7." + "7" * 32}))

    def replays(self):
        return self.call("/v1/apply" + self.query(), "POST", self.chance.choice(self.old)) if self.old else self.learn()

    def other_epochs(self):
        c = self.chance
        return self.call(c.choice(["/v1/changes", "/v1/digest"]) + self.query(epoch=c.choice(["", secrets.token_hex(16), "g" * 32, *self.epochs]),
                                                                              witness=c.choice(self.positions + ["1." + "1" * 32, "x", ""])))

    def renames(self):
        c = self.chance
        to = c.choice([secrets.token_hex(16), self.epoch, "", "0" * 32, *self.epochs])
        witness = c.choice(["5." + "5" * 32, f"{1 << 62}." + "6" * 32, self.witness, "x"])
        body = {"centre": c.choice(self.ids), "request": secrets.token_hex(16), "protocol": "1", "from": c.choice([self.epoch, *self.epochs[-3:], "x"]), "to": to,
                "witness": witness}
        r = self.call("/v1/epoch", "POST", c.choice([json.dumps(body), json.dumps(body), json.dumps(body)[:-3], "{}", "[" * 3000]))
        self.learn()
        return r

    def compares(self):
        c = self.chance
        if c.random() < 0.5:
            return self.call("/v1/digest" + self.query(bits=c.choice([0, 4, 16, 17, -1, 1 << 40])))
        body = c.choice([{"bits": 4, "buckets": list(range(16))}, {"bits": 16, "buckets": list(range(0, 65536, 7))}, {"bits": 0, "buckets": [1]},
                         {"bits": 99, "buckets": [0]}, {"bits": 4, "buckets": [3, 2, 1]}, {}, {"bits": 4, "buckets": [[0]] * 9}])
        return self.call("/v1/fetch" + self.query(max_bytes=c.choice([None, 0, 1, 16 * MIB])), "POST", json.dumps(body))

    def alters(self):
        """A query of which something is not as it should be."""
        c = self.chance
        bad = c.choice([{"check": "0" * 16}, {"centre": ""}, {"centre": "z" * 32}, {"request": None}, {"protocol": "9-12"}, {"protocol": "x"}, {"wait": 1 << 40},
                        {"limit": 1 << 33}, {"limit": "NaN"}, {"max_bytes": 1 << 40}, {"recount": 2}, {"recount": 1}, {"nonsense": 1}, {"witness": "0." + "f" * 32}])
        return self.call("/v1/changes" + self.query(after=0, **bad))

    ACTS = {replaces: 8, claims_to_hold_all: 4, vouches: 3, pushes_twice: 3, pushes_many: 1, pushes_nonsense: 4, pushes_much: 1, replays: 4, other_epochs: 3, renames: 2,
            compares: 2, alters: 2}

    def act(self):
        act = self.chance.choices(list(self.ACTS), list(self.ACTS.values()))[0]
        r = act(self)
        assert r.status == 200 or r.status in REFUSED, (act.__name__, r.status, r.body[:300])
        self.said[f"{act.__name__} {r.status}"] += 1


@pytest.fixture
def shop(site):
    return Shop(site)


def test_no_lie_loses_what_an_application_wrote(shop):
    seed = int(os.environ.get("TIDEMARK_SEED", random.randrange(1 << 32)))
    print(f"TIDEMARK_SEED={seed} TIDEMARK_LIES={LIES}")
    books = Books()
    apps = [Application(shop, books, f"app{i}", seed) for i in range(2)]
    for rid in IDS[:20]:
        apps[0].write(rid)
    shop.in_sync()
    shop.centre.stop()  # the honest one knows some of it
    liar = Liar(shop, seed)
    disk = shop.disk()
    for a in apps:
        a.start()
    for i in range(1, LIES + 1):
        liar.act()
        if i % (LIES // 3) == 0:
            assert not books.missing(shop)
    for a in apps:
        a.stop()
    print(dict(liar.said), "stored", len(books.stored), "kept", len(shop.all_of("/v1/replaced")), "memory", round(shop.memory_mib()), "MiB, disk", disk, shop.disk(),
          "said", liar.bytes, "slowest write", books.slowest)
    assert not books.missing(shop) and len(books.stored) > LIES / 20
    assert shop.all_of("/v1/replaced"), "he replaced nothing: this shows nothing"
    assert shop.memory_mib() < 192 and shop.disk() - disk < 64 * MIB + 3 * liar.bytes
    assert shop.local.process.poll() is None and shop.app("/readyz").status == 200
    shop.centre.start()
    shop.in_sync()
    conflicts = shop.conflicts()
    for rid in IDS:
        assert apps[0].write(rid).status != 412
    shop.in_sync()
    assert shop.conflicts() == conflicts, "what was written last is taken for what somebody knew already"
    ours = {r["id"]: r for r in shop.all_of("/v1/records")}
    theirs = {r["id"]: r for r in shop.ask("/v1/records?owner=shop&limit=1000")["records"]}
    for rid in IDS:
        assert content(ours[rid]) in books.stored and ours[rid]["hash"] == theirs[rid]["hash"], (ours[rid], theirs[rid])
    shop.local.kill()
    shop.local.start()
    assert not books.missing(shop)


def test_what_a_push_replaced_can_be_written_again(shop):
    shop.centre.stop()
    assert shop.app("/v1/records/r1", "PUT", '{"type":"t","body":{"n":1.50}}').status == 201
    liar = Liar(shop, 1)
    liar.learn()
    r = liar.push(liar.line(liar.version("r1", deleted=True), liar.records["r1"]["hash"]))
    assert '"applied"' in r.body.decode()
    assert shop.app("/v1/records/r1").status == 404
    (kept,) = shop.all_of("/v1/replaced")
    assert (kept["id"], kept["body"], kept["hash"]) == ("r1", {"n": 1.5}, liar.records["r1"]["hash"])
    assert b'"body":{"n":1.50}' in shop.app("/v1/replaced").body
    assert shop.app("/v1/replaced?after=" + str(kept["seq"])).json == {"records": [], "next": None}
    for bad in ("limit=0", "limit=1001", "after=x", "after=-1", "id=r1"):
        assert shop.app("/v1/replaced?" + bad).status == 400
    assert shop.app("/v1/records/r1", "PUT", '{"type":"t","body":{"n":1.50}}').status == 201
    shop.centre.start()
    shop.in_sync()
    assert shop.app("/v1/records/r1").json["body"] == {"n": 1.5}


def test_no_claim_counts_beyond_what_was_served(shop):
    shop.centre.stop()
    shop.app("/v1/records/r1", "PUT", '{"type":"t","body":1}')
    before = shop.status()
    liar = Liar(shop, 1)
    liar.learn()
    seq, head = liar.witness.split(".")
    for claim in ({"after": int(seq) + 1}, {"after": (1 << 63) - 1}, {"after": seq, "witness": f"{int(seq) + 1}.{head}"},
                  {"after": seq, "witness": f"{seq}.{secrets.token_hex(16)}"}, {"after": 1 << 63}):
        for limit in (0, 5000):
            r = liar.call("/v1/changes" + liar.query(limit=limit, **claim))
            assert r.status in (400, 409), (claim, r.body)
    after = shop.status()
    assert after["unacknowledged"]["records"] == before["unacknowledged"]["records"] >= 1
    assert after["acknowledged"]["seq"] <= before["acknowledged"]["seq"]
    assert liar.learn().status == 200


def test_each_token_opens_its_own_doors_only(shop):
    doors = {"centre": [], "app": []}
    for path, methods in Document(shop.app("/openapi.yaml").body).doc["paths"].items():
        for method, operation in methods.items():
            if method in ("get", "put", "post", "delete") and path not in ("/healthz", "/readyz"):
                doors["centre" if operation.get("security") == [{"centre": []}] else "app"].append((method.upper(), path.replace("{id}", "r1")))
    assert len(doors["centre"]) == 5 and len(doors["app"]) >= 9, doors
    before = shop.status()
    for token, others in ((APP, "centre"), (shop.token, "app"), (OPERATOR, "centre"), (OPERATOR, "app"), ("", "centre"), ("", "app")):
        for method, path in doors[others]:
            r = lab.call(shop.local.url + path, method, b"{}" if method in ("POST", "PUT") else None, headers=bearer(token))
            assert (r.status, r.code) == (401, "unauthorised"), (token, method, path, r.body)
    after = shop.status()
    assert (before["head_seq"], before["digest"], before["acknowledged"]["seq"]) == (after["head_seq"], after["digest"], after["acknowledged"]["seq"])
    assert shop.app("/v1/records/r1", "PUT", '{"type":"t","body":1}').status == 201
    shop.in_sync()


class Waiter(load.Load):
    """Holds a request for news as long as it may, and at once asks for what comes after it."""

    def __init__(self, liar):
        super().__init__()
        self.liar, self.witness, self.news = liar, liar.witness, 0

    def once(self):
        shop = self.liar.shop
        q = self.liar.query(after=self.witness.split(".")[0], witness=self.witness, wait=25000)
        try:
            r = lab.call(shop.local.url + "/v1/changes" + q, headers=bearer(shop.token), timeout=40)
        except (OSError, http.client.HTTPException):
            return  # it ends
        if r.status == 200:
            end = json.loads(r.body.splitlines()[-1])
            self.witness = f"{end['to_seq']}.{end['to_head']}"
            self.news += len(r.body.splitlines()) > 2


def test_those_who_wait_hold_up_nobody(shop):
    """Dozens of requests for news are held all the time, and the application writes as ever; the local ends when it is told to."""
    shop.centre.stop()
    shop.app("/v1/records/r1", "PUT", '{"type":"t","body":0}')
    liar = Liar(shop, 1)
    liar.learn()
    slow, waiters = [], [Waiter(liar) for _ in range(60)]
    for w in waiters:
        w.start()
    for n in range(1, 20):
        told = [w.news for w in waiters]
        began = time.monotonic()
        assert shop.app("/v1/records/r1", "PUT", json.dumps({"type": "t", "body": n})).status == 200
        slow.append(time.monotonic() - began)
        lab.wait_until("each was told", lambda told=told: all(w.news > t for w, t in zip(waiters, told)))
    print("slowest", max(slow), "memory", round(shop.memory_mib()))
    assert sorted(slow)[-2] < 0.5 and shop.memory_mib() < 192
    for w in waiters:
        w.stopping.set()
    shop.local.process.send_signal(signal.SIGTERM)
    assert shop.local.process.wait(10) == 0
    for w in waiters:
        w.stop()
