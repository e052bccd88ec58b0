"""Ends of different ages: versions of the protocol, and databases made by older or newer programs."""
import contextlib
import datetime
import json
import sqlite3
import subprocess
import sys

import lab
import pytest
import released
from protocol1 import Centre, Local, bucket


@pytest.fixture
def old_local():
    made = []

    def make(*args, **kw):
        made.append(Local(*args, **kw))
        return made[-1]

    yield make
    for l in made:
        l.close()


def equal(local, centre):
    """Record for record: what the double holds, as text."""
    theirs = {r["id"]: r["hash"] for r in centre.records(local.name).values()}
    assert theirs == {r["id"]: r["hash"] for r in local.rows.values()}
    return len(theirs)


def test_a_local_of_protocol_1_stays_in_step_with_this_centre(site, old_local):
    """Members it does not know are ignored; wiped and rewound it is repaired."""
    a = old_local("a")
    for i in range(30):
        a.write(f"r{i}", '{"v":%d.50, "text":"é"}' % i)
    centre = site.centre(a)
    centre.in_sync("a")
    assert equal(a, centre) == 30
    assert b'{"v":7.50, "text":"\xc3\xa9"}' in centre.get("/v1/records/a/r7").body
    assert lab.call(centre.url + "/v1/records/a/r7", "PUT", '{"type":"t","body":{"v":1e3}}').status == 200
    assert lab.call(centre.url + "/v1/records/a/new", "PUT", '{"type":"t","body":[1.0]}').status == 201
    assert lab.call(centre.url + "/v1/records/a/r8", "DELETE").status == 200
    centre.in_sync("a")
    assert a.rows["r7"]["body"] == '{"v":1e3}' and a.rows["new"]["body"] == "[1.0]" and a.rows["r8"]["deleted"]
    a.write("r7", '"site again"')
    centre.in_sync("a")
    assert equal(a, centre) == 31

    backup = a.snapshot()
    a.write("lost", "1")
    centre.in_sync("a")
    a.restore(backup)
    for i in range(5):
        a.write(f"after{i}", "2")
    centre.in_sync("a")
    assert centre.events("a", "REWOUND") and "/v1/epoch" in a.asked and a.rows["lost"]["body"] == "1"
    assert equal(a, centre) == 37
    a.reset()
    a.write("meanwhile", "3")
    centre.in_sync("a")
    assert centre.events("a", "WIPED")
    assert equal(a, centre) == 38
    assert centre.conflicts() == []


@pytest.mark.parametrize("compares", [True, False])
def test_a_local_of_protocol_1_is_compared_or_else_read_again(site, old_local, compares):
    a = old_local("a")
    a.compares = compares
    for i in range(300):
        a.write(f"r{i}", str(i))
    centre = site.centre(a)
    centre.in_sync("a")
    kept = a.snapshot()
    a.write("lost", "1")
    centre.in_sync("a")
    a.restore(kept)
    a.write("other", "2")
    a.asked.clear()
    centre.in_sync("a")
    assert centre.events("a", "REWOUND") and a.rows["lost"]["body"] == "1"
    assert "/v1/digest" in a.asked and ("/v1/fetch" in a.asked) == compares
    compared = centre.events("a", "compared")
    assert compares or "404 not_found" in compared[-1]["text"]
    assert equal(a, centre) == 302


@pytest.mark.parametrize("offers", ["1", "1-4", None])
def test_a_centre_of_protocol_1_is_served_by_this_local(site, offers):
    """Also one that speaks later versions too; what it says beyond them is ignored."""
    a = site.local("a")
    a.write(*({"id": f"r{i}", "body": i} for i in range(10)))
    centre = Centre(a.url, offers)
    centre.meet()
    centre.pull()
    assert len(centre.records) == 10
    assert centre.edit("r3", '{"from" : "the centre"}')["result"] == "applied"
    assert b'{"from" : "the centre"}' in a.get("/v1/records/r3").body
    a.write({"id": "r3", "body": "site"}, {"id": "r4", "body": "site"})
    answer = centre.edit("r4", "1")
    assert answer["result"] == "conflict" and answer["record"]["body"] == "site"
    centre.pull()
    assert centre.records["r3"]["body"] == '"site"'
    a.write({"id": "late", "body": 1})
    del centre.records["r7"]
    assert centre.compare() == sorted({bucket("late", 4), bucket("r7", 4)})
    assert {"late", "r7"} <= centre.records.keys()
    centre.pull()
    assert centre.compare() == []


def test_a_local_of_a_later_protocol_is_incompatible_until_the_centre_or_it_is_changed(site, old_local):
    a = old_local("a", speaks=(2, 3), version="0.9.1")
    a.write("x", "1")
    centre = site.centre(a)
    lab.wait_until("incompatible", lambda: centre.node("a")["state"] == "incompatible")
    version = centre.get("/v1/status").json["version"]
    words = (f"the local (0.9.1) speaks protocol 2 to 3, the centre ({version}) speaks protocol 1: "
             "upgrade the centre to a version that speaks protocol 2")
    assert words in centre.node("a")["reason"]
    assert [e["text"] for e in centre.events("a", "node.state") if words in e["text"]]
    assert words in centre.tool("node", "a").stdout
    check = centre.tool("status", "--check", check=False)
    assert check.returncode == 2 and "incompatible" in check.stdout
    assert centre.tool("pull", "a", "--timeout", "1s", check=False).returncode == 5
    assert centre.node("a")["polls"]["history"][-1]["result"] == "incompatible"

    def backs_off():
        at = centre.node("a")["next_attempt_at"]
        return at and datetime.datetime.fromisoformat(at.replace("Z", "+00:00")) - datetime.datetime.now(
            datetime.timezone.utc) > datetime.timedelta(seconds=1.5)

    lab.wait_until("the attempts become rarer", backs_off)
    a.speaks = (1, 3)
    lab.wait_until("it heals by itself", lambda: centre.node("a")["state"] == "in_sync", 60)
    assert equal(a, centre) == 1


def test_a_local_of_an_earlier_protocol_is_told_to_be_upgraded(site, old_local):
    a = old_local("a", speaks=(0, 0))
    centre = site.centre(a)
    lab.wait_until("incompatible", lambda: centre.node("a")["state"] == "incompatible")
    assert "upgrade the local to a version that speaks protocol 1" in centre.node("a")["reason"]
    a.speaks, a.answers = (0, 1), 7
    lab.wait_until("it answers in what it was not offered", lambda: "answers in protocol 7" in centre.node("a")["reason"], 60)
    a.answers = None
    assert centre.tool("pull", "a").returncode == 0


@pytest.mark.parametrize("offers,words", [
    ("2-3", "the centre speaks protocol 2 to 3: upgrade the local to a version that speaks protocol 2"),
    ("0", "the centre speaks protocol 0: upgrade the centre to a version that speaks protocol 1")])
def test_this_local_refuses_a_centre_without_a_common_version_in_words(site, offers, words):
    a = site.local("a")
    a.write({"id": "x", "body": 1})
    before = a.status()["epoch"]
    centre = Centre(a.url, offers)
    centre.epoch = before
    query = centre.query()
    rename = {"centre": centre.id, "request": centre.request, "protocol": offers, "from": before, "to": "e" * 32,
              "witness": "9." + "1" * 32}
    for r in (a.get("/v1/changes" + query), a.post("/v1/apply" + query, b""), a.post("/v1/epoch", rename)):
        assert r.status == 400 and r.code == "incompatible" and words in r.json["detail"], r.body
        assert (r.json["min"], r.json["max"], r.json["version"]) == (1, 1, a.status()["version"])
    assert a.status()["epoch"] == before
    for wrong in ("one", "", "2-1", "1-"):
        centre.offers = wrong
        r = a.get("/v1/changes" + centre.query())
        assert r.status == 400 and r.code == "bad_request", (wrong, r.body)
    assert a.post("/v1/epoch", json.dumps({**rename, "protocol": 1})).code == "bad_request"


# --- databases ---


@pytest.mark.parametrize("which", released.kept())
def test_the_databases_of_a_released_version_are_taken_over_and_go_on(site, which, databases):
    kept = released.FIXTURES / which
    expected = json.loads((kept / "expected.json").read_text())
    released.restore(kept / "local.sql", site.path / "a.db")
    store = databases() if kept.name == "postgresql" else lab.File(site.path / "centre.db")
    if kept.name == "postgresql":
        released.restore_postgres(kept / "centre.sql", store.url)
    else:
        released.restore(kept / "centre.sql", store.path)
    a = site.local("a")
    centre = site.centre(a, store=store)
    assert centre.get("/v1/status").json["store"]["kind"] == kept.name
    found = released.everything(a, centre)
    for what, value in expected.items():
        assert released.holds(found[what], value), (what, found[what])
    centre.in_sync("a")
    a.write({"id": "r1", "body": "after the upgrade"}, {"id": "new", "body": 1})
    assert lab.call(centre.url + "/v1/records/a/r6", "PUT", '{"type":"t","body":"edited after it"}').status == 200
    lost = expected["conflicts"][0]
    assert centre.tool("conflict", "promote", str(lost["id"])).returncode == 0
    centre.in_sync("a")
    assert a.get(f"/v1/records/{lost['record_id']}").json["body"] == lost["record"]["body"]
    assert lab.same_records(a, centre) == len(expected["local"]) + 1
    for kind in ("WIPED", "REWOUND", "CLONED", "DIVERGED", "CENTRE_REWOUND", "conflict"):
        assert centre.events("a", kind)[len([e for e in expected["events"] if e["kind"] == kind]):] == [], kind
    # and once more, now that they are of this version
    a.stop()
    centre.stop()
    a.start()
    centre.start()
    centre.in_sync("a")


def test_this_version_has_its_databases_kept(site):
    """Made at its release by tests/fixtures/make, so that the next one is tested against them."""
    version = released.version_of("tidemark-local")
    assert {f"{version}/sqlite", f"{version}/postgresql"} <= set(released.kept())


def bump_schema(db, dies):
    """Another process makes the file a newer program's; it dies before that is in the file itself, or ends well."""
    code = """
import os, sqlite3, sys
c = sqlite3.connect(sys.argv[1])
c.execute("PRAGMA user_version=99")
c.execute("CREATE TABLE of_the_future (x)")
c.commit()
os._exit(0) if sys.argv[2] == "dies" else c.close()
"""
    subprocess.run([sys.executable, "-c", code, str(db), "dies" if dies else "ends"], check=True, timeout=20)


@pytest.mark.parametrize("dies", [False, True])
def test_a_newer_schema_is_refused_and_not_touched(site, dies):
    a = site.local("a")
    centre = site.centre(a)
    a.write({"id": "x", "body": 1})
    centre.in_sync("a")
    for p, db in ((a, a.db), (centre, centre.store.path)):
        p.stop()
        with contextlib.closing(sqlite3.connect(db)) as c:
            (known,) = c.execute("PRAGMA user_version").fetchone()
        bump_schema(db, dies)
        wal = db.with_name(db.name + "-wal")
        assert dies == (wal.exists() and wal.stat().st_size > 0)
        before = {f: f.read_bytes() for f in (db, wal) if f.exists()}
        r = subprocess.run(p.argv(), capture_output=True, text=True, timeout=20)
        assert r.returncode == 6, r
        assert (f"{db.name} was written by a newer version of this program: its schema is 99, this one knows up to {known}; "
                "start the newer one, or put back a copy from before the upgrade") in r.stderr
        assert {f: f.read_bytes() for f in (db, wal) if f.exists()} == before
        assert {f.name for f in site.path.glob(db.name + "*")} <= {db.name + s for s in ("", "-wal", "-shm", ".lock")}


def test_a_newer_schema_in_postgresql_is_refused_and_not_touched(site, databases):
    store = databases()
    centre = site.centre(store=store)
    centre.stop()
    (known,) = store.sql("SELECT max(version) FROM tidemark_store.schema_version")
    store.sql("INSERT INTO tidemark_store.schema_version (version) VALUES (99)")
    before = released.dump_postgres(store.url)
    r = subprocess.run(centre.argv(), capture_output=True, text=True, timeout=20)
    assert r.returncode == 6, r
    assert f"the store has schema 99 and this program knows up to {known}: use a newer tidemark-central" in r.stderr
    assert released.dump_postgres(store.url) == before
