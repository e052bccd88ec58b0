"""A local that lost a million records gets them back by push, against what SQLite alone takes to insert the same rows.

The floor is a loop in C over one prepared INSERT: the very rows of the local that was lost, held in memory before the clock
starts, into the local's own schema with its index, by id as a refill gives them, synchronous=FULL, as many a transaction as a
push carries.  No `sqlite3` shell is quicker at that: it would have to read the rows first.  The floor is told nothing twice,
parses nothing and has the machine for itself, where the refill shares it with the centre.

Our time runs from the start of the local's process, its database gone, until the centre has said that both ends are equal.
"""
import shutil
import time

from ground import PUSH, Site, cpu_s, peak_mib, remove, setup, tool
import ground
import pg

RECORDS = 1000000
BODY_BYTES = 200
FIELDS = "seq, id, type, body, deleted, actor, n, vv, h0, h1, head, created_at, updated_at, clock_error"
SELECT = f"SELECT {FIELDS.replace('seq', 'row_number() OVER (ORDER BY id)')} FROM records ORDER BY id"
INSERT = f"INSERT INTO records ({FIELDS}) VALUES ({','.join('?' * 14)})"
SETUP = setup("sql/local/migrations/0001_init.sql", 1000)


def body(i):
    """A reading of 200 bytes."""
    b = ground.body(i)
    b["remark"] += "." * (BODY_BYTES - len(ground.json.dumps(b)))
    return b


def measure_floor(site, kept):
    floor_db = site.path / "floor.db"
    try:
        return tool("floor", "copy", floor_db, SETUP, INSERT, PUSH, SELECT, kept)
    finally:
        remove(floor_db)


def measure_refill(site, one, store):
    """The local is down, its database is gone."""
    one.wipe()
    centre = site.centre("refill-centre", [one], store=store)
    start = time.monotonic()
    one.spawn()
    one.listens()
    centre.spawn()
    try:
        site.proven(centre, [one])
        got = {"wall_s": time.monotonic() - start, "centre_s": cpu_s(centre), "local_s": cpu_s(one),
               "centre_mib": peak_mib(centre), "local_mib": peak_mib(one)}
        centre.listens()
        site.check(centre, [one])
    finally:
        centre.stop()
        one.stop()
    return got


def tell(table, store, records, rounds):
    name = "refill" if store == "sqlite" else f"refill, {store}"

    def add(what, unit, value, explained, **goal):
        table.add(f"{name}{what}", unit, [value(floor, got) for floor, got in rounds], explained, **goal)

    add("", "records/s", lambda f, g: records / g["wall_s"],
        f"{records:,} records of {BODY_BYTES} bytes pushed to one local that was wiped, until proven equal")
    add(", floor", "records/s", lambda f, g: records / f["wall_s"], f"a bare prepared insert loop into the local's schema, {PUSH:,} a transaction")
    add(", floor / ours", "times", lambda f, g: f["wall_s"] / g["wall_s"], "that loop's time against ours", at_least=0.5)
    add(", centre CPU", "µs/record", lambda f, g: g["centre_s"] / records * 1e6, "user and system")
    add(", local CPU", "µs/record", lambda f, g: g["local_s"] / records * 1e6, "user and system")
    add(", floor's CPU", "µs/record", lambda f, g: f["cpu_s"] / records * 1e6, "user and system")
    add(", centre's peak", "MiB", lambda f, g: g["centre_mib"], "resident, all of it", at_most=64)
    add(", local's peak", "MiB", lambda f, g: g["local_mib"], "resident, all of it", at_most=32)


def fill(site, one, kept):
    """The local's database as it is before it is lost; kept of a run before."""
    if not kept.exists():
        site.fill(body)
        one.stop()
        shutil.copy(one.db, kept)
    one.wipe()
    shutil.copy(kept, one.db)


def measure(site, kept, store, table):
    one = site.locals[0]
    centre = site.centre("refill-centre", [one.start()], store=store).start()
    site.proven(centre, [one])
    centre.stop()
    one.stop()
    rounds = []
    for i in range(table.rounds):
        turns = [lambda: measure_floor(site, kept), lambda: measure_refill(site, one, store)]
        if i % 2 == 0:
            floor, got = turns[0](), turns[1]()
        else:
            got, floor = turns[1](), turns[0]()
        assert floor["rows"] == site.records, floor
        rounds.append((floor, got))
    tell(table, store.kind, site.records, rounds)


BENCHES = ("refill",)


def run(_, directory, options, table):
    directory, kind = directory / "refill", options.store
    site = Site(directory, options.records or RECORDS, 1)
    server = None
    try:
        fill(site, site.locals[0], site.path / "kept.db")
        if kind == "postgres":
            server = pg.Cluster(directory / "server", durable=True)
            measure(site, site.path / "kept.db", pg.Database("refill", server.server), table)
        else:
            store = ground.lab.File(site.path / "refill-centre.db")
            remove(store.path)
            measure(site, site.path / "kept.db", store, table)
    finally:
        site.kill()
        if server:
            server.remove()
