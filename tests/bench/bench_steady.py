"""Does anything grow under steady load?  BENCH_STEADY_SECONDS (120) of it, twice at once: a centre on SQLite, one on PostgreSQL, four locals each.

    steady    writes, edits and deletions at the locals and at the centre, conflicts, nodes paused and compared, status, metrics, lists,
              streams and notifications, requests that are none; every process, its files and tables are looked at sixty times.
              What grows is a straight line through the second half of the looks, which BENCH_STEADY_LOOKS=FILE keeps
"""
import collections
import os
import pathlib
import re
import socket
import sqlite3
import threading
import time

from ground import Site, cpu_s, lab
from bench_postgres import Server
import hooks
import pg
import proc
import sse

SECONDS = int(os.environ.get("BENCH_STEADY_SECONDS") or 120)
LOOKS = 60
KEPT = 500  # events; so few that they are full before half of the time
IDS = 100   # records that are written again and again, at either end
CONNECTIONS = 10  # that a centre opens at most (central/store_sql.c)
MIB = 1 << 20


# --- what is done, at a fixed rate ---

class Load:
    """One second after the other, in a thread; what goes wrong is kept for the end."""

    def __init__(self, centre, locals_):
        self.centre, self.locals, self.failed = centre, locals_, []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        begun, second = time.monotonic(), 0
        while not self.ended.wait(max(0, begun + second - time.monotonic())):
            try:
                self.write(second)
                if second % 2 == 0:
                    self.read()
                if second % 5 == 0:
                    self.follow()
                    self.ask_badly()
                if second % 10 == 0:
                    self.operate()
            except Exception as e:  # of any kind: whatever it is, the figures are not of a steady load
                self.failed.append(f"second {second}: {e!r}")
            second += 1

    def end(self):
        self.ended.set()
        self.thread.join()
        assert not self.failed, self.failed[:3]

    def write(self, second):
        """Of each owner: new ones, new versions from either end, some of them of one record at once, and one that comes and goes."""
        def some(what, n):
            return [{"id": f"{what}{(second * n + i) % IDS}", "type": "reading", "body": {"second": second, "i": i, "text": "x" * 100}} for i in range(n)]

        for l in self.locals:
            status = l.post("/v1/records", some("here", 10) + some("both", 1) + [{"type": "reading", "body": {"new": i}} for i in range(5)]).status
            assert status == 201, status
            deleted = lab.call(f"{l.url}/v1/records/here{second % IDS}", "DELETE").status
            assert deleted == 200, deleted
        r = self.centre.post("/v1/records", [{"owner": l.name, **x} for l in self.locals for x in some("there", 5) + some("both", 1)])
        assert r.status == 201, r.body

    def read(self):
        for path in ("/v1/status", "/v1/nodes", f"/v1/nodes/{self.locals[0].name}", "/metrics", "/v1/events", "/v1/records?limit=100", "/v1/conflicts", "/", "/readyz"):
            status = self.centre.get(path).status
            assert status == 200, (path, status)
        for l in self.locals:
            for path in ("/v1/status", "/metrics", "/v1/records?limit=100", "/v1/replaced"):
                status = l.get(path).status
                assert status == 200, (path, status)

    def follow(self):
        stream = sse.Stream(self.centre.url + "/v1/events/stream")
        next(iter(stream))
        stream.close()

    def ask_badly(self):
        """Refused, and ended before they were whole."""
        for p in (self.centre, *self.locals):
            status = p.post("/v1/records", b'[{"id":').status
            assert status == 400, status
            status = p.get("/v1/nowhere").status
            assert status == 404, status
            with socket.create_connection(p.url.removeprefix("http://").split(":"), timeout=10) as s:
                s.sendall(b"POST /v1/records HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n[")

    def operate(self):
        name = self.locals[1].name
        for verb in ("pause", "resume", "verify"):
            status = self.centre.post(f"/v1/nodes/{name}/{verb}").status
            assert status in (200, 202), (verb, status)


# --- what is looked at ---

class Looks:
    """Each thing's values over time."""

    def __init__(self):
        self.at = collections.defaultdict(list)

    def note(self, thing, value):
        self.at[thing].append((time.monotonic(), value))

    def lessen(self, thing, value):
        """What was just noted, by what is looked at elsewhere."""
        t, before = self.at[thing].pop()
        self.at[thing].append((t, before - value))

    def half(self, thing):
        values = self.at[thing]
        return values[len(values) // 2:]

    def growth(self, thing):
        """Of the straight line through the second half: from its begin to its end."""
        points = self.half(thing)
        n, mean_t, mean_v = len(points), sum(t for t, _ in points) / len(points), sum(v for _, v in points) / len(points)
        spread = sum((t - mean_t) ** 2 for t, _ in points)
        slope = sum((t - mean_t) * (v - mean_v) for t, v in points) / spread if n > 1 else 0
        return slope * (points[-1][0] - points[0][0])

    def an_hour(self, thing):
        points = self.half(thing)
        return self.growth(thing) / (points[-1][0] - points[0][0]) * 3600

    def last(self, thing):
        return self.at[thing][-1][1]

    def most(self, thing):
        return max(v for _, v in self.half(thing))

    def write(self, path):
        """All of it, a line each: thing, seconds, value."""
        begun = min(points[0][0] for points in self.at.values())
        lines = [f"{' '.join(thing)}\t{t - begun:.1f}\t{v}\n" for thing, points in self.at.items() for t, v in points]
        pathlib.Path(path).write_text("".join(lines))

    def rate(self, thing):
        """Of what only rises: in the second half, against the first, whose begin is left out."""
        values = self.at[thing]
        a, b, c = values[len(values) // 6], values[len(values) // 2], values[-1]
        return (c[1] - b[1]) / (c[0] - b[0]) / ((b[1] - a[1]) / (b[0] - a[0]))


def memory(pid):
    """Resident, and its share of what is shared; MiB."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return [int(re.search(rf"^{name}: +(\d+)", text, re.M)[1]) / 1024 for name in ("Rss", "Pss")]


def look_at(looks, program, name):
    pid = program.process.pid
    rss, pss = memory(pid)
    links = proc.open_files(pid)
    looks.note((name, "rss"), rss)
    looks.note((name, "pss"), pss)
    looks.note((name, "descriptors"), len(links))
    looks.note((name, "deleted"), sum(l.endswith("(deleted)") for l in links))
    looks.note((name, "threads"), proc.threads(pid))
    looks.note((name, "cpu"), cpu_s(program))
    looks.note((name, "log"), program.log.stat().st_size / MIB)
    looks.note((name, "wal"), sum(f.stat().st_size for f in program.directory.glob(f"{program.name}.db-wal")) / MIB)


def look_at_tables(looks, name, sql):
    for table in ("events", "notices", "deliveries"):
        looks.note((name, table), int(sql(f"SELECT count(*) FROM {table}")))


def look_at_server(looks, database):
    backends = [int(pid) for pid in database.sql("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
                                                 "AND backend_type = 'client backend'")]  # no autovacuum
    anonymous = [int(proc.status(pid, "RssAnon")) / 1024 for pid in backends]
    looks.note(("server", "connections"), len(backends))
    looks.note(("server", "memory"), max(anonymous))
    looks.note(("server", "temporary"), int(database.sql("SELECT temp_files FROM pg_stat_database WHERE datname = current_database()")[0]))


class World:
    """A centre on one of the stores, its locals, whoever is told, and the load on them."""

    def __init__(self, site, name, store=None):
        self.name, self.receiver = name, hooks.Hooks()
        self.temporary = site.path / f"{name}-tmp"
        self.temporary.mkdir()
        self.locals = [site.local(f"{name}{i}", ["--generate", "5"]) for i in range(4)]
        for l in self.locals:
            l.environment = {"TMPDIR": str(self.temporary)}
            l.start()
        self.centre = site.centre(name, self.locals, ["--keep-events", str(KEPT), "--keep-audit", str(KEPT), "--notify-level", "info",
                                                      "--notify-url", self.receiver.url + "/hook"], store=store)
        self.centre.environment = {"TMPDIR": str(self.temporary)}
        self.centre.start()
        self.load = Load(self.centre, self.locals)

    def sql(self, statement):
        if self.centre.store.kind == "postgresql":
            return self.centre.store.sql("SET search_path = tidemark_store; " + statement)[0]
        db = sqlite3.connect(f"file:{self.centre.store.path}?mode=ro", uri=True)
        try:
            return db.execute(statement).fetchone()[0]
        finally:
            db.close()

    def look(self, looks):
        look_at(looks, self.centre, self.name)
        for l in self.locals:
            look_at(looks, l, l.name)
        look_at_tables(looks, self.name, self.sql)
        looks.note((self.name, "temporary"), len(list(self.temporary.iterdir())))
        with self.receiver.lock:
            self.receiver.seen.clear()

    def end(self):
        """The load; what it did is proven."""
        self.load.end()
        self.centre.in_sync(*(l.name for l in self.locals), seconds=60)
        self.receiver.server.shutdown()


def rows(table, looks, names, who):
    """Of programs of a kind: the worst of them."""
    def worst(what, how=looks.growth):
        return [max(how((n, what)) for n in names)]

    half = SECONDS / 2
    over = f"over the last {half:,.0f} s"
    table.add(f"steady, {who}", "MiB", [looks.last((n, "pss")) for n in names], "resident, its share of what is shared (PSS), at the end")
    table.add(f"steady, {who}, RSS +", "MiB", worst("rss"), f"growth {over}, of the worst", at_most=2)
    table.add(f"steady, {who}, PSS +", "MiB", worst("pss"), f"growth {over}, of the worst", at_most=2)
    table.add(f"steady, {who}, +/hour", "MiB/hour", worst("rss", looks.an_hour), "the same, if it went on for an hour")
    table.add(f"steady, {who}, files +", "descriptors", worst("descriptors"), f"growth {over}, connections to PostgreSQL apart", at_most=1)
    table.add(f"steady, {who}, threads +", "threads", worst("threads"), f"growth {over}", at_most=1)
    table.add(f"steady, {who}, deleted", "files", worst("deleted", looks.most), "deleted, and still open", at_most=0)
    table.add(f"steady, {who}, CPU", "times", worst("cpu", looks.rate), "in the second half, against the first")
    table.add(f"steady, {who}, log", "MiB/hour", worst("log", looks.an_hour), "it grows by, at --log-level info")


def steady(site, table):
    server = Server(site.path / "server", durable=True)
    looks = Looks()
    try:
        worlds = [World(site, "onfile"), World(site, "onserver", pg.Database("steady", server.server))]
        begun = time.monotonic()
        for n in range(LOOKS):
            time.sleep(max(0, begun + (n + 1) * SECONDS / LOOKS - time.monotonic()))
            for w in worlds:
                w.look(looks)
            look_at_server(looks, worlds[1].centre.store)
            looks.lessen(("onserver", "descriptors"), looks.last(("server", "connections")))
        for w in worlds:
            w.end()
            w.centre.stop()
    finally:
        server.remove()
        if os.environ.get("BENCH_STEADY_LOOKS"):
            looks.write(os.environ["BENCH_STEADY_LOOKS"])
    rows(table, looks, ["onfile"], "centre")
    rows(table, looks, ["onserver"], "on a server")
    rows(table, looks, [l.name for w in worlds for l in w.locals], "local")
    on_file = [l.name for w in worlds for l in w.locals] + ["onfile"]
    table.add("steady, WAL", "MiB", [max(looks.most((n, "wal")) for n in on_file)], "the largest beside a database: 10,000 pages, and a transaction", at_most=48)
    table.add("steady, temporary files", "files", [max(looks.most((w.name, "temporary")) for w in worlds) + looks.most(("server", "temporary"))],
              "in $TMPDIR, and of PostgreSQL", at_most=0)
    table.add("steady, connections", "connections", [looks.most(("server", "connections"))], "to PostgreSQL, each opened when all others are in use", at_most=CONNECTIONS)
    table.add("steady, their memory +", "MiB", [looks.growth(("server", "memory"))], "anonymous, of the largest of PostgreSQL's processes for them", at_most=2)
    for what in ("events", "notices", "deliveries"):
        table.add(f"steady, {what}", "rows", [looks.most((w.name, what)) for w in worlds], "in the table, at most")


BENCHES = {"steady": steady}


def run(names, directory, options, table):
    for name in names:
        site = Site(directory / name, 0, nodes=1)
        try:
            BENCHES[name](site, table)
        finally:
            site.kill()
