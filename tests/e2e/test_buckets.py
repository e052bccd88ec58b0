"""Little difference costs little: one record among many, or a database that went back a little, is found by the digests of
buckets, and hardly more than it is read."""
import os
import sqlite3

import pytest

import lab
from counter import Counter
from test_recovery import fill

pytestmark = pytest.mark.both_stores

RECORDS = int(os.environ.get("TIDEMARK_BUCKET_RECORDS", "100000"))
BIT = 300 * RECORDS // 20  # bytes; all of the records are some twenty times as much


@pytest.fixture
def ends(site):
    local = site.local("a")
    fill(local, RECORDS)
    wire = Counter(local)
    centre = site.centre(wire)
    centre.in_sync("a", seconds=300)
    yield local, centre, wire
    wire.close()


def lose_at_local(local, rid):
    """From under the stopped local: neither its log nor its counters know."""
    local.stop()
    with sqlite3.connect(local.db) as db:
        assert db.execute("DELETE FROM records WHERE id = ?", (rid,)).rowcount == 1
    db.close()
    local.start()


def lose_at_centre(centre, rid):
    centre.stop()
    if centre.store.kind == "sqlite":
        with sqlite3.connect(centre.store.path) as db:
            assert db.execute("DELETE FROM records WHERE id = ?", (rid,)).rowcount == 1
        db.close()
    else:
        centre.store.sql(f"DELETE FROM tidemark_store.records WHERE id = '{rid}'")
    centre.start()


def repaired(centre, wire, do):
    """The calls from the one that found it on, until both ends are proven equal; and all bytes."""
    wire.reset()
    do()
    centre.in_sync("a", seconds=120)
    calls, count = wire.seen()
    begin = calls.index("/v1/digest")
    end = next(i for i, c in enumerate(calls) if i > begin and c == "/v1/changes")
    return calls[begin:end + 1], count


def test_one_record_that_an_end_lost_is_found_and_repaired_by_a_few_requests(ends):
    local, centre, wire = ends
    lose_at_centre(centre, "r78")
    centre.in_sync("a")
    assert centre.get("/v1/records/a/r78").status == 404
    calls, count = repaired(centre, wire, lambda: centre.tool("verify", "a"))
    assert calls == ["/v1/digest", "/v1/fetch", "/v1/changes"]
    assert count < BIT, count
    assert centre.get("/v1/records/a/r78").json["body"] == {"n": 78}

    lose_at_local(local, "r77")
    centre.in_sync("a")  # the counters do not tell
    assert local.get("/v1/records/r77").status == 404
    calls, count = repaired(centre, wire, lambda: centre.tool("verify", "a"))
    assert calls == ["/v1/digest", "/v1/fetch", "/v1/apply", "/v1/changes"]
    assert count < BIT, count
    assert local.get("/v1/records/r77").json["body"] == {"n": 77}
    assert not centre.events("a", "WIPED") and not centre.events("a", "DIVERGED")
    assert lab.same_records(local, centre) == RECORDS


def test_a_local_that_went_back_a_little_is_read_a_little(ends, site):
    local, centre, wire = ends
    local.stop()
    local.copy_to(site.path / "backup")
    local.start()
    local.write({"id": "r0", "type": "reading", "body": "newer"}, *({"id": f"lost-{i}", "body": i} for i in range(9)))
    centre.in_sync("a")
    assert lab.call(centre.url + "/v1/records/a/r1", "PUT", '{"type":"reading","body":"edited"}').status == 200
    centre.in_sync("a")

    def go_back():
        local.stop()
        local.restore_from(site.path / "backup")
        local.start()
        local.write(*({"id": f"after-{i}", "body": i} for i in range(20)))  # past the cursor

    calls, count = repaired(centre, wire, go_back)
    assert calls == ["/v1/digest", "/v1/fetch", "/v1/apply", "/v1/changes"]
    assert count < 2 * BIT, count
    assert centre.events("a", "REWOUND")
    (compared,) = [e for e in centre.events("a", "compared") if "differ" in e["text"]]
    assert "to be read" in compared["text"]
    assert local.get("/v1/records/r0").json["body"] == "newer"
    assert local.get("/v1/records/r1").json["body"] == "edited"
    assert centre.get("/v1/records/a/after-19").json["body"] == 19
    assert {c["why"] for c in centre.conflicts()} == {"superseded"}  # the old versions that came back are kept
    assert lab.same_records(local, centre) == RECORDS + 29


def test_a_wiped_local_is_refilled_as_a_whole(ends):
    local, centre, wire = ends
    wire.reset()
    local.stop()
    local.wipe()
    local.start()
    local.write({"id": "new", "body": 1})
    centre.in_sync("a", seconds=120)
    calls, _ = wire.seen()
    assert "/v1/fetch" not in calls and calls.count("/v1/digest") == 1
    assert centre.events("a", "WIPED")
    assert local.status()["records"] == RECORDS + 1
