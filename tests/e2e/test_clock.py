"""A clock that is wrong, or is set while a program runs: measured, shown, and otherwise of no consequence.

The programs run under libfaketime, which shifts the wall clock they see and leaves the monotonic one alone.
"""
import datetime
import glob
import re

import pytest

import lab

AHEAD = 2_500_000


def faketime(**how):
    """The environment of a program with a clock of its own."""
    found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    assert found, "libfaketime is not installed: deploy/deps test"
    return {"LD_PRELOAD": found[0], "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_NO_CACHE": "1", **how}


def parse(time):
    return datetime.datetime.fromisoformat(time.replace("Z", "+00:00"))


def measured(centre, name, offset_us, within_us):
    """Waits until the node's offset is that, and is known as well as that."""
    def holds():
        clock = centre.node(name)["clock"]
        known = clock["offset_us"] is not None and clock["error_us"] <= within_us
        return known and abs(clock["offset_us"] - offset_us) <= within_us and clock
    return lab.wait_until(f"{name} is off by {offset_us} us", holds)


def metric(centre, name, node):
    found = re.search(rf'^{name}{{node="{node}"}} (\S+)$', centre.get("/metrics").body.decode(), re.M)
    return found and float(found[1])


def but_of_clocks(events):
    """Without those that say whose clock is off."""
    return [e for e in events if not (e["kind"] in ("node.unwell", "node.recovered") and e["text"].startswith("clock_"))]


def usual(centre, failed=None):
    """No event but of an ordinary life, nothing in conflict, no poll failed beyond those, by name."""
    events = but_of_clocks([e for e in centre.events() if not e["who"]])
    assert {e["kind"] for e in events} <= {"node.added", "node.state", "pulled", "pushed"}, events
    assert {e["kind"] for e in events if e["level"] != "info"} == set(), events
    assert centre.conflicts() == []
    for node in centre.nodes():
        assert node["state"] == "in_sync" and node["polls"]["failed"] == (failed or {}).get(node["name"], 0), node


@pytest.fixture
def skewed(site):
    """Local a with a clock 2.5 s ahead, b with the right one."""
    a = lab.Local(site.path, "a")
    a.environment = faketime(FAKETIME="+2.5s")
    site.adopt(a)
    return a, site.local("b")


def test_a_skewed_clock_is_measured_within_a_millisecond_and_shown(site, skewed):
    a, b = skewed
    centre = site.centre(a, b)
    for i in range(10):
        a.write({"id": f"r{i}", "body": i})
        b.write({"id": f"r{i}", "body": i})
        centre.in_sync()
        clock = centre.node("a")["clock"]
        assert abs(clock["offset_us"] - AHEAD) <= clock["error_us"], clock  # always
        assert clock["skewed"] is True, clock
    clock = measured(centre, "a", AHEAD, 1000)
    assert re.match(r"2\.(499|500) s ahead of the centre's clock, measured to within \d+ us; ", clock["reason"]), clock
    right = centre.node("b")["clock"]
    assert right["skewed"] is False and abs(right["offset_us"]) <= right["error_us"], right

    # The list, the tool, the metrics.
    assert {n["name"]: n["clock"]["skewed"] for n in centre.nodes()} == {"a": True, "b": False}
    rows = {line.split()[0]: line for line in centre.tool("nodes").stdout.splitlines()}
    assert re.search(r" 2\.(499|500) s ±\d+ us SKEWED  ", rows["a"]) and "SKEWED" not in rows["b"], rows
    shown = centre.tool("node", "a").stdout
    assert re.search(r"^clock +2\.(499|500) s ahead of the centre's clock", shown, re.M) and re.search("^clock skewed +yes$", shown, re.M)
    status = centre.tool("status", "--check", check=False)
    assert status.returncode == 1 and re.search(r"^~  a +clock_skewed since \S+: 2\.(499|500) s ahead", status.stdout, re.M), status.stdout
    assert abs(metric(centre, "tidemark_clock_offset_seconds", "a") - 2.5) <= 0.001
    assert 0 < metric(centre, "tidemark_clock_offset_error_seconds", "a") <= 0.001
    assert metric(centre, "tidemark_clock_skewed", "a") == 1 and metric(centre, "tidemark_clock_skewed", "b") == 0


def test_a_skewed_clock_changes_nothing_else(site, skewed):
    a, b = skewed
    centre = site.centre(a, b)
    for l in (a, b):
        l.write({"id": "x", "body": "first"}, {"id": "y", "body": "first"}, {"id": "z", "body": "gone"})
    centre.in_sync()
    for l in (a, b):
        # the centre edits what a clock that is ahead calls newer; the site deletes; both must stand
        assert lab.call(f"{centre.url}/v1/records/{l.name}/x", "PUT", '{"type":"t","body":"centre"}').status == 200
        l.write({"id": "y", "body": "second"})
        assert lab.call(l.url + "/v1/records/z", "DELETE").status == 200
        centre.in_sync()
        assert l.get("/v1/records/x").json["body"] == "centre"
        assert centre.get(f"/v1/records/{l.name}/y").json["body"] == "second"
        assert centre.get(f"/v1/records/{l.name}/z").status == 404
        assert lab.same_records(l, centre) == 3
    usual(centre)
    # One is as the other: the same events, as many.
    first, second = ([(e["kind"], e["level"]) for e in but_of_clocks(centre.events(node=l.name))] for l in (a, b))
    assert sorted(set(first)) == sorted(set(second))
    # Times are the writer's, for people.
    ahead = parse(a.get("/v1/records/y").json["updated_at"]) - datetime.datetime.now(datetime.timezone.utc)
    assert 0 < ahead.total_seconds() <= 2.5
    # Its clock put right, the local is like any other.
    assert a.stop() == 0
    a.environment = None
    a.start()
    centre.in_sync()
    clock = measured(centre, "a", 0, 1000)
    assert clock["skewed"] is False
    assert {e["kind"] for e in but_of_clocks(centre.events()) if not e["who"]} <= {"node.state", "pulled", "pushed"}
    assert [(e["kind"], e["level"]) for e in centre.events(node="a") if "clock_skewed" in e["text"]] == [
        ("node.unwell", "warn"), ("node.recovered", "info")]
    assert lab.same_records(a, centre) == 3


HOUR = 3600 * 10**6
JUMPS = [("+3652d", 3652 * 24 * HOUR), ("-1h", -HOUR), ("-3652d", -3652 * 24 * HOUR), ("+0", 0)]


@pytest.mark.parametrize("whose", ["the local's", "the centre's"])
def test_a_clock_that_is_set_while_it_runs_loses_and_reorders_nothing(site, whose):
    clock_file = site.path / "clock"

    def set_clock(to):
        new = clock_file.with_suffix(".new")
        new.write_text(to + "\n")
        new.replace(clock_file)

    set_clock("+0")
    env = faketime(FAKETIME_TIMESTAMP_FILE=str(clock_file))
    l = lab.Local(site.path, "a", options=["--generate", "50"])
    l.environment = env if whose == "the local's" else None
    site.adopt(l)
    centre = lab.Centre(site.path, [l])
    centre.environment = env if whose == "the centre's" else None
    site.adopt(centre)
    written, seen = [], 0
    centre.in_sync()
    for to, jump_us in JUMPS:
        set_clock(to)
        for i in range(5):
            written += l.write({"body": [to, i]}, {"id": "same", "body": [to, i]})  # one of them with an id of the clock's
        edit = f'{{"type":"t","body":"centre {to}"}}'
        assert lab.call(f"{centre.url}/v1/records/a/edited", "PUT", edit).status in (200, 201)
        centre.in_sync()
        clock = measured(centre, "a", jump_us if whose == "the local's" else -jump_us, 2000)
        assert clock["skewed"] is (jump_us != 0), clock
        assert l.get("/v1/records/edited").json["body"] == f"centre {to}"
        assert centre.get("/v1/records/a/same").json["body"] == [to, 4]
        # the generator goes on
        seen = lab.wait_until("it generates", lambda: (n := l.status()["generator"]["written"]) > seen and n)
        usual(centre)
    assert [w["seq"] for w in written] == sorted({w["seq"] for w in written})
    assert len({w["id"] for w in written}) == 4 * 5 + 1
    assert l.stop() == 0  # the generator rests
    l.options = []
    l.start()
    centre.in_sync()
    ours = l.records()
    assert {w["id"] for w in written} <= {id for _, id in ours}
    assert lab.same_records(l, centre) >= 22 + seen
    assert len([e for e in centre.events(node="a") if e["kind"] in ("WIPED", "REWOUND", "CLONED", "CENTRE_REWOUND", "DIVERGED", "conflict")]) == 0
