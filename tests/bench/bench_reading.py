"""What it costs to look at a centre with 10,000 nodes, with each store.

    reading   the first page of nodes, one node, the status, /metrics: while the centre polls them, and when all of them are dead, which
              had records and have not been heard since it started; and how long polls wait while somebody reads all the time
"""
import os
import pathlib
import statistics
import threading
import time

from ground import STARTS_S, Site, asked_ms, peak_mib
from bench_postgres import Server
import crowd
import lab
import pg

NODES = int(os.environ.get("BENCH_NODES") or 10000)
WINDOW_S = int(os.environ.get("BENCH_WINDOW") or 10)
RECORDS = 5  # of each node
ASKED = {  # name: (path, at most, in ms)
    "nodes": ("/v1/nodes", 20),
    "nodes by state": ("/v1/nodes?state={state}", 20),
    "nodes, 1,000 of them": ("/v1/nodes?limit=1000&history=0", None),
    "a node": ("/v1/nodes/n17", None),
    "status": ("/v1/status", None),
    "metrics": ("/metrics", 200),
}
STATE = {"polled": "in_sync", "dead": "offline"}
TIMES = 5


class Many(list):
    """Crowds, since a process may not open as many files; as one."""

    def __init__(self, n):
        super().__init__()
        while n > 0:
            self.append(crowd.Crowd(min(n, 5000), records=RECORDS, prefix="nopq"[len(self)]))
            n -= 5000

    @property
    def nodes(self):
        return [n for c in self for n in c.nodes]

    def mark(self):
        """The slowest of each."""
        seen = [c.mark() for c in self]
        return {"polls": sum(s["polls"] for s in seen), "p99": max(s["turns"]["p99"] for s in seen)}

    def close(self):
        for c in self:
            c.close()


def ask_all(centre, rounds, how):
    return {name: [statistics.median(asked_ms(centre, path.format(state=STATE[how]), TIMES)) for _ in range(rounds)] for name, (path, _) in ASKED.items()}


def delay(centre, members):
    """The polls' p99 alone, and beside those who read all the time."""
    members.mark()
    time.sleep(WINDOW_S)
    alone = members.mark()
    stop = threading.Event()

    def read(path):
        with lab.kept(centre.url) as get:
            while not stop.is_set():
                get("GET", path)

    readers = [threading.Thread(target=read, args=(p,)) for p in ("/v1/nodes", "/metrics")]
    for r in readers:
        r.start()
    time.sleep(WINDOW_S)
    beside = members.mark()
    stop.set()
    for r in readers:
        r.join()
    return alone, beside


def states(centre):
    return centre.get("/v1/status").json["nodes"]


def dead(centre):
    """All of them were tried."""
    return states(centre)["offline"] == NODES


def reading(site, table, store, database):
    members = Many(NODES)
    try:
        centre = site.centre(f"reading-{store}", members.nodes, ["--poll-interval", "10s"], store=database).spawn().listens(STARTS_S)
        lab.wait_until("all in step", lambda: states(centre)["in_sync"] == NODES, 180)
        tell(table, store, "polled", ask_all(centre, table.rounds, "polled"))
        pairs = [delay(centre, members) for _ in range(min(table.rounds, 2))]
        table.add(f"{store}: polls' p99", "ms", [a["p99"] for a, _ in pairs], "from an answer to the next request; nobody reads")
        table.add(f"{store}: beside readers", "ms", [b["p99"] for _, b in pairs], "the same while two read /v1/nodes and /metrics all the time")
        table.add(f"{store}: memory", "MiB", [peak_mib(centre)], "the centre's peak so far")
        centre.stop()
    finally:
        members.close()
    centre = site.centre(f"reading-{store}", [], ["--poll-interval", "10s"], store=database or centre.store).start()
    lab.wait_until("all dead", lambda: dead(centre), 180)
    tell(table, store, "dead", ask_all(centre, table.rounds, "dead"))
    centre.stop()


def tell(table, store, how, figures):
    for name, values in figures.items():
        table.add(f"{store}, {how}: {name}", "ms", values, f"of {NODES:,} nodes: GET {ASKED[name][0].format(state=STATE[how])}", at_most=ASKED[name][1])


BENCHES = ("reading",)


def run(_, directory, options, table):
    site = Site(pathlib.Path(directory) / "reading", 0)
    server = None
    try:
        reading(site, table, "sqlite", None)
        server = Server(site.path / "server", durable=True)
        reading(site, table, "postgres", pg.Database("reading", server.server))
    finally:
        site.kill()
        if server:
            server.remove()
