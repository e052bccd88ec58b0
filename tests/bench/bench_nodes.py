"""Thousands of nodes: one process (tests/crowd) answers as all of them, to a centre and to Prometheus in turns.

    polled    5,000 nodes, each asked once a second, by the centre and by Prometheus (four samples a scrape, written to its TSDB)
    parked    5,000 nodes with nothing to say, requests parked for 25 seconds
    trickle   5,000 nodes, each with a new record a second, into PostgreSQL
    mixed     10,000 nodes at an interval of 10 s, 500 of them dead, 100 writing; against the same without the dead
"""
import json
import os
import signal
import subprocess
import time

from ground import STARTS_S, Site, cpu_s, resident_mib
from bench_postgres import Server
import crowd
import lab
import pg

NODES = int(os.environ.get("BENCH_NODES") or 5000)
WINDOW_S = int(os.environ.get("BENCH_WINDOW") or 20)


class Window:
    """What a program and the crowd did for a while."""

    def __init__(self, program, members):
        self.program, self.members = program, members
        members.mark()
        self.cpu, self.start = cpu_s(program), time.monotonic()

    def end(self):
        time.sleep(max(0, self.start + WINDOW_S - time.monotonic()))
        self.s = time.monotonic() - self.start
        self.core = (cpu_s(self.program) - self.cpu) / self.s * 100
        self.seen = self.members.mark()
        return self


def all_in_step(centre, n, seconds=120):
    lab.wait_until(f"{n} in step", lambda: centre.get("/v1/status").json["nodes"]["in_sync"] >= n, seconds)


def whole_second(what, look, good, seconds=60):
    """Waits for a second between whose ends good(before, after) is true of what look() gives."""
    begun, before = time.monotonic(), look()

    def passed():
        nonlocal begun, before
        if time.monotonic() < begun + 1:
            return False
        last, before, begun = before, look(), time.monotonic()
        return good(last, before)
    lab.wait_until(what, passed, seconds)


def all_scraped(members):
    whole_second("all scraped", members.mark, lambda _, seen: seen["scrapes"] >= 0.99 * NODES)


def all_told(centre):
    """That thousands of nodes came into step is as many events, which are stored by and by."""
    whole_second("all told", lambda: centre.get("/v1/events?limit=1").json["events"][0]["id"], lambda before, now: before == now)


# --- Prometheus ---

class Prometheus:
    """Scrapes every member of the crowd once a second."""

    def __init__(self, directory, members):
        directory.mkdir(parents=True)
        targets = [n.url.removeprefix("http://") for n in members.nodes]
        (directory / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
            "scrape_configs: [{job_name: nodes, file_sd_configs: [{files: [targets.json]}]}]\n")
        (directory / "targets.json").write_text(json.dumps([{"targets": targets}]))
        self.log = open(directory / "log", "wb")
        self.process = subprocess.Popen(["prometheus", f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data",
                                         "--web.listen-address=127.0.0.1:0"], stdout=self.log, stderr=self.log)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.log.close()


def polled(site, table):
    members = crowd.Crowd(NODES)
    try:
        ours, theirs = [], []
        for i in range(table.rounds):
            for turn in ("centre", "prometheus") if i % 2 else ("prometheus", "centre"):
                if turn == "centre":
                    centre = site.centre(f"polled{i}", members.nodes, ["--poll-interval", "1s"]).start()
                    all_in_step(centre, NODES)
                    all_told(centre)
                    w = Window(centre, members).end()
                    ours.append((w.core, resident_mib(centre), w.seen["polls"] / w.s, w.seen["turns"]["p99"], w.seen["gaps"]["max"] / 1000))
                    centre.stop()
                else:
                    p = Prometheus(site.path / f"prometheus{i}", members)
                    try:
                        all_scraped(members)
                        w = Window(p, members).end()
                        theirs.append((w.core, resident_mib(p), w.seen["scrapes"] / w.s))
                    finally:
                        p.stop()
    finally:
        members.close()
    table.add("polled, centre CPU", "% of a core", [c for c, *_ in ours], f"{NODES:,} nodes, each proven once a second")
    table.add("polled, Prometheus", "% of a core", [c for c, *_ in theirs], "the same nodes scraped once a second")
    table.add("polled / Prometheus", "times", [a[0] / b[0] for a, b in zip(ours, theirs)], "the centre's CPU against Prometheus'", at_most=0.4)
    table.add("polled, memory", "MiB", [o[1] for o in ours], "resident")
    table.add("polled, memory /", "times", [a[1] / b[1] for a, b in zip(ours, theirs)], "against Prometheus'", at_most=0.125)
    table.add("polled, memory a node", "KiB", [o[1] * 1024 / NODES for o in ours], "all that is resident, divided by the nodes")
    table.add("polled, on time", "times", [o[2] / NODES for o in ours], "polls a second and node", at_least=0.99)
    table.add("polled, longest gap", "s", [o[4] for o in ours], "between two polls of a node, of all nodes", at_most=1.5)
    table.add("polled, rate theirs", "scrapes/s", [r for *_, r in theirs], "the same of Prometheus")
    table.add("polled, turn p99", "ms", [o[3] for o in ours], "from a node's answer to its next request", at_most=10)


def parked(site, table):
    members = crowd.Crowd(NODES)
    few = crowd.Crowd(1, prefix="few")
    try:
        alone = site.centre("alone", few.nodes, ["--poll-interval", "25s"]).start()
        all_in_step(alone, 1)
        rest = resident_mib(alone)
        alone.stop()
        centre = site.centre("parked", members.nodes, ["--poll-interval", "25s"]).start()
        all_in_step(centre, NODES)
        all_told(centre)
        used = [Window(centre, members).end() for _ in range(table.rounds)]
        grown = resident_mib(centre)
        centre.stop()
    finally:
        members.close()
        few.close()
    table.add("parked, centre CPU", "% of a core", [w.core for w in used], f"{NODES:,} idle nodes, requests parked for 25 s", at_most=1)
    table.add("parked, memory", "KiB a node", [(grown - rest) * 1024 / NODES], "what the centre grew by", at_most=16)
    table.add("parked, the rest", "MiB", [rest], "a centre with one node", at_most=64)


def trickle(site, table):
    server = Server(site.path / "server", durable=True)
    members = crowd.Crowd(NODES, 140)
    try:
        database = pg.Database("trickle", server.server)
        centre = site.centre("trickle", members.nodes, ["--poll-interval", "10s"], store=database).spawn().listens(STARTS_S)
        all_in_step(centre, NODES)
        write_evenly(members, NODES)
        figures = []
        for _ in range(table.rounds):
            written, busy = transactions_of(database), server.cpu_s()
            w = Window(centre, members).end()
            figures.append((w.core, (server.cpu_s() - busy) / w.s * 100, (transactions_of(database) - written) / w.s, w.seen["news"]["p50"],
                            w.seen["news"]["p99"], w.seen["news"]["n"] / w.s))
        centre.stop()
    finally:
        members.close()
        server.remove()
    for i, (name, unit, what, *goal) in enumerate((
            ("centre CPU", "% of a core", f"{NODES:,} nodes, each with a new record a second, into PostgreSQL"),
            ("server CPU", "% of a core", "PostgreSQL's", 15), ("transactions", "1/s", "those that write: one in 50 to 100 ms", 20),
            ("held p50", "ms", "from the write until the local is told that the centre holds it"), ("held p99", "ms", "the same"),
            ("rate", "records/s", "held"))):
        table.add(f"trickle, {name}", unit, [f[i] for f in figures], what, at_most=goal[0] if goal else None)


def transactions_of(database):
    """That got a number, since they wrote."""
    return int(database.sql("SELECT txid_snapshot_xmax(txid_current_snapshot())")[0])


def write_evenly(members, per_second):
    """Returns when a good part of what is written in a while arrives, too."""
    members.rate(per_second)
    members.mark()
    arrived = 0

    def flows():
        nonlocal arrived
        arrived += members.mark()["news"]["n"]
        return arrived >= 2 * per_second

    lab.wait_until("what is written arrives", flows, 60)


INTERVAL_S = 10


def mixed(site, table):
    """Twice the nodes, as they may be far away; the dead ones refuse, or never answer, and are paused while it goes without them."""
    alive, gone = 2 * NODES - NODES // 10, NODES // 20
    quiet, writing, dying = crowd.Crowd(alive - 100, prefix="quiet"), crowd.Crowd(100, prefix="busy"), crowd.Crowd(1, prefix="dying")
    refusing, silent = crowd.Refusing(gone), crowd.Silent(gone)
    dead = [*refusing.nodes, *silent.nodes]
    with_dead, without = [], []
    try:
        nodes = [*quiet.nodes, *writing.nodes, *dying.nodes, *dead]
        centre = site.centre("mixed", nodes, ["--poll-interval", f"{INTERVAL_S}s"]).spawn().listens(STARTS_S)
        all_in_step(centre, alive + 1)
        write_evenly(writing, 100)
        for i in range(table.rounds):
            for turn in (with_dead, without) if i % 2 else (without, with_dead):
                bury(centre, dead, turn is without)
                w = Window(centre, writing).end()
                turn.append((w.core, w.seen["news"]["p99"], oldest_proof(centre), resident_mib(centre), w.seen["news"]["p50"]))
        seen_s = [seen_dead(centre, dying) for _ in range(min(table.rounds, 3))]
        centre.stop()
    finally:
        for x in (quiet, writing, dying, refusing, silent):
            x.close()
    table.add("mixed, centre CPU", "% of a core", [f[0] for f in with_dead],
              f"{2 * NODES:,} nodes at an interval of {INTERVAL_S} s, {2 * gone} of them dead, 100 writing a record a second")
    table.add("mixed, without", "% of a core", [f[0] for f in without], "the same without the dead ones")
    table.add("mixed, held p50", "ms", [f[4] for f in with_dead], "from the write until the local is told that the centre holds it")
    table.add("mixed, held p99", "ms", [f[1] for f in with_dead], "the same")
    table.add("mixed, p99 / without", "times", [a[1] / b[1] for a, b in zip(with_dead, without)], "against the same without the dead ones", at_most=1.1)
    table.add("mixed, oldest proof", "s", [f[2] for f in with_dead], "of those that live", at_most=2 * INTERVAL_S)
    table.add("mixed, a dead node seen", "s", seen_s, "from its last sign of life, which was all of a sudden", at_most=2 * INTERVAL_S)
    table.add("mixed, memory", "MiB", [f[3] for f in with_dead], "resident")


def bury(centre, dead, paused):
    """Returns when each of them has been found to be dead once more, or is left alone."""
    before = failures(centre, "paused")
    for n in dead:
        assert centre.post(f"/v1/nodes/{n.name}/{'pause' if paused else 'resume'}").status == 202
    if paused:
        lab.wait_until("they are paused", lambda: centre.get("/v1/status").json["nodes"].get("paused", 0) >= len(dead), 60)
    else:
        lab.wait_until("each has failed", lambda: (now := failures(centre, "never_seen")) and all(
            now.get(n.name, 0) > before.get(n.name, 0) for n in dead), 60)


def failures(centre, state):
    """Of the nodes in that state, by name."""
    return {n["name"]: n["polls"]["failed"] for n in centre.get(f"/v1/nodes?state={state}&limit=1000").json["nodes"]}


def seen_dead(centre, dying):
    """It stops in the middle of everything, its connections stay open; and it goes on afterwards."""
    name, start = dying.nodes[0].name, time.monotonic()
    dying.process.send_signal(signal.SIGSTOP)
    try:
        lab.wait_until("it is missed", lambda: centre.node(name)["state"] != "in_sync", 6 * INTERVAL_S)
        lab.wait_until("it is offline", lambda: centre.node(name)["state"] == "offline", 6 * INTERVAL_S)
        return time.monotonic() - start
    finally:
        dying.process.send_signal(signal.SIGCONT)
        lab.wait_until("it is back", lambda: centre.node(name)["state"] == "in_sync", 6 * INTERVAL_S)


def oldest_proof(centre):
    """In seconds, of the nodes in step."""
    oldest, after = 0.0, ""
    while after is not None:
        page = centre.get(f"/v1/nodes?state=in_sync&limit=1000{after and '&after=' + after}").json
        oldest = max([oldest, *(n["proof"]["age_s"] for n in page["nodes"])])
        after = page["next"]
    return oldest


BENCHES = {f.__name__: f for f in (polled, parked, trickle, mixed)}


def run(names, directory, options, table):
    for name in names:
        site = Site(directory / name, 0)
        try:
            BENCHES[name](site, table)
        finally:
            site.kill()
