"""Records that the centre cannot take, as people meet them: shown, counted, tried again, given up."""
import json

import lab


def flip(local, id):
    """One byte of a body changes on the disk; nothing that the database itself checks does."""
    local.stop()
    lab.sql(local.db, "UPDATE records SET body = replace(body, 'good', 'gone') WHERE id = ?", id)
    local.start()


def entries(centre, *args):
    return json.loads(centre.tool("--json", "quarantine", *args).stdout)["quarantine"]


def metric(centre, name):
    return float(next(line.split()[-1] for line in centre.get("/metrics").body.decode().splitlines() if line.startswith(name + " ")))


def test_a_damaged_record_holds_up_no_other_and_is_shown(site):
    a = site.local("a")
    centre = site.centre(a)
    centre.in_sync("a")
    centre.tool("node", "pause", "a")
    a.write({"id": "x", "body": "good"}, {"id": "y", "body": "good"})
    flip(a, "x")
    centre.tool("node", "resume", "a")
    centre.in_sync("a")
    assert centre.get("/v1/records/a/y").status == 200 and centre.get("/v1/records/a/x").status == 404
    (e,) = entries(centre)
    assert e["owner"] == "a" and e["record_id"] == "x" and e["held"] and "hash" in e["reason"] and '"gone"' in e["line"]
    assert entries(centre, "--node", "a") == [e] and entries(centre, "--node", "b") == []
    assert centre.node("a")["quarantined"] == 1 and centre.get("/v1/status").json["quarantined"] == 1
    assert metric(centre, "tidemark_quarantined") == 1
    lines = centre.tool("quarantine").stdout.splitlines()
    assert len(lines) == 2 and " a/x " in lines[1] and " yes " in lines[1] and e["reason"].split('"')[0] in lines[1]
    # `why` and `safe` tell of it; nothing of the node is lost
    r = centre.tool("why", "a")
    assert "1 of its records could not be applied" in r.stdout and "`tidemark quarantine --node a`" in r.stdout
    r = centre.tool("safe", "a")
    assert "In quarantine: 1, kept at the centre with every byte" in r.stdout
    # as long as it is what it is, nothing helps; and the node would bring it again
    r = centre.tool("quarantine", "retry", str(e["id"]), check=False)
    assert r.returncode == 1 and "still refused" in r.stderr
    assert entries(centre)[0]["attempts"] == 1 and entries(centre)[0]["tried_at"]
    r = centre.tool("quarantine", "drop", str(e["id"]), check=False)
    assert r.returncode == 1 and "still holds this version" in r.stderr
    # written anew where it was damaged, it is whole
    assert lab.call(a.url + "/v1/records/x", "PUT", '{"type":"t","body":"good"}').status == 200
    centre.in_sync("a")
    assert not entries(centre) and metric(centre, "tidemark_quarantined") == 0 and centre.node("a")["quarantined"] == 0
    assert lab.same_records(a, centre) == 2


def test_what_the_store_refused_is_taken_when_the_cause_is_gone(site):
    a = site.local("a")
    centre = site.centre(a, store=lab.File(site.path / "centre.db"))
    centre.in_sync("a")
    centre.stop()
    centre.store.refuse_poison(True)
    centre.start()
    a.write({"id": "x", "body": "poison"}, {"id": "y", "body": 1})
    centre.in_sync("a")
    (e,) = entries(centre)
    assert "no poison here" in e["reason"] and json.loads(e["line"])["body"] == "poison"
    centre.stop()
    centre.store.refuse_poison(False)
    centre.start()
    r = centre.tool("quarantine", "retry", str(e["id"]))
    assert "has been taken" in r.stdout
    centre.in_sync("a")
    assert not entries(centre) and centre.node("a")["quarantined"] == 0
    assert lab.same_records(a, centre) == 2
    assert [x["kind"] for x in centre.events("a") if x["kind"] in ("quarantined", "released")] == ["quarantined", "released"]


def test_what_only_quarantine_still_has_can_be_given_up_by_a_person(site):
    a = site.local("a")
    centre = site.centre(a)
    centre.in_sync("a")
    centre.tool("node", "pause", "a")
    a.write({"id": "x", "body": "good"})
    flip(a, "x")
    centre.tool("node", "resume", "a")
    centre.in_sync("a")
    (e,) = entries(centre)
    a.stop()
    a.wipe()
    a.start()
    centre.in_sync("a")
    (kept,) = entries(centre)  # a reimaged node does not take it away
    assert kept["id"] == e["id"] and not kept["held"] and kept["line"] == e["line"]
    assert "given up" in centre.tool("quarantine", "drop", str(e["id"])).stdout
    assert not entries(centre)
    for verb in ("retry", "drop"):
        r = centre.tool("quarantine", verb, str(e["id"]), check=False)
        assert r.returncode == 1 and "nothing in quarantine has the number" in r.stderr
    assert centre.tool("quarantine", "retry", check=False).returncode == 2
