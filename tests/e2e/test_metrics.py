"""What both programs tell Prometheus: well made in every state, and true; and the alerts that come with it."""
import re

import pytest
import yaml

import crowd
import lab
import prometheus
from prometheus import promtool, sample, samples
from protocol1 import Local as OldLocal

# Of the centre, with what its labels are, as users rely on them.
OF_THE_CENTRE = {
    "tidemark_build_info": {"version"}, "tidemark_nodes": {"state"}, "tidemark_node_up": {"node"}, "tidemark_node_state": {"node", "state"},
    "tidemark_polls_total": {"node", "result"}, "tidemark_records_pulled_total": {"node"}, "tidemark_records_pushed_total": {"node"},
    "tidemark_backlog_records": {"node", "direction"}, "tidemark_lag_seconds": {"node"}, "tidemark_proof_age_seconds": {"node"},
    "tidemark_clock_offset_seconds": {"node"}, "tidemark_answer_bytes_total": {"as"}, "tidemark_sent_bytes_total": {"as"},
    "tidemark_apply_seconds_bucket": {"le"}, "tidemark_apply_seconds_sum": set(),
    "tidemark_apply_seconds_count": set(), "tidemark_conflicts": set(), "tidemark_quarantined": set(), "tidemark_store_up": set(),
    "tidemark_node_quarantined": {"node"},
}
STATES = {"in_sync", "catching_up", "reconciling", "offline", "paused", "never_seen", "diverged", "identity_conflict", "incompatible"}


def labels_of(found):
    return {name: {k for k, _ in labels} for name, labels in found}


def test_without_a_node_the_families_are_there_and_empty(site):
    found = samples(site.centre())
    assert {s: found["tidemark_nodes", (("state", s),)] for s in STATES} == dict.fromkeys(STATES, 0)
    assert not [name for name, labels in found if "node" in dict(labels)]
    assert found["tidemark_conflicts", ()] == found["tidemark_quarantined", ()] == 0 and found["tidemark_store_up", ()] == 1


@pytest.fixture
def everywhere(site):
    """A centre with a node in each state that lasts, by name; odd names, odder titles."""
    names = ["in-sync", "offline", "paused", "diverged", "twice", "0.odd__name--.x" + "-" * 47]
    nodes = {n: site.local(n) for n in names}
    newer = OldLocal("newer", speaks=(2, 3))
    nobody = crowd.Refusing(1)
    nobody.nodes[0].name = "nobody"
    centre = site.centre(*nodes.values(), newer, nobody.nodes[0])
    centre.in_sync(*names)
    odd = names[-1]
    title = {"title": 'a "title" with \\ and é'}
    assert lab.call(f"{centre.url}/v1/nodes/{odd}", "PATCH", lab.json.dumps(title)).status == 200
    centre.stop()
    centre.store.sql("UPDATE nodes SET halt = 2 WHERE name = 'diverged'")
    centre.store.sql("UPDATE nodes SET halt = 1 WHERE name = 'twice'")
    centre.start()
    centre.tool("node", "pause", "paused")
    lab.wait_until("it is in step before it goes", lambda: centre.node("offline")["state"] == "in_sync")
    nodes["offline"].kill()
    yield centre, nodes
    newer.close()
    nobody.close()


def test_each_state_is_told_and_what_is_not_known_is_left_out(everywhere):
    centre, nodes = everywhere
    odd = list(nodes)[-1]
    want = {"in-sync": "in_sync", odd: "in_sync", "offline": "offline", "paused": "paused", "diverged": "diverged",
            "twice": "identity_conflict", "newer": "incompatible", "nobody": "never_seen"}
    lab.wait_until("each is where it belongs", lambda: {n["name"]: n["state"] for n in centre.nodes()} == want)
    found = samples(centre)
    told = {dict(labels)["node"]: dict(labels)["state"] for name, labels in found if name == "tidemark_node_state"}
    assert told == want
    for s in STATES:
        assert found["tidemark_nodes", (("state", s),)] == list(want.values()).count(s), s

    def of(name):
        return {dict(labels)["node"]: v for (n, labels), v in found.items() if n == name}

    assert of("tidemark_node_up") == {n: float(s == "in_sync") for n, s in want.items()} | {"paused": of("tidemark_node_up")["paused"]}
    assert set(of("tidemark_proof_age_seconds")) >= {"in-sync", odd} and "nobody" not in of("tidemark_proof_age_seconds")
    assert set(of("tidemark_lag_seconds")) & set(want) <= {"in-sync", odd, "paused"} and of("tidemark_lag_seconds")["in-sync"] == 0
    assert set(of("tidemark_clock_offset_seconds")) >= {"in-sync", odd, "offline"} and "nobody" not in of("tidemark_clock_offset_seconds")
    have = labels_of(found)
    assert {n: have.get(n) for n in OF_THE_CENTRE} == OF_THE_CENTRE


def test_what_waits_for_a_node_that_was_never_heard_is_counted(site):
    nobody = crowd.Refusing(2)
    one, other = nobody.nodes
    centre = site.centre(one, other)

    def waits(node):
        return sample(centre, "tidemark_backlog_records", node=node.name, direction="push")

    assert waits(one) == waits(other) == 0
    assert centre.post("/v1/records", [{"owner": one.name, "type": "t", "id": f"r{i}", "body": i} for i in range(3)]).status == 201
    assert (waits(one), waits(other)) == (3, 0)
    lab.wait_until("it is asked", lambda: centre.node(one.name)["polls"]["failed"] > 0)
    assert waits(one) == 3
    centre.stop()
    centre.start()
    assert (waits(one), waits(other)) == (3, 0)
    nobody.close()


def test_the_counters_count_what_happened(site):
    a = site.local("a")
    centre = site.centre(a)
    centre.in_sync("a")
    a.write(*({"id": f"r{i}", "body": i} for i in range(7)))
    centre.in_sync("a")
    assert centre.post("/v1/records", [{"owner": "a", "type": "t", "id": f"c{i}", "body": i} for i in range(3)]).status == 201
    centre.in_sync("a")
    lab.wait_until("both ways are done", lambda: sample(centre, "tidemark_records_pushed_total", node="a") == 3)
    assert sample(centre, "tidemark_records_pulled_total", node="a") == 7
    assert sample(centre, "tidemark_backlog_records", node="a", direction="pull") == 0
    assert sample(centre, "tidemark_backlog_records", node="a", direction="push") == 0
    # What waits while it is down, and why it fails, by name.
    a.kill()
    lab.wait_until("it is missed", lambda: sample(centre, "tidemark_node_up", node="a") == 0)
    centre.post("/v1/records", [{"owner": "a", "type": "t", "id": f"later{i}", "body": i} for i in range(2)])
    assert sample(centre, "tidemark_backlog_records", node="a", direction="push") == 2
    assert sample(centre, "tidemark_backlog_records", node="a", direction="pull") is None  # nobody knows
    lab.wait_until("it is told how", lambda: sample(centre, "tidemark_polls_total", node="a", result="refused"))
    # The same that the API tells.
    centre.tool("node", "pause", "a")
    polls, found = centre.node("a")["polls"], samples(centre)
    results = {dict(l)["result"]: v for (n, l), v in found.items() if n == "tidemark_polls_total"}
    good = results["ok"] + results.get("epoch", 0)  # "I am another database" is an answer, too
    assert good == polls["ok"], (results, polls)
    assert sum(results.values()) - good - results.get("cancelled", 0) - results.get("stale", 0) == polls["failed"], (results, polls)
    # A histogram adds up.
    buckets = [v for (n, l), v in found.items() if n == "tidemark_apply_seconds_bucket"]
    assert buckets == sorted(buckets) and buckets[-1] == found["tidemark_apply_seconds_count", ()] > 0
    assert 0 < found["tidemark_apply_seconds_sum", ()] < 60


def test_a_conflict_is_counted(site):
    a = site.local("a")
    centre = site.centre(a)
    a.write({"id": "x", "body": "first"})
    centre.in_sync("a")
    centre.tool("node", "pause", "a")
    a.write({"id": "x", "body": "site"})
    assert lab.call(centre.url + "/v1/records/a/x", "PUT", '{"type":"t","body":"centre"}').status == 200
    centre.tool("node", "resume", "a")
    lab.wait_until("it is found", lambda: centre.conflicts())
    assert sample(centre, "tidemark_conflicts") == len(centre.conflicts()) == 1


def test_a_local_tells_what_it_alone_knows(site):
    a = site.local("a")
    a.write(*({"id": f"r{i}", "body": i} for i in range(5)))
    assert sample(a, "tidemark_unacknowledged_records") == 5 and sample(a, "tidemark_unacknowledged_oldest_seconds") > 0
    assert sample(a, "tidemark_database_up") == sample(a, "tidemark_disk_ok") == 1 and sample(a, "tidemark_disk_free_bytes") > 0
    centre = site.centre(a)
    centre.in_sync("a")
    lab.wait_until("it knows", lambda: sample(a, "tidemark_unacknowledged_records") == 0)
    assert sample(a, "tidemark_unacknowledged_oldest_seconds") == 0
    assert sample(a, "tidemark_records") == sample(a, "tidemark_head_seq") == 5


def test_a_damaged_database_is_told_by_a_local_that_goes_on(site):
    a = site.local("a")
    a.write({"id": "x", "body": "good"})
    a.stop()
    lab.sql(a.db, "UPDATE records SET body = replace(body, 'good', 'gone')")
    a.start()
    centre = site.centre(a)
    assert sample(a, "tidemark_database_up") == 1  # nobody has looked yet
    lab.wait_until("its line is found wrong", lambda: centre.get("/v1/quarantine").json["quarantine"])
    assert centre.tool("verify", "a", check=False).returncode == 4
    lab.wait_until("the local knows", lambda: sample(a, "tidemark_database_up") == 0)


def of_nodes(server):
    """Alerts that name a node, but for what this machine's own clock brings."""
    return {k for k in server.alerts() if k[1] and k[0] != "TidemarkClockUnsynchronised"}


def test_prometheus_scrapes_both_and_the_alerts_see_what_is_wrong(site):
    a, b = site.local("a"), site.local("b")
    centre = site.centre(a, b)
    centre.in_sync("a", "b")
    server = site.adopt(prometheus.Prometheus(site.path, centre, [a, b]))
    up = [("tidemark-central", "up"), ("tidemark-local", "up"), ("tidemark-local", "up")]
    lab.wait_until("all are scraped", lambda: sorted(server.targets()) == up)
    lab.wait_until("two are in step", lambda: server.query('tidemark_nodes{state="in_sync"} == 2'))
    assert server.query("sum(tidemark_nodes)") == {(): 2}
    assert not of_nodes(server), server.alerts()
    b.kill()
    lab.wait_until("it is offline", lambda: ("TidemarkNodeOffline", "b") in server.alerts())
    assert "`tidemark why b`" in server.alerts()["TidemarkNodeOffline", "b"]
    (of,) = server.query("tidemark_node_up == 0")
    assert dict(of)["node"] == "b"
    lab.wait_until("its own target is down", lambda: ("tidemark-local", "down") in server.targets())
    lab.wait_until("and said to be", lambda: {k for k in server.alerts() if k[0] == "TidemarkLocalDown"})
    assert not [s for s in server.alerts().values() if "<" in s], server.alerts()  # <no value>, <error …>
    b.start()
    lab.wait_until("it is over", lambda: not of_nodes(server))
    centre.stop()
    lab.wait_until("the centre is missed", lambda: ("TidemarkCentreDown", None) in server.alerts())
    prometheus.end(server)


def test_the_rules_are_right_and_each_has_a_test_that_it_fires_and_that_it_does_not():
    promtool("check", "rules", "tidemark.rules.yml")
    promtool("check", "config", "scrape.yml")
    promtool("test", "rules", "tidemark.rules.test.yml")
    tests = yaml.safe_load((prometheus.RULES / "tidemark.rules.test.yml").read_text())["tests"]
    fires = {t["name"]: [bool(x.get("exp_samples")) for x in t["promql_expr_test"]] for t in tests}
    for rule in prometheus.rules():
        checks = [c for t in tests if t["name"] == rule["alert"] for c in [bool(x.get("exp_samples")) for x in t["promql_expr_test"]]]
        assert True in checks, rule["alert"]
        quiet = [s for t in tests if t["name"] == rule["alert"] for s in t["input_series"] if "bad" not in s["series"]]
        assert False in checks or quiet, rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket") and rule["annotations"]["summary"].endswith((".", "?")), rule["alert"]
    assert set(fires) == {r["alert"] for r in prometheus.rules()}


def test_the_rules_name_metrics_that_are_there(site):
    a = site.local("a")
    centre = site.centre(a)
    centre.in_sync("a")
    text = "".join(p.get("/metrics").body.decode() for p in (centre, a))
    there = set(re.findall(r"^# TYPE (\w+)", text, re.M))
    named = {n for r in prometheus.rules() for n in re.findall(r"\btidemark_\w+", r["expr"])}
    assert named <= there and len(named) > 12, named - there


def test_a_thousand_nodes_are_told_in_time(site):
    members = crowd.Crowd(1000)
    centre = site.centre(*members.nodes, options=["--poll-interval", "5s"])
    lab.wait_until("all are in step", lambda: sample(centre, "tidemark_nodes", state="in_sync") == 1000, 60)
    begun = lab.time.monotonic()
    size = len(centre.get("/metrics").body)
    took_ms = (lab.time.monotonic() - begun) * 1000
    print(f"/metrics of 1,000 nodes: {size} bytes in {took_ms:.0f} ms")
    assert size < 4 << 20 and took_ms < 5000  # half a scrape's usual patience
    members.close()
