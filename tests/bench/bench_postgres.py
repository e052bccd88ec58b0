"""A centre on PostgreSQL against two connections that COPY the same rows to a temporary table and merge them from there.

PostgreSQL is a private one with its defaults and fsync on.  A round has a database for the floor and one for the centre, and
both go through the same four stages; at each, the floor and the centre take turns at being the first:

    load    all records of all locals, none of which the database has
    more    a quarter as many again
    update  another version of each of the first
    reset   every local has a new epoch and the same records, so that all are read again
"""
import shutil
import sqlite3
import time

from ground import NODES, PAGE, POST, TOP, Site, body, cpu_s, fill, lab, peak_mib, tool
import pg
import proc

RECORDS = 1000000
COLUMNS = ("owner id type body deleted actor n vv h0 h1 created_at updated_at clock_error local_h0 local_h1 "
           "local_generation").split()
NAMED = ", ".join(COLUMNS)
SETUP = (TOP / "sql/central/migrations/0001_init.postgres.sql").read_text()
STAGE = (f"CREATE TEMPORARY TABLE staged ON COMMIT DELETE ROWS AS SELECT {NAMED} FROM records WITH NO DATA")
COPY = "COPY staged FROM STDIN (FORMAT binary)"
MERGE = (f"INSERT INTO records ({NAMED}) SELECT {NAMED} FROM staged ON CONFLICT (owner, id) DO UPDATE SET "
         + ", ".join(f"{c} = excluded.{c}" for c in COLUMNS[2:]))
SELECT = ("SELECT (SELECT node FROM state), id, type, body, deleted, actor, n, vv, h0, h1, created_at, updated_at, clock_error, "
          "h0, h1, 0 FROM records WHERE seq > {after} ORDER BY seq")


class Server(pg.Cluster):
    def rest(self):
        """Nothing of what was before is left to do."""
        pg.sql(self.server, "CHECKPOINT", timeout=120)

    def cpu_s(self):
        """Of all its processes, those that have ended too."""
        server, *children = self.pids()
        return proc.cpu_s(server, children=True) + sum(map(cpu_of_child, children))


def cpu_of_child(pid):
    try:
        return proc.cpu_s(pid)
    except FileNotFoundError:  # it has ended meanwhile, and the server waited for it
        return 0


# --- the locals, as they are at each stage ---

class Stage:
    """The locals as they are then; `after`: what of their logs is new, `records` of each."""

    def __init__(self, directory, name, site, after, records, held):
        self.name, self.directory, self.site = name, directory / name, site
        self.after, self.records, self.held = after, records, held
        self.locals = [lab.Local(self.directory, l.name) for l in site.locals]
        for i, l in enumerate(self.locals):
            l.host = f"127.0.0.{i + 2}"  # else a node might come where another was at the stage before, which a centre refuses
        site.programs += self.locals

    def made_from(self, before, change):
        """Kept of a run before, or copied from the stage before and changed."""
        done = self.directory / "done"
        if done.exists() and done.read_text() == str(self.site.each):
            return self
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir()
        for mine, other in zip(self.locals, before.locals):
            for f in other.files():
                shutil.copy(f, self.directory)
            change(mine)
        done.write_text(str(self.site.each))
        return self

    def floor(self, database, setup):
        return tool("floor_postgres", database.url, setup, STAGE, COPY, MERGE, PAGE, SELECT.format(after=self.after),
                    *(l.db for l in self.locals))

    def start(self):
        for l in self.locals:
            l.spawn()
        for l in self.locals:
            l.listens()

    def stop(self):
        for l in self.locals:
            l.stop()


def add(local, n):
    local.start()
    fill(local, n)
    local.stop()


def update(local, n):
    """The first n of it."""
    with sqlite3.connect(local.db) as db:
        ids = [id for id, in db.execute("SELECT id FROM records ORDER BY seq LIMIT ?", (n,))]
    db.close()
    local.start()
    for first in range(0, n, POST):
        local.write(*({"id": id, "type": "reading", "body": body(first + i + 1)} for i, id in enumerate(ids[first:first + POST])))
    local.stop()


def another_epoch(local):
    with sqlite3.connect(local.db) as db:
        db.execute("UPDATE state SET epoch = lower(hex(randomblob(16)))")
    db.close()


def stages(site):
    each, more = site.each, site.each // 4
    site.fill()
    for l in site.locals:
        l.stop()
    load = Stage(site.path, "load", site, 0, each, each).made_from(site, lambda l: None)
    adding = Stage(site.path, "more", site, each, more, each + more).made_from(load, lambda l: add(l, more))
    updating = Stage(site.path, "update", site, each + more, each, each + more).made_from(adding, lambda l: update(l, each))
    again = Stage(site.path, "reset", site, 0, each + more, each + more).made_from(updating, another_epoch)
    return [load, adding, updating, again]


# --- measuring ---

def measure_floor(server, stage, database):
    """A round's first stage makes the schema."""
    server.rest()
    cpu = server.cpu_s()
    f = stage.floor(database, SETUP if stage.name == "load" else "")
    return {"wall_s": f["wall_s"], "cpu_s": f["cpu_s"], "postgres_s": server.cpu_s() - cpu, "rows": f["rows"]}


def measure_centre(server, stage, database):
    """
    Until all are proven equal: a first load from when a centre that has its schema and its sessions, as the floor has then, is told
    of the locals; the others from its start.
    """
    first = stage.name == "load"
    stage.start()
    centre = lab.Centre(stage.site.path, [] if first else stage.locals, store=database)
    stage.site.programs.append(centre)
    if first:
        centre.start()
    server.rest()
    before, begun = sum(map(cpu_s, stage.locals)), cpu_s(centre) if first else 0
    postgres, start = server.cpu_s(), time.monotonic()
    if not first:
        centre.spawn()
    try:
        for l in stage.locals if first else ():
            assert centre.post("/v1/nodes", {"name": l.name, "url": l.url}).status == 201
        stage.site.proven(centre, stage.locals)
        got = {"wall_s": time.monotonic() - start, "cpu_s": cpu_s(centre) - begun, "postgres_s": server.cpu_s() - postgres,
               "local_s": sum(map(cpu_s, stage.locals)) - before, "peak_mib": peak_mib(centre)}
        centre.listens()
        for l in stage.locals:
            proof = centre.node(l.name)["proof"]
            assert proof["equal"] and proof["count"] == stage.held, (l.name, proof)
    finally:
        centre.stop()
        stage.stop()
    return got


def measure_round(server, the_stages, number, figures):
    databases = [pg.Database(name, server.server) for name in ("floor", "centre")]
    for i, stage in enumerate(the_stages):
        turns = [lambda: measure_floor(server, stage, databases[0]), lambda: measure_centre(server, stage, databases[1])]
        if (number + i) % 2 == 0:
            floor, centre = turns[0](), turns[1]()
        else:
            centre, floor = turns[1](), turns[0]()
        rows = stage.records * NODES
        assert floor["rows"] == rows, floor
        figures[stage.name].append((rows, floor, centre))
    for d in databases:
        d.drop()


GOALS = {"load": 1.2, "more": 0.9, "update": 0.85}
WHAT = {
    "load": "{:,} records into an empty centre",
    "more": "{:,} records into a centre that holds four times as many",
    "update": "{:,} new versions of what the centre holds",
    "reset": "{:,} records read again after a reset, none of them changed; the floor writes each once more",
}


def tell(table, name, rounds):
    rows = rounds[0][0]

    def add(what, unit, value, explained, **goal):
        table.add(f"{name}{what}", unit, [value(floor, centre) for _, floor, centre in rounds], explained, **goal)

    def cpu(what, value, explained):
        add(what, "µs/record", lambda f, c: value(f, c) / rows * 1e6, explained)

    add("", "records/s", lambda f, c: rows / c["wall_s"], WHAT[name].format(rows) + ", until proven equal")
    add(", floor", "records/s", lambda f, c: rows / f["wall_s"], "two connections, COPY and merge, 5,000 a transaction")
    add(", floor / ours", "times", lambda f, c: f["wall_s"] / c["wall_s"], "the floor's time against ours", at_least=GOALS.get(name))
    cpu(", centre CPU", lambda f, c: c["cpu_s"], "user and system")
    cpu(", server CPU", lambda f, c: c["postgres_s"], "all processes of PostgreSQL")
    add(", centre / server CPU", "times", lambda f, c: c["cpu_s"] / c["postgres_s"], "the centre's against PostgreSQL's", at_most=0.15)
    cpu(", floor's server", lambda f, c: f["postgres_s"], "the same while the floor ran")
    cpu(", local CPU", lambda f, c: c["local_s"], "user and system")
    add(", centre's peak", "MiB", lambda f, c: c["peak_mib"], "resident, all of it", at_most=64)


BENCHES = ("postgres",)


def run(_, directory, options, table):
    directory /= "postgres"
    site = Site(directory, options.records or RECORDS)
    server = None
    try:
        the_stages = stages(site)
        server = Server(directory / "server", durable=True)
        figures = {s.name: [] for s in the_stages}
        for i in range(table.rounds):
            measure_round(server, the_stages, i, figures)
        for name, rounds in figures.items():
            tell(table, name, rounds)
        table.add("reset / load", "times", [r[0] / r[2]["wall_s"] / (l[0] / l[2]["wall_s"]) for l, r in zip(figures["load"], figures["reset"])],
                  "the rate at which what is already there is read again, against the first time", at_least=1.5)
    finally:
        site.kill()
        if server:
            server.remove()
