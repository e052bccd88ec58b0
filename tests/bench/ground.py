"""What the benchmarks share: locals with their records, the programs beside them, the table of figures."""
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.setdefault("TIDEMARK_BIN", str(TOP / "build" / "release")))
sys.path.insert(0, str(TOP / "tests" / "e2e"))
import lab  # noqa: E402
import proc  # noqa: E402

NODES = 4
POST = 5000  # records of one request that fills a local
PAGE = 5000  # rows of one of the floor's transactions, as many as a pull's page
PUSH = 5000  # and as many as a push
STARTS_S = 120  # a centre that has thousands of nodes to add before it listens takes no longer


def tool(name, *args):
    r = subprocess.run([BIN / "tests" / "bench" / name, *map(str, args)], check=True, capture_output=True, text=True)
    return json.loads(r.stdout)


def cpu_s(program):
    """User and system time of a running program."""
    return proc.cpu_s(program.process.pid)


def resident_mib(program):
    return proc.resident_mib(program.process.pid)


def peak_mib(program):
    return proc.resident_mib(program.process.pid, peak=True)


def remove(db):
    for f in db.parent.glob(db.name + "*"):
        f.unlink()


def body(i):
    """A reading of about 140 bytes."""
    return {"sensor": f"temp-{i % 97:02}", "value": i * 7919 % 100000 / 100, "unit": "°C", "quality": "good",
            "line": f"L{i % 13}", "shift": "night" if i % 3 else "day", "remark": "as measured, not yet calibrated " + "x" * (i % 9)}


def setup(schema, checkpoint):
    """What the programs set too."""
    return ("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cell_size_check=ON;"
            f"PRAGMA wal_autocheckpoint={checkpoint};" + (TOP / schema).read_text())


def fill(local, n, body=body):
    for first in range(0, n, POST):
        local.write(*({"type": "reading", "body": body(i)} for i in range(first, min(first + POST, n))))


def machine():
    """What the figures are of."""
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    commit = subprocess.run(["git", "-C", TOP, "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    return {"cpu": cpu[1] if cpu else platform.machine(), "cores": len(os.sched_getaffinity(0)), "kernel": platform.release(),
            "memory_mib": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20, "commit": commit,
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def asked_ms(centre, path, times):
    """Of so many requests, one after the other on one connection: how long each took, in rising order."""
    with lab.kept(centre.url) as get:
        def once():
            start = time.monotonic()
            status, answer = get("GET", path)
            assert status == 200, answer
            return (time.monotonic() - start) * 1000
        once()
        return sorted(once() for _ in range(times))


class Table:
    def __init__(self, rounds):
        self.rounds, self.rows = rounds, []

    def add(self, name, unit, values, what, at_least=None, at_most=None):
        """`values`, one of each round; the median is held to the goal, if there is one."""
        row = {"name": name, "unit": unit, "min": min(values), "median": statistics.median(values),
               "max": max(values), "rounds": len(values), "what": what}
        goal = ""
        if at_least is not None or at_most is not None:
            row["goal"] = {"at_least": at_least} if at_least is not None else {"at_most": at_most}
            row["met"] = row["median"] >= at_least if at_least is not None else row["median"] <= at_most
            goal = f" ({'met' if row['met'] else 'NOT MET'}: {'≥' if at_least is not None else '≤'} {at_least if at_most is None else at_most:,g})"
        self.rows.append(row)
        print(f"{name:<28} {row['min']:>11,.2f} {row['median']:>11,.2f} {row['max']:>11,.2f}  {unit:<11} {what}{goal}", flush=True)

    def head(self):
        print(f"{'':<28} {'min':>11} {'median':>11} {'max':>11}")

    def sums(self):
        goals = [r["met"] for r in self.rows if "met" in r]
        print(f"{sum(goals)} of {len(goals)} goals met")


class Site:
    """Some locals with their records, made once."""

    def __init__(self, directory, records, nodes=NODES):
        self.path, self.each, self.programs = directory, records // nodes, []
        self.records = self.each * nodes
        directory.mkdir(parents=True, exist_ok=True)
        self.locals = [self.local(f"n{i}") for i in range(nodes)]

    def fill(self, body=body):
        """Unless a run before has left them."""
        for l in self.locals:
            l.start()
            if l.status()["records"] != self.each:
                assert l.status()["records"] == 0, f"{l.db} holds another number of records: remove it"
                fill(l, self.each, body)

    def local(self, name, options=()):
        self.programs.append(lab.Local(self.path, name, options=options))
        return self.programs[-1]

    def centre(self, name, locals_, options=(), store=None):
        self.programs.append(lab.Centre(self.path, locals_, name=name, options=options, store=store))
        return self.programs[-1]

    def kill(self):
        for p in self.programs:
            if p.process and p.process.poll() is None:
                p.kill()

    def proven(self, centre, locals_):
        """Waits until the centre has said of each that it is in sync, without asking it anything meanwhile."""
        words = [f"node={l.name} state=in_sync" for l in locals_]

        def said():
            assert centre.process.poll() is None, centre.log_text()
            return (t := centre.log_text()) and all(w in t for w in words)

        lab.wait_until("all in sync", said, 60 + self.records / 10000)

    def check(self, centre, locals_):
        for l in locals_:
            proof = centre.node(l.name)["proof"]
            assert proof["equal"] and proof["count"] == self.each, (l.name, proof)
