"""What becomes slower when there are ten times as many records.

    growth    a pull of 10 million records (BENCH_GROWTH) from four locals against one of a tenth; with each, what idle polls, answers and
              a start cost, with each store
"""
import json
import os
import pathlib
import statistics
import subprocess
import time

from ground import BIN, NODES, Site, asked_ms, body, peak_mib
from bench_postgres import Server
import pg

RECORDS = int(os.environ.get("BENCH_GROWTH") or 10_000_000)
BLOCK = 1000  # records that are made from one text
IDLE_S = 4
STARTS = 10
LOOKS = 3  # of each size in turns, since a busy machine doubles what takes a fraction of a millisecond
ASKED = {  # name: path; the key is that of a record behind nine tenths of its owner's
    "status": "/v1/status", "metrics": "/metrics", "a node": "/v1/nodes/n0", "nodes": "/v1/nodes",
    "a page, deep": "/v1/records?owner=n1&after=n1/{deep}", "a page, deep in all": "/v1/records?after=n1/{deep}",
    "a record": "/v1/records/n1/{deep}"}
RATIO = 1.5  # of times of a fraction of a millisecond: the same, and the machine's noise


# --- locals with their records ---

def lines():
    """Of a block, with #### for its number."""
    return "".join(json.dumps({"id": f"r####{i:03}", "type": "reading", "body": body(i)}, ensure_ascii=False) + "\n" for i in range(BLOCK))


def imported(locals_, each):
    """The quickest way that makes every hash: import into a database that nobody has open, all of them at once."""
    block = lines()
    programs = [subprocess.Popen([BIN / "tidemark-local", "import", "--node", l.name, "--db", l.db, "-"], stdin=subprocess.PIPE,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for l in locals_]
    for n in range(each // BLOCK):
        text = block.replace("####", f"{n:06}").encode()
        for p in programs:
            p.stdin.write(text)
    for p in programs:
        p.stdin.close()
    assert [p.wait() for p in programs] == [0] * len(programs)


class Size:
    """Four locals with so many records between them."""

    def __init__(self, directory, name, records):
        self.name, self.site = name, Site(directory / name, records // BLOCK // NODES * BLOCK * NODES)
        self.records, self.locals = self.site.records, self.site.locals
        self.deep = f"r{self.site.each * 9 // 10 // BLOCK:06}000"
        if not all(l.db.exists() for l in self.locals):
            imported(self.locals, self.site.each)

    def start(self):
        """How long it took the first, and all of them."""
        start = time.monotonic()
        for l in self.locals:
            l.spawn()
        self.locals[0].listens()
        first = time.monotonic() - start
        for l in self.locals:
            l.listens()
        return first

    def stop(self):
        for l in self.locals:
            l.stop()

    def pull(self, store, number=""):
        """A centre that has everything, and how many records a second that took."""
        centre = self.site.centre(f"{store.kind if store else 'sqlite'}{number}", self.locals, ["--poll-interval", "100ms"], store=store)
        start = time.monotonic()
        centre.spawn()
        self.site.proven(centre, self.locals)
        rate = self.records / (time.monotonic() - start)
        centre.listens()
        self.site.check(centre, self.locals)
        return centre, rate


# --- what it costs that they are there ---

def polls(centre, locals_):
    return sum(centre.node(l.name)["polls"]["ok"] for l in locals_)


def threads_s(program):
    """As cpu_s(), to the nanosecond, for what takes few ticks; of the threads that there are."""
    return sum(int(t.read_text().split()[0]) for t in pathlib.Path(f"/proc/{program.process.pid}/task").glob("*/schedstat")) / 1e9


def idle(size, centre):
    """Microseconds of CPU that a poll, and its proof, takes the centre and the locals."""
    programs = [centre, *size.locals]
    before, cpu = polls(centre, size.locals), sum(map(threads_s, programs))
    time.sleep(IDLE_S)
    cpu = sum(map(threads_s, programs)) - cpu
    return cpu / (polls(centre, size.locals) - before) * 1e6


def proof(centre):
    """Milliseconds until all are proven equal by exchanges that began since."""
    start = time.monotonic()
    centre.in_sync()
    return (time.monotonic() - start) * 1000


def started(centre):
    """Seconds until it listens; of a store that has everything."""
    centre.stop(60)
    start = time.monotonic()
    centre.start()
    return time.monotonic() - start


def look(size, centre):
    # of many the quarter that nothing else on the machine disturbed
    seen = {name: asked_ms(centre, path.format(deep=size.deep), 100)[25] for name, path in ASKED.items()}
    seen["an idle poll"] = idle(size, centre)
    seen["a proof"] = statistics.median(proof(centre) for _ in range(5))
    seen["peak"], seen["a local's peak"] = peak_mib(centre), max(map(peak_mib, size.locals))
    return seen


def in_turns(times, sizes, see):
    """Of each size, by its name: the least of each of the figures that see(size) gives, since what disturbs only adds to it."""
    seen = {s.name: [] for s in sizes}
    for _ in range(times):
        for s in sizes:
            seen[s.name].append(see(s))
    return {name: {figure: min(x[figure] for x in all_) for figure in all_[0]} for name, all_ in seen.items()}


def local_started(size):
    took = size.start()
    size.stop()
    return {"a local's start": took}


UNITS = {"an idle poll": ("µs of CPU", 1), "peak": ("MiB", 1), "a local's peak": ("MiB", 1), "a start": ("ms", 1000),
         "a local's start": ("ms", 1000)}
WHAT = {"an idle poll": "of the centre and the locals together, with its proof", "a proof": "`tidemark wait --in-sync`",
        "peak": "the centre's, resident", "a local's peak": "resident, when it gave all it has",
        "a start": "of a centre, until it listens", "a local's start": "until it listens"}


def tell(table, kind, small, large, rates, seen):
    few, many = f"{small.records:,}", f"{large.records:,}"
    table.add(f"growth, {kind}: pull", "records/s", rates[large.name], f"of {many}, until proven equal")
    table.add(f"growth, {kind}: of a tenth", "records/s", rates[small.name], f"of {few}")
    table.add(f"growth, {kind}: pull /", "times", [statistics.median(rates[large.name]) / r for r in rates[small.name]],
              f"the rate of {many} against that of {few}", at_least=0.8)
    for name in seen[large.name]:
        unit, times = UNITS.get(name, ("ms", 1))
        before, now = seen[small.name][name] * times, seen[large.name][name] * times
        what = WHAT.get(name) or "GET " + ASKED[name].format(deep=large.deep)
        table.add(f"growth, {kind}: {name}", unit, [now], f"{what}; {now / before:.2f} times that with {few}",
                  at_most=None if name == "peak" else round(RATIO * before, 3))


def pulled(table, small, large, make_store):
    """Rates by the sizes' names; and of each its last centre, which has everything and goes on."""
    rates, centres = {small.name: [], large.name: []}, {}
    for size, rounds in ((small, table.rounds), (large, 1)):
        size.start()
        for i in range(rounds):
            if i > 0:
                forget(centres[size.name])
            centres[size.name], rate = size.pull(make_store(f"{size.name}{i}"), i)
            rates[size.name].append(rate)
    return rates, centres


def forget(centre):
    centre.stop(60)
    if centre.store.kind == "sqlite":
        for f in centre.store.files():
            f.unlink()
    else:
        centre.store.drop()


def growth(table, small, large, kind, make_store):
    sizes = small, large
    seen = in_turns(STARTS, sizes, local_started)
    rates, centres = pulled(table, small, large, make_store)
    for times, see in (LOOKS, lambda s: look(s, centres[s.name])), (STARTS, lambda s: {"a start": started(centres[s.name])}):
        for name, figures in in_turns(times, sizes, see).items():
            seen[name].update(figures)
    for size in sizes:
        forget(centres[size.name])
        size.stop()
    tell(table, kind, small, large, rates, seen)


BENCHES = ("growth",)


def run(_, directory, options, table):
    directory = pathlib.Path(directory) / "growth"
    server, sizes = None, []
    try:
        for name, records in (("small", (options.records or RECORDS) // 10), ("large", options.records or RECORDS)):
            sizes.append(Size(directory, name, records))
        growth(table, *sizes, "sqlite", lambda name: None)
        server = Server(directory / "server", durable=True)
        growth(table, *sizes, "postgres", lambda name: pg.Database(f"growth_{name}", server.server))
    finally:
        for s in sizes:
            s.site.kill()
        if server:
            server.remove()
