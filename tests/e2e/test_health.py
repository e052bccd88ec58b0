"""A node's health: what waits in which direction and for how long, how soon a node that fell is said to be down, and what is wrong
with one that is up all the same."""
import contextlib
import datetime
import re
import sqlite3
import time

import lab
import pytest
import test_disk
import wire


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def ailments(x):
    return {u["kind"]: u for u in x["unwell"] if u["kind"] != "clock_unsynchronised"}  # a machine without chronyd may run these tests


def until_ailing(centre, *kinds):
    return lab.wait_until(f"a has {kinds}", lambda: (n := centre.node("a")) and set(ailments(n)) == set(kinds) and n)


def metric(program, line):
    return line in program.get("/metrics").body.decode()


@pytest.mark.both_stores
def test_what_waits_is_what_was_written(site):
    """Both directions, at each step of a catching up: counted against what really was written there."""
    a = site.local("a")
    line = site.wire(a)
    step = wire.Stepper(line)
    begun = time.time()
    for i in range(12):
        a.write(*({"id": f"r{i * 1000 + k}", "body": k} for k in range(1000)))
    centre = site.centre(line)

    paces, left = [], None
    while left is None or left > 5000:  # the page that is asked for then is the last one
        held = step.next()
        n = centre.node("a")
        left = n["backlog"]["pull"] or None
        if n["cursor"]:
            assert n["backlog"]["pull"] == 12000 - n["cursor"] == 12000 - n["records"], n
        if n["backlog"]["pull"]:
            paces.append(n["backlog"]["pull_left_s"])
            assert n["rates"]["pull_s"] >= 0 and f"{n['backlog']['pull']} changes left to pull" in n["reason"]
            assert 0 < n["backlog"]["pull_oldest_s"] <= time.time() - begun + 0.1 and n["backlog"]["oldest_s"] == n["backlog"]["pull_oldest_s"]
            total = centre.get("/v1/status").json["backlog"]
            assert total["pull"] == n["backlog"]["pull"] and total["pull_left_s"] > 0
        held.decision.put(wire.passes())
    step.stop()
    centre.in_sync("a")
    assert paces and all(p is not None and p > 0 for p in paces), paces
    done = centre.node("a")["backlog"]
    assert done["pull"] == done["push"] == 0 and done["pull_left_s"] == done["push_left_s"] == 0 and done["oldest_s"] is None

    a.stop()
    lab.wait_until("it is offline", lambda: centre.node("a")["state"] == "offline")
    edited = time.time()
    for i in range(7):
        centre.tool("put", f"a/r{i}", "--type", "t", "-", input='"edited"')
    gone = centre.node("a")["backlog"]
    assert gone["pull"] is None and gone["pull_left_s"] is None and gone["pull_oldest_s"] is None  # not known, and not 0
    assert gone["push"] == 7 and gone["push_left_s"] is None  # nothing moves
    assert 0 <= gone["push_oldest_s"] <= time.time() - edited + 0.1, gone
    total = centre.get("/v1/status").json["backlog"]
    assert total["push"] == 7 and total["pull"] is None and total["oldest_s"] == pytest.approx(gone["push_oldest_s"], abs=2)
    a.start()
    centre.in_sync("a")
    assert centre.node("a")["backlog"]["push"] == 0 and lab.same_records(a, centre) == 12000


def test_a_fallen_node_is_offline_within_two_intervals_and_a_healed_one_in_step_within_one_of_its_next_attempt(site):
    interval = 1.0
    a, b = site.local("a"), site.local("b")
    centre = site.centre(a, b, options=["--poll-interval", "1s"])
    centre.in_sync()
    for _ in range(3):
        a.kill()
        fell = time.time()
        n = lab.wait_until("it is offline", lambda: (n := centre.node("a"))["state"] == "offline" and n)
        assert time.time() - fell < 2 * interval and seconds(n["since"]) - fell < 2 * interval, n
        assert n["reason"].startswith("the last exchange failed: ") and n["unblock"], n
        a.start()
        # An attempt may have been under way when it came back: only the next one counts.
        said = lab.wait_until("it says when it is asked", lambda: (n := centre.node("a")) and (n["state"] == "in_sync" or n["next_attempt_at"]) and n)
        due = seconds(said["next_attempt_at"]) if said["next_attempt_at"] else time.time()
        n = lab.wait_until("it is in step", lambda: (n := centre.node("a"))["state"] == "in_sync" and n)
        assert seconds(n["since"]) < due + interval, (said, n)
        assert centre.node("b")["state"] == "in_sync"


def test_a_history_of_the_last_60_polls_is_kept(site):
    a = site.local("a", options=["--generate", "100"])
    centre = site.centre(a)
    polls = lab.wait_until("60 polls", lambda: len(p := centre.node("a")["polls"]["history"]) == 60 and p)
    assert [p["at"] for p in polls] == sorted(p["at"] for p in polls)
    a.kill()
    polls = lab.wait_until("the last one failed", lambda: (p := centre.node("a")["polls"]["history"])[-1]["result"] == "refused" and p)
    assert len(polls) == 60 and all(p["ms"] >= 0 for p in polls) and sum(p["pulled"] for p in polls) > 0


def test_a_node_with_little_room_says_so_and_recovers(site):
    a = test_disk.small(site, test_disk.SmallLocal, "a", "a")
    centre = site.centre(a)
    centre.in_sync("a")
    assert not ailments(centre.node("a")) and centre.tool("status", "--check").returncode == 0
    assert not ailments(a.status())
    a.fill(leave=4 << 20)
    n = until_ailing(centre, "disk_low")
    assert n["state"] == "in_sync" and n["unblock"].startswith("make room where the tidemark-local of a keeps"), n
    low = ailments(n)["disk_low"]
    assert re.fullmatch(r"only \d{4} KiB are free where its database lies", low["text"]) and low["level"] == "warn"
    assert abs(seconds(low["since"]) - time.time()) < 10
    assert "disk_low" in ailments(a.status()) and metric(a, 'tidemark_unwell{kind="disk_low"} 1')
    assert centre.get("/v1/status").json["nodes_unwell"] == 1
    assert metric(centre, 'tidemark_node_unwell{node="a",kind="disk_low"} 1')
    r = centre.tool("status", "--check", check=False)
    assert r.returncode == 1 and "TIDEMARK WARNING - 1 of 1 nodes in sync; a: disk_low: only " in r.stdout, r.stdout
    assert "unwell: disk_low" in centre.tool("nodes").stdout and "are free where its database lies" in centre.tool("why", "a").stdout
    assert re.search(r"^unwell +disk_low since ", centre.tool("node", "a").stdout, re.M)
    (told,) = lab.wait_until("it is told", lambda: centre.events("a", "node.unwell"))
    assert told["level"] == "warn" and told["text"].startswith("disk_low: only "), told
    a.make_room()
    assert until_ailing(centre)["unblock"] is None
    lab.wait_until("that is told as well", lambda: [e["text"] for e in centre.events("a", "node.recovered") if "disk_low: it is over" in e["text"]])
    assert len(centre.events("a", "node.unwell")) == 1 and centre.get("/v1/status").json["nodes_unwell"] == 0
    assert centre.tool("status", "--check").returncode == 0 and not metric(centre, 'kind="disk_low"')


def test_a_node_whose_database_takes_no_writes_says_so_until_it_does(site):
    a = site.local("a")
    centre = site.centre(a)
    a.write({"id": "r", "body": 1})
    centre.in_sync("a")
    with contextlib.closing(sqlite3.connect(a.db, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # somebody holds it
        assert a.post("/v1/records", {"id": "no", "type": "t", "body": 1}).status == 503
        n = until_ailing(centre, "writes_fail")
        assert n["state"] == "in_sync" and "database is locked" in ailments(n)["writes_fail"]["text"], n
        assert n["unblock"].startswith("look at the disk"), n
        other.execute("ROLLBACK")
    head = a.status()["head_seq"]
    assert a.get("/readyz").status == 200  # it tries, though nobody writes
    assert not ailments(a.status()) and a.status()["head_seq"] == head
    until_ailing(centre)
    a.write({"id": "yes", "body": 1})
    centre.in_sync("a")


@pytest.mark.both_stores
def test_damage_that_verify_found_is_an_event_and_names_the_record(site):
    a = site.local("a")
    centre = site.centre(a)
    a.write(*({"id": f"r{i}", "body": f"good {i}"} for i in range(20)))
    centre.in_sync("a")
    a.stop()
    lab.sql(a.db, "UPDATE records SET body = '\"goof 7\"' WHERE id = 'r7'")
    a.start()
    centre.in_sync("a")
    assert not ailments(centre.node("a"))
    assert centre.tool("verify", "a", check=False).returncode == 4
    n = until_ailing(centre, "database_damaged")
    assert n["state"] == "in_sync" and "the bytes of 1 are damaged, one is r7: wipe its database" in n["reason"], n
    assert "then wipe its database" in n["unblock"]
    (told,) = lab.wait_until("it is told", lambda: centre.events("a", "node.unwell"))
    assert told["level"] == "error" and "one is r7" in told["text"]
    a.stop()
    a.wipe()
    a.start()
    centre.in_sync("a")
    assert centre.tool("verify", "a").returncode == 0
    until_ailing(centre)
    assert lab.same_records(a, centre) == 20


def test_a_record_that_the_node_cannot_hold_is_named_with_what_to_do(site):
    a = site.local("a")
    centre = site.centre(a)
    a.write(*({"id": f"r{i}", "body": i} for i in range(9)))
    centre.in_sync("a")
    centre.stop()
    centre.store.sql("UPDATE records SET h0 = h0 + 1 WHERE id = 'r4'")
    centre.start()
    centre.tool("verify", "a", check=False)
    n = until_ailing(centre, "records_rejected")
    assert n["state"] != "in_sync" and n["rejected"] == 1, n
    assert "one is r4: " in n["reason"] and "change or delete that one" in n["reason"], n
    assert "`tidemark put`" in n["unblock"] and "one is r4" in ailments(n)["records_rejected"]["text"]
    lab.wait_until("it is told", lambda: [e for e in centre.events("a", "node.unwell") if "records_rejected" in e["text"]])
    centre.tool("put", "a/r4", "--type", "t", "-", input='"good as new"')
    centre.in_sync("a")
    until_ailing(centre)
    assert lab.same_records(a, centre) == 9


def test_a_centre_with_little_room_says_so_of_itself(site):
    a = site.local("a")
    centre = test_disk.small(site, test_disk.SmallCentre, "centre", [a])
    centre.in_sync("a")
    assert not ailments(centre.get("/v1/status").json)
    centre.fill(leave=4 << 20)
    status = lab.wait_until("the centre says so", lambda: (s := centre.get("/v1/status").json) and ailments(s) and s)
    low = ailments(status)["disk_low"]
    assert re.fullmatch(r"only \d{4} KiB are free where the store lies", low["text"]) and status["store"]["ok"] is True
    r = centre.tool("status", "--check", check=False)
    assert r.returncode == 1 and "(centre): disk_low: only " in r.stdout and metric(centre, 'tidemark_unwell{kind="disk_low"} 1')
    assert lab.wait_until("it is told", lambda: [e for e in centre.events() if e["kind"] == "centre.unwell"])[0]["node"] is None
    centre.make_room()
    lab.wait_until("it is over", lambda: not ailments(centre.get("/v1/status").json))
    lab.wait_until("that is told", lambda: [e for e in centre.events() if e["kind"] == "centre.recovered"])


def test_records_in_quarantine_are_told_of_their_node(site):
    a = site.local("a")
    centre = site.centre(a)
    centre.stop()
    centre.store.refuse_poison(True)
    centre.start()
    a.write({"id": "q1", "body": "poison"})
    n = until_ailing(centre, "records_quarantined")
    assert n["quarantined"] == 1 and n["unblock"].startswith("`tidemark quarantine --node a`"), n
    assert centre.tool("status", "--check", check=False).returncode == 1
    a.write({"id": "q1", "body": "clean"})
    centre.in_sync("a")
    until_ailing(centre)
