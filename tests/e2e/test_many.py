"""Many nodes that come and go: those that are dead, silent or unknown to any name server slow down nobody else."""
import sqlite3
import threading
import time

import pytest

import crowd
import lab
import proc

GOOD, REFUSING, SILENT = 139, 40, 20
WINDOW_S = 6  # how long each of the two measurements takes
RATE = 100  # records a second, written among the good nodes
# The machine may be busy with something else: what counts is that nobody waits for a dead node's seconds.
RATIO, FLOOR_MS = 4, 150
_never = threading.Event()


@pytest.fixture
def ends(site):
    """Closes what it is given, last first."""
    todo = []

    def end(x):
        todo.append(x)
        return x

    yield end
    for x in reversed(todo):
        x.close()


class NamedCentre(lab.Centre):
    """With name servers of a test's own."""

    def __init__(self, names, *args, **kw):
        super().__init__(*args, **kw)
        self.names = names

    def argv(self):
        return self.names.wrap(super().argv())


def measure(members):
    members.mark()
    _never.wait(WINDOW_S)
    seen = members.mark()
    print({k: seen[k] for k in ("polls", "news", "turns")})
    assert seen["news"]["n"] > RATE * WINDOW_S / 2 and seen["polls"] > GOOD * WINDOW_S / 2
    return seen


def states(centre):
    return centre.get("/v1/status").json["nodes"]


def come_and_go(centre, members, dead_url):
    """Each way an operator changes nodes, while all the others go on."""
    paused, moved, removed, added = members.nodes
    assert centre.post("/v1/nodes", {"name": added.name, "url": added.url}).status == 201
    assert centre.post(f"/v1/nodes/{paused.name}/pause").status == 202
    assert lab.call(f"{centre.url}/v1/nodes/{moved.name}", "PATCH", f'{{"url":"{dead_url}"}}').status == 200
    assert lab.call(f"{centre.url}/v1/nodes/{removed.name}", "DELETE").status == 200
    lab.wait_until("what was added is in step", lambda: centre.node(added.name)["state"] == "in_sync")
    lab.wait_until("what moved is missed", lambda: centre.node(moved.name)["state"] == "offline")
    assert centre.node(paused.name)["state"] == "paused"
    assert centre.get(f"/v1/nodes/{removed.name}").status == 404
    assert centre.post(f"/v1/nodes/{paused.name}/resume").status == 202
    assert lab.call(f"{centre.url}/v1/nodes/{moved.name}", "PATCH", f'{{"url":"{moved.url}"}}').status == 200
    assert centre.post("/v1/nodes", {"name": removed.name, "url": removed.url}).status == 201
    for n in members.nodes:
        lab.wait_until(f"{n.name} is in step again", lambda: centre.node(n.name)["state"] == "in_sync")


@pytest.mark.alone
def test_dead_nodes_slow_nobody(site, ends):
    good, few = ends(crowd.Crowd(GOOD)), ends(crowd.Crowd(4, prefix="few"))
    refusing, silent = ends(crowd.Refusing(REFUSING + 1)), ends(crowd.Silent(SILENT))
    names = ends(crowd.SilentNames(site.path))
    dead_url = refusing.nodes.pop().url
    unnamed = crowd.Node("unnamed", "https://site-x.example.com:7101")
    centre = site.adopt(NamedCentre(names, site.path, [*good.nodes, *few.nodes[:3]], options=["--poll-interval", "1s"]))
    good.rate(RATE)
    lab.wait_until("all in step", lambda: states(centre)["in_sync"] == GOOD + 3)
    alone = measure(good)

    bad = [*refusing.nodes, *silent.nodes, unnamed]
    for n in bad:
        assert centre.post("/v1/nodes", {"name": n.name, "url": n.url}).status == 201
    changes = threading.Thread(target=come_and_go, args=(centre, few, dead_url))
    failed = []
    changes.run = guarded(changes.run, failed)
    changes.start()
    beside = measure(good)
    changes.join()
    assert not failed, failed
    for what in ("news", "turns"):
        most = max(RATIO * alone[what]["p99"], FLOOR_MS)
        assert beside[what]["p99"] <= most, (what, alone, beside)

    lab.wait_until("each of the bad was tried", lambda: all(centre.node(n.name)["polls"]["failed"] for n in bad), 30)
    for n, why in ((refusing.nodes[0], "refused"), (silent.nodes[0], "no answer"), (unnamed, "site-x.example.com")):
        seen = centre.node(n.name)
        assert seen["state"] == "never_seen" and why in seen["reason"], seen
    assert states(centre)["in_sync"] == GOOD + 4
    assert proc.threads(centre.process.pid) < 40  # none a node
    assert centre.stop(5) == 0  # while name servers, nodes and all are silent


def guarded(run, failed):
    def guard():
        try:
            run()
        except BaseException as e:
            failed.append(e)

    return guard


def test_a_store_that_is_held_up_bounds_what_waits_for_it(site, ends):
    """A hundred nodes with a megabyte and a half each, and somebody holds the store's lock."""
    nodes, records = 100, 1500
    members = ends(crowd.Crowd(nodes, body=1000, records=records))
    centre = site.centre(*members.nodes, options=["--poll-interval", "1s"])
    before = proc.resident_mib(centre.process.pid)
    holder = sqlite3.connect(centre.store.path, isolation_level=None, timeout=30)
    holder.execute("BEGIN IMMEDIATE")
    lab.wait_until("it is told", lambda: "store.failed" in centre.log_text(), 40)
    told = lab.wait_until("nodes say why", lambda: [n for n in centre.nodes() if "own store" in n["reason"]], 40)
    assert all(n["state"] == "catching_up" for n in told)
    assert not [n for n in centre.nodes() if n["state"] == "offline"]
    asked = time.monotonic()
    assert centre.get("/readyz").status == 503 and centre.get("/v1/status").json["store"]["ok"] is False
    assert time.monotonic() - asked < 2  # it is known, and not asked behind all who wait for the lock
    held = proc.resident_mib(centre.process.pid)
    holder.execute("ROLLBACK")
    lab.wait_until("all is here", lambda: members.mark()["held"] == nodes * records, 120)
    lab.wait_until("all in step", lambda: states(centre)["in_sync"] == nodes, 120)
    peak = proc.resident_mib(centre.process.pid, peak=True)
    print(f"resident: {before:.0f} MiB at first, {held:.0f} while held up, {peak:.0f} at most")
    assert peak < 110
    lab.wait_until("ready", lambda: centre.get("/readyz").status == 200)
    failed = centre.log_text().count("store.failed")
    assert failed <= 2 and centre.log_text().count("store.works") == failed  # once, and once more where the machine is slow
