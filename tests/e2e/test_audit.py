"""What a person changes is one event of the audit: who, what, before, after. Every changing operation of the centre's
/openapi.yaml is done as a named person, and refused once."""
import json
import re
import secrets
import signal

import pytest

import lab
from openapi import Document

pytestmark = pytest.mark.both_stores

EVIL = '"},"who":"root","x":{"<img src=x onerror=alert(1)>\n\x1b[2J\\\u009b31m'
RECORD = "/v1/records/{owner}/{id}"


class Person:
    """Who has the centre's secret, and what the audit says since the last look."""
    who = "secret"

    def __init__(self, site, *locals_, options=()):
        self.file = lab.private_file(site.path / "secret", secrets.token_hex(16))
        self.headers = {"Authorization": "Bearer " + self.file.read_text()}
        self.centre = site.centre(*locals_, options=["--secret-file", str(self.file), *options])
        self.seen = 0
        self.news()

    def call(self, method, path, body=None, status=None):
        data = body if body is None or isinstance(body, (bytes, str)) else json.dumps(body)
        r = lab.call(self.centre.url + path, method.upper(), data, headers=self.headers)
        assert status is None or r.status == status, (method, path, r.status, r.body)
        return r

    def events(self, query="audit=true"):
        return self.call("get", f"/v1/events?{query}&limit=1000", status=200).json["events"]

    def news(self):
        new = [e for e in self.events() if e["id"] > self.seen]
        self.seen = max([self.seen, *(e["id"] for e in new)])
        return new

    def tool(self, *args, **kw):
        return self.centre.tool("--token-file", str(self.file), *args, **kw)

    def in_sync(self):
        self.tool("wait", "--in-sync", "--timeout", "30s")
        self.news()

    def restarted(self, change=lambda: None):
        self.centre.stop()
        change()
        self.centre.start()
        self.news()


def operations(person):
    """What changes something, as the document has it: {verb} is one each."""
    d = Document(person.call("get", "/openapi.yaml", status=200).body)
    found = set()
    for (method, path), (_, parameters) in d.operations().items():
        verbs = [v for p in parameters if p["name"] == "verb" for v in p["schema"]["enum"]]
        found |= {(method, path.replace("{verb}", v)) for v in verbs or [""] if method != "get"}
    return found


class Table:
    """Does each of them as the person, and looks what the audit says of it."""

    def __init__(self, person):
        self.person, self.left = person, operations(person)

    def refused(self, method, path, body=None, status=404, **values):
        r = self.person.call(method, path.format(**values), body)
        assert r.status == status, (path, r.status, r.body)
        assert self.person.news() == [], f"{method} {path} was refused"

    def done(self, method, path, kind, node, before, after, body=None, **values):
        """before and after: the whole, or a function that says whether it is right."""
        self.left.discard((method, path))
        r = self.person.call(method, path.format(**values), body)
        assert r.status < 300, (path, r.status, r.body)
        (e,) = self.person.news()
        assert (e["kind"], e["node"], e["who"], e["level"], e["address"]) == (kind, node, self.person.who, "info", "127.0.0.1"), e
        for end, wanted in ((e["before"], before), (e["after"], after)):
            assert wanted(end) if callable(wanted) else end == wanted, (method, path, e)
        assert re.search(rf" {kind} .*\bwho={self.person.who}\b", self.person.centre.log_text()) or kind.startswith("record"), kind
        return r


def test_every_changing_operation_is_one_event_of_the_audit(site):
    a = site.local("a")
    p = Person(site, a, options=["--notify-command", "/bin/true"])
    t = Table(p)
    a.write({"id": "r2", "body": 0})
    p.in_sync()
    nodes(p, t)
    records(p, t)
    conflict(a, p, t)
    quarantine(a, p, t)
    tokens(p, t)
    t.done("post", "/v1/notifications/test", "notify.test", None, None, None)
    if p.centre.store.kind == "sqlite":
        copy = t.done("get", "/v1/backup", "backup.made", None, None, lambda after: after["bytes"] > 0).body
        assert p.events()[-1]["after"] == {"bytes": len(copy)}
    assert not t.left, "no event of the audit was looked for"
    assert p.events("who=root") == [] and p.events(f"who={p.who}") == [e for e in p.events() if e["who"] == p.who]


def nodes(p, t):
    b = {"name": "b", "url": "http://127.0.0.1:9", "title": EVIL}
    t.done("post", "/v1/nodes", "node.added", "b", None, {"url": b["url"], "title": EVIL, "paused": False}, b)
    t.refused("post", "/v1/nodes", b, status=409)
    t.refused("post", "/v1/nodes", {**b, "name": "c", "url": "file:///etc/passwd"}, status=400)
    one = "/v1/nodes/{name}"
    t.done("patch", one, "node.changed", "b", {"url": b["url"], "title": EVIL}, {"url": "http://127.0.0.1:10", "title": "far"},
           {"url": "http://127.0.0.1:10", "title": "far"}, name="b")
    t.refused("patch", one, {"title": "far"}, status=200, name="b")  # it is so already
    t.refused("patch", one, {"url": "gopher://x/"}, status=400, name="b")
    for verb in ("pull", "push", "verify"):
        t.done("post", f"{one}/{verb}", "node.asked", "b", None, {"ask": verb}, name="b")
        t.refused("post", f"{one}/{verb}", name="nobody")
    t.done("post", one + "/pause", "node.paused", "b", {"paused": False}, {"paused": True}, name="b")
    t.refused("post", one + "/pause", status=202, name="b")
    t.done("post", one + "/resume", "node.resumed", "b", {"paused": True}, {"paused": False}, name="b")
    t.refused("post", one + "/resume", name="nobody")
    t.refused("post", one + "/dance", name="b")
    t.done("post", one + "/rotate", "node.rotated", "b", {"rotation": 0}, {"rotation": 1}, name="b")
    t.refused("post", one + "/rotate", name="nobody")
    shown = t.done("get", one + "/token", "node.token_shown", "b", None, None, name="b").json["token"]
    assert shown not in json.dumps(p.events())
    t.refused("get", one + "/token", name="nobody")
    t.done("delete", one, "node.removed", "b", {"url": "http://127.0.0.1:10", "title": "far", "paused": False}, None, name="b")
    t.refused("delete", one, name="b")


def tokens(p, t):
    """Tokens come and go, and whoever signs in by one and out; never the token or the cookie itself."""
    made = {"name": "ann", "role": "operator", "expires_s": 3600}
    r = t.done("post", "/v1/tokens", "token.added", None, None, lambda e: e["expires_at"].endswith(".000000Z") and (e["name"], e["role"]) == ("ann", "operator"), made)
    ann = r.json["token"]
    t.refused("post", "/v1/tokens", made, status=409)
    t.refused("post", "/v1/tokens", {**made, "name": "settings"}, status=400)
    t.refused("post", "/v1/session", {"token": ann[:-1]}, status=401)
    p.headers, admin = {}, p.headers
    cookie = p.call("post", "/v1/session", {"token": ann}, status=200).headers["Set-Cookie"].partition(";")[0]
    p.headers = {"Cookie": cookie, "Origin": p.centre.url}
    p.call("delete", "/v1/session", status=200)
    p.headers = admin
    began, ended = p.news()
    for e, kind, end in ((began, "session.began", "after"), (ended, "session.ended", "before")):
        assert (e["kind"], e["who"], e["address"], e[end]) == (kind, "ann", "127.0.0.1", {"role": "operator", "expires_at": r.json["expires_at"]}), e
        assert e["before" if end == "after" else "after"] is None and re.search(rf" {kind} who=ann ", p.centre.log_text())
    t.left -= {("post", "/v1/session"), ("delete", "/v1/session")}
    t.refused("delete", "/v1/session", status=200)  # nobody was in
    t.done("delete", "/v1/tokens/{name}", "token.removed", None, {"name": "ann", "role": "operator", "expires_at": r.json["expires_at"]}, None, name="ann")
    t.refused("delete", "/v1/tokens/{name}", name="ann")
    for hidden in (ann, cookie.partition("=")[2]):
        assert hidden not in json.dumps(p.events()) and hidden not in p.centre.log_text()


def records(p, t):
    def head(reply, **more):
        return {"id": reply["id"], "type": reply["type"], "hash": reply["hash"], **more}

    def stored(id):
        return p.call("get", f"/v1/records/a/{id}", status=200).json

    where = {"owner": "a", "id": "x"}
    r = t.done("put", RECORD, "record.written", "a", None, lambda e: e == head(stored("x")), {"type": "t", "body": "the secret"}, **where).json
    t.done("put", RECORD, "record.written", "a", head(r), lambda e: e == head(stored("x")) != head(r), {"type": "t", "body": 2}, **where)
    t.refused("put", RECORD, {"type": "t", "body": 2}, status=200, **where)
    t.refused("put", RECORD, {"type": "T", "body": 2}, status=400, **where)
    t.refused("put", RECORD, {"type": "t", "body": 2}, owner="nobody", id="x")
    was = stored("x")
    gone = t.done("delete", RECORD, "record.deleted", "a", head(was), lambda e: e.pop("hash") != was["hash"] and
                  e == {"id": "x", "type": "t", "deleted": True}, **where)
    assert gone.json["deleted"]
    t.refused("delete", RECORD, status=200, **where)
    t.refused("delete", RECORD, owner="a", id="none")
    many = [{"owner": "a", "id": f"m{i}", "type": "t", "body": i} for i in range(3)]
    t.done("post", "/v1/records", "records.written", "a", None, {"created": 3, "changed": 0}, many)
    t.done("post", "/v1/records", "record.written", "a", None, lambda e: e == head(stored("m9")), {**many[0], "id": "m9"})
    t.refused("post", "/v1/records", many, status=201)
    t.refused("post", "/v1/records", [many[0], {**many[1], "owner": "nobody"}])
    assert "the secret" not in json.dumps(p.events())
    p.in_sync()


def conflict(a, p, t):
    a.stop()
    p.call("put", "/v1/records/a/r2", {"type": "t", "body": "centre"}, status=200)
    p.centre.stop()
    a.start()
    a.write({"id": "r2", "body": "site"})
    p.centre.start()
    p.in_sync()
    (lost,) = p.call("get", "/v1/conflicts").json["conflicts"]
    now = p.call("get", "/v1/records/a/r2").json
    r = t.done("post", "/v1/conflicts/{id}/promote", "conflict.promoted", "a", {"id": "r2", "type": "t", "hash": now["hash"]},
               lambda e: (e["id"], e["hash"]) == ("r2", p.call("get", "/v1/records/a/r2").json["hash"]), id=lost["id"])
    assert r.json["changed"]
    t.refused("post", "/v1/conflicts/{id}/promote", status=200, id=lost["id"])  # it has that version
    t.refused("post", "/v1/conflicts/{id}/promote", id=999)
    p.in_sync()


def quarantine(a, p, t):
    """Two records that the store refuses: one is taken later, one given up."""
    p.restarted(lambda: p.centre.store.refuse_poison(True))
    a.write({"id": "q1", "body": "poison"}, {"id": "q2", "body": "more poison"})
    p.in_sync()
    kept = {e["id"]: e for e in p.call("get", "/v1/quarantine").json["quarantine"]}

    def was(n):
        return {"quarantine": n, "id": kept[n]["record_id"], "hash": kept[n]["hash"]}

    for call in (("post", "/v1/quarantine/{id}/retry"), ("delete", "/v1/quarantine/{id}")):
        t.refused(*call, status=409, id=1)
        t.refused(*call, status=404, id=999)
    p.restarted(lambda: p.centre.store.refuse_poison(False))
    t.done("post", "/v1/quarantine/{id}/retry", "released", "a", was(1),
           lambda e: e == {"id": kept[1]["record_id"], "type": "t", "hash": kept[1]["hash"]}, id=1)
    a.stop()
    a.wipe()
    a.start()
    p.in_sync()
    t.done("delete", "/v1/quarantine/{id}", "released", "a", was(2), None, id=2)


def test_what_the_settings_change_is_theirs(site):
    a = site.local("a")
    conf = site.path / "centre.conf"
    conf.write_text(f"conflict = owner\nnode = a={a.url}\n")
    p = Person(site, options=["--config", str(conf)])
    (added,) = p.events("who=settings")
    assert added["kind"] == "node.added" and added["after"] == {"url": a.url, "title": "", "paused": False}

    def reload():
        seen = p.centre.log_text().count(" reloaded ")
        p.centre.process.send_signal(signal.SIGHUP)
        lab.wait_until("reloaded", lambda: p.centre.log_text().count(" reloaded ") > seen)

    reload()  # nothing is another
    conf.write_text(f"conflict = centre\nkeep-audit = 500\nnode = a={a.url}\nnode = b=http://127.0.0.1:9\n")
    reload()
    lab.wait_until("it is told", lambda: len(p.events("who=settings")) == 3)
    b, changed = p.events("who=settings")[1:]
    assert b["kind"] == "node.added" and b["node"] == "b" and b["address"] is None
    assert changed["kind"] == "reloaded" and changed["before"]["conflict"] == "owner" and changed["after"]["conflict"] == "centre"
    assert changed["before"]["keep-audit"] == "100000" and changed["after"]["keep-audit"] == "500"
    old, new = p.file.read_text(), secrets.token_hex(16)
    p.file.write_text(new)
    reload()
    p.headers = {"Authorization": "Bearer " + new}
    last = lab.wait_until("it is told", lambda: p.events("who=settings")[3:])[-1]
    assert (last["before"], last["after"]) == ({"secret": "one"}, {"secret": "another secret: every node needs its new token"})
    assert old not in json.dumps(p.events()) and new not in json.dumps(p.events())
    p.restarted()
    assert len(p.events("who=settings")) == 4  # nothing is another


def test_the_tool_shows_who_and_what_from_what_to_what(site):
    a = site.local("a")
    p = Person(site, a)
    p.call("patch", "/v1/nodes/a", {"title": EVIL}, status=200)
    p.tool("node", "set", "a", "--title", "far")
    p.tool("node", "pause", "a")
    out = p.tool("events", "--audit").stdout
    lines = out.splitlines()
    assert len(lines) == 4 and not set("\x1b\x9b").intersection(out), out
    assert "settings" in lines[0] and f'url: - → "{a.url}"' in lines[0]
    assert p.who in lines[2] and '→ "far"' in lines[2] and "onerror" in lines[2]
    assert "paused: false → true" in lines[3]
    assert p.tool("events", "--who", p.who).stdout.count("\n") == 3
    assert p.tool("events", "--audit", "--who", "root").stdout == ""
    listed = json.loads(p.tool("--json", "events", "--audit", "--node", "a").stdout)["events"]
    assert [e["who"] for e in listed] == ["settings", p.who, p.who, p.who] and listed[1]["after"] == {"title": EVIL}
    assert f"({p.who})" in p.tool("events").stdout
