"""Databases that are wiped, restored, written on, cloned: recognised, named, repaired, nothing lost."""
import json
import os

import pytest

import lab

pytestmark = pytest.mark.both_stores

RECORDS = int(os.environ.get("TIDEMARK_REFILL", "100000"))


def fill(local, n, batch=5000):
    for start in range(0, n, batch):
        lines = (json.dumps({"id": f"r{i}", "type": "reading", "body": {"n": i}}) for i in range(start, min(n, start + batch)))
        assert local.post("/v1/records", "\n".join(lines)).status == 201


def test_a_wiped_local_is_refilled_and_what_is_written_meanwhile_is_kept(site):
    l = site.local("a")
    fill(l, RECORDS)
    centre = site.centre(l)
    centre.in_sync("a", seconds=60)
    l.kill()
    l.wipe()
    l.start()
    for i in range(50):
        l.write({"id": f"meanwhile-{i}", "body": i})
    centre.in_sync("a", seconds=120)
    assert centre.events("a", "WIPED")
    assert l.status()["records"] == RECORDS + 50
    assert l.status()["digest"] == centre.node("a")["proof"]["digest"]
    assert l.get("/v1/records/r77").json["body"] == {"n": 77}
    assert l.get("/v1/records/meanwhile-49").json["body"] == 49
    assert centre.get("/v1/records/a/meanwhile-49").json["body"] == 49
    assert centre.conflicts() == []


def test_a_restored_local_that_wrote_past_the_cursor_loses_nothing(site):
    l = site.local("a")
    centre = site.centre(l)
    l.write(*({"id": f"old-{i}", "body": i} for i in range(20)))
    centre.in_sync("a")
    l.stop()
    l.copy_to(site.path / "backup")
    l.start()
    l.write({"id": "old-0", "body": "newer"}, *({"id": f"lost-{i}", "body": i} for i in range(10)))
    centre.in_sync("a")
    cursor = centre.node("a")["cursor"]
    l.stop()
    l.restore_from(site.path / "backup")
    l.start()
    # past the cursor, so that "lower than" would see nothing
    l.write(*({"id": f"after-{i}", "body": i} for i in range(40)))
    assert l.status()["head_seq"] > cursor
    centre.in_sync("a")
    assert centre.events("a", "REWOUND")
    assert l.get("/v1/records/old-0").json["body"] == "newer"
    for i in range(10):
        assert l.get(f"/v1/records/lost-{i}").json["body"] == i
    for i in range(40):
        assert centre.get(f"/v1/records/a/after-{i}").json["body"] == i
    assert lab.same_records(l, centre) == 70


def test_an_edit_after_a_restore_meets_the_newer_version_as_a_conflict(site):
    l = site.local("a")
    centre = site.centre(l)
    l.write({"id": "x", "body": "first"})
    centre.in_sync("a")
    l.stop()
    l.copy_to(site.path / "backup")
    l.start()
    l.write({"id": "x", "body": "second"})
    centre.in_sync("a")
    l.stop()
    l.restore_from(site.path / "backup")
    l.start()
    l.write({"id": "x", "body": "third, knowing only the first"})
    centre.in_sync("a")
    (c,) = centre.conflicts()
    bodies = {c["record"]["body"], centre.get("/v1/records/a/x").json["body"]}
    assert bodies == {"second", "third, knowing only the first"}
    assert lab.same_records(l, centre) == 1


def test_an_abandoned_epoch_that_comes_back_is_an_identity_conflict_until_somebody_decides(site):
    l = site.local("a")
    centre = site.centre(l)
    l.write({"id": "x", "body": 1})
    centre.in_sync("a")
    l.stop()
    l.copy_to(site.path / "clone")
    l.wipe()
    l.start()
    centre.in_sync("a")
    assert centre.events("a", "WIPED")
    l.stop()
    l.copy_to(site.path / "current")
    l.restore_from(site.path / "clone")
    l.start()
    l.write({"id": "y", "body": "written to the clone"})
    lab.wait_until("identity_conflict", lambda: centre.node("a")["state"] == "identity_conflict")
    assert centre.events("a", "CLONED")
    assert centre.get("/v1/records/a/y").status == 404
    centre.tool("node", "resume", "a")
    centre.in_sync("a")
    assert centre.get("/v1/records/a/y").status == 200
    assert lab.same_records(l, centre) == 2
    assert site.path


def test_a_centre_restored_from_a_backup_loses_nothing(site):
    l = site.local("a")
    centre = site.centre(l)
    l.write({"id": "x", "body": 1})
    centre.in_sync("a")
    centre.stop()
    backup = centre.store.backup()
    centre.start()
    assert lab.call(centre.url + "/v1/records/a/edited", "PUT", '{"type":"t","body":"at the centre"}').status == 201
    l.write({"id": "x", "body": 2}, {"id": "y", "body": 3})
    centre.in_sync("a")
    centre.stop()
    centre.store.restore(backup)
    centre.start()
    centre.in_sync("a")
    assert centre.get("/v1/records/a/edited").json["body"] == "at the centre"
    assert centre.get("/v1/records/a/x").json["body"] == 2
    assert lab.same_records(l, centre) == 3
