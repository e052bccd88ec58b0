"""The whole road once: generate, pull, prove; edit at the centre, push; delete; restart."""
import os
import signal

import pytest

import lab

both_stores = pytest.mark.both_stores


@both_stores
def test_three_generating_locals_are_pulled_and_proven(site):
    locals_ = [site.local(f"site-{i}", options=["--generate", "50"]) for i in (1, 2, 3)]
    centre = site.centre(*locals_)
    lab.wait_until("60 records at the centre", lambda: centre.get("/v1/status").json["records"] >= 60)
    centre.in_sync()
    for l in locals_:
        n = centre.node(l.name)
        assert n["state"] == "in_sync" and n["proof"]["equal"] is True
    status = centre.get("/v1/status").json
    assert status["nodes"]["total"] == 3 and status["store"] == {"kind": centre.store.kind, "ok": True}


@both_stores
def test_what_is_written_is_the_same_at_both_ends(site):
    l = site.local("a")
    centre = site.centre(l)
    l.write({"id": "x", "body": {"n": 1.10, "big": 12345678901234567890, "text": "é\n\u2028"}}, {"id": "y", "body": [1, 2]})
    l.post("/v1/records", b'{"id":"z","type":"t","body":{"a" : 1e400,\r\n "a":0.1000}}')
    centre.in_sync("a")
    assert lab.same_records(l, centre) == 3
    assert b'{"a" : 1e400,   "a":0.1000}' in centre.get("/v1/records/a/z").body


@both_stores
def test_an_edit_at_the_centre_is_pushed_and_a_deletion_too(site):
    l = site.local("a")
    centre = site.centre(l)
    l.write({"id": "x", "body": 1})
    centre.in_sync("a")
    r = lab.call(centre.url + "/v1/records/a/x", "PUT", '{"type":"price","body":{"v":2}}')
    assert r.status == 200
    r = lab.call(centre.url + "/v1/records/a/new", "PUT", '{"type":"price","body":3}')
    assert r.status == 201
    centre.in_sync("a")
    assert l.get("/v1/records/x").json["body"] == {"v": 2}
    assert l.get("/v1/records/new").json["body"] == 3
    assert lab.call(centre.url + "/v1/records/a/x", "DELETE").status == 200
    centre.in_sync("a")
    assert l.get("/v1/records/x").status == 404
    assert lab.call(l.url + "/v1/records/new", "DELETE").status == 200
    centre.in_sync("a")
    assert centre.get("/v1/records/a/new").status == 404
    assert lab.same_records(l, centre) == 2
    assert centre.conflicts() == []


@both_stores
def test_the_same_record_edited_at_both_ends_is_one_conflict_with_both_versions(site):
    l = site.local("a")
    centre = site.centre(l)
    l.write({"id": "x", "body": "base"})
    centre.in_sync("a")
    l.stop()
    assert lab.call(centre.url + "/v1/records/a/x", "PUT", '{"type":"t","body":"centre"}').status == 200
    centre.stop()
    l.start()
    l.write({"id": "x", "body": "local"})
    centre.start()
    centre.in_sync("a")
    assert l.get("/v1/records/x").json["body"] == "local"
    assert centre.get("/v1/records/a/x").json["body"] == "local"
    (c,) = centre.conflicts()
    assert c["record"]["body"] == "centre" and c["record"]["id"] == "x"
    assert lab.same_records(l, centre) == 1
    centre.tool("conflict", "promote", str(c["id"]))
    centre.in_sync("a")
    assert l.get("/v1/records/x").json["body"] == "centre"
    assert lab.same_records(l, centre) == 1


@both_stores
def test_both_ends_restart_and_go_on(site):
    l = site.local("a")
    centre = site.centre(l)
    l.write({"id": "1", "body": 1})
    centre.in_sync("a")
    assert l.stop() == 0 and centre.stop() == 0
    l.start()
    l.write({"id": "2", "body": 2}, {"id": "1", "body": 11})
    centre.start()
    centre.in_sync("a")
    assert lab.same_records(l, centre) == 2
    assert not centre.events(kind="WIPED") and not centre.events(kind="REWOUND")


def test_the_clock_offset_of_a_node_on_this_machine_lies_within_its_error(site):
    l = site.local("a", options=["--generate", "50"])
    centre = site.centre(l)
    for _ in range(20):
        centre.in_sync("a")
        clock = centre.node("a")["clock"]
        assert abs(clock["offset_us"]) <= clock["error_us"] and clock["rtt_us"] > 0, clock


def test_a_silent_node_is_offline_and_delays_nobody(site):
    a, b = site.local("a"), site.local("b", options=["--generate", "50"])
    centre = site.centre(a, b)
    centre.in_sync()
    os.kill(a.process.pid, signal.SIGSTOP)
    try:
        lab.wait_until("offline", lambda: centre.node("a")["state"] == "offline", 30)
        assert "no answer" in centre.node("a")["reason"]
        for _ in range(10):
            centre.in_sync("b", seconds=2)
        for i in range(5):
            centre.tool("put", f"a/edit{i}", "--type", "t", "-", input=str(i))
        assert centre.node("a")["backlog"]["push"] == 5
    finally:
        os.kill(a.process.pid, signal.SIGCONT)
    a.write({"id": "x", "body": 1})
    centre.in_sync()
    assert lab.same_records(a, centre) == 6
    assert not [e for e in centre.events("a") if e["kind"] in ("WIPED", "REWOUND") or e["level"] == "error"]
