"""A million records between locals and the embedded store, both ways, against what SQLite alone takes for the same rows.

    pull        from four locals into an empty centre
    refill      back to four locals that lost them all, at once
    refill_one  back to one local; --store postgres: from there

The floors are loops in C over one prepared statement: the very rows, held in memory before the clock starts, into the very schema
with its indexes, with the settings of the programs (synchronous=FULL, the same checkpoints), as many a transaction as a page or a
push carries.  No `sqlite3` shell is quicker at that: it would have to read the rows first.  The floors are told nothing twice,
parse nothing and have the machine for themselves, where ours shares it with the other end.

pull: the loop is an upsert that takes what is newer, as a pull must; bare inserts are told too.  Our time runs from the start of
the centre until it has said that all ends are equal.

refill: the loops fill four locals one after another, or all at once; in each round the quicker of the two is the floor.  Our
time runs from the start of the locals' processes, their databases gone, until the centre has said that all ends are equal.
"""
import shutil
import time

from ground import NODES, PAGE, PUSH, Site, cpu_s, peak_mib, remove, setup, tool
import ground
import pg

RECORDS = 1000000
BODY_BYTES = 200
CONTENT = "type, body, deleted, actor, n, vv, h0, h1, created_at, updated_at, clock_error"
FIELDS = "seq, id, type, body, deleted, actor, n, vv, h0, h1, head, created_at, updated_at, clock_error"
SELECT = f"SELECT {FIELDS.replace('seq', 'row_number() OVER (ORDER BY id)')} FROM records ORDER BY id"
INSERT = f"INSERT INTO records ({FIELDS}) VALUES ({','.join('?' * 14)})"
SETUP = setup("sql/local/migrations/0001_init.sql", 1000)

KNOWN = "local_h0, local_h1, local_generation"
PULL_SELECT = f"SELECT (SELECT node FROM state), id, {CONTENT}, h0, h1, 0 FROM records ORDER BY seq"
PULL_INSERT = f"INSERT INTO records (owner, id, {CONTENT}, {KNOWN}) VALUES ({','.join('?' * 16)})"
PULL_UPSERT = (f"{PULL_INSERT} ON CONFLICT (owner, id) DO UPDATE SET "
               + ", ".join(f"{f} = excluded.{f}" for f in f"{CONTENT}, {KNOWN}".split(", "))
               + " WHERE (excluded.n, excluded.actor) > (n, actor)")
PULL_SETUP = setup("sql/central/migrations/0001_init.sqlite.sql", 10000)


def body(i):
    """A reading of 200 bytes."""
    b = ground.body(i)
    b["remark"] += "." * (BODY_BYTES - len(ground.json.dumps(b)))
    return b


def in_turns(i, measures):
    """What each tells; those who are first in one round are last in the next."""
    order = list(range(len(measures)))
    got = {at: measures[at]() for at in (order if i % 2 == 0 else reversed(order))}
    return [got[at] for at in order]


def kept(site):
    """The locals' databases as they are before they are lost, filled once; the locals are down."""
    copies = [l.db.with_suffix(".kept") for l in site.locals]
    if not all(c.exists() for c in copies):
        site.fill(body)
        for l in site.locals:
            l.stop()
            shutil.copy(l.db, l.db.with_suffix(".kept"))
    for l, c in zip(site.locals, copies):
        l.wipe()
        shutil.copy(c, l.db)
    return copies


# --- pull ---

def pull_floor(site, copies, insert):
    floor_db = site.path / "floor.db"
    try:
        return tool("floor", "copy", floor_db, PULL_SETUP, insert, PAGE, PULL_SELECT, *copies)
    finally:
        remove(floor_db)


def measure_pull(site):
    """The locals run."""
    centre = site.centre("pull", site.locals)
    before, start = sum(map(cpu_s, site.locals)), time.monotonic()
    centre.spawn()
    try:
        site.proven(centre, site.locals)
        got = {"wall_s": time.monotonic() - start, "cpu_s": cpu_s(centre), "locals_s": sum(map(cpu_s, site.locals)) - before,
               "mib": peak_mib(centre), "local_mib": max(map(peak_mib, site.locals))}
        centre.listens()
        site.check(centre, site.locals)
    finally:
        centre.stop()
        remove(centre.store.path)
    return got


def pull(site, options, table):
    copies = kept(site)
    for l in site.locals:
        l.start()
    rounds = [in_turns(i, [lambda: pull_floor(site, copies, PULL_UPSERT), lambda: measure_pull(site),
                           lambda: pull_floor(site, copies, PULL_INSERT)]) for i in range(table.rounds)]
    for l in site.locals:
        l.stop()

    def add(what, unit, value, explained, **goal):
        table.add(f"pull{what}", unit, [value(*r) for r in rounds], explained, **goal)

    n = site.records
    add("", "records/s", lambda f, g, _: n / g["wall_s"],
        f"{n:,} records of {BODY_BYTES} bytes of {NODES} locals into an empty centre, until proven equal")
    add(", floor", "records/s", lambda f, g, _: n / f["wall_s"], f"a bare prepared upsert loop into the same schema, {PAGE:,} a transaction")
    add(", floor / ours", "times", lambda f, g, _: f["wall_s"] / g["wall_s"], "that loop's time against ours", at_least=0.6)
    add(", insert / ours", "times", lambda f, g, bare: bare["wall_s"] / g["wall_s"], "bare inserts' time, which look for nothing newer, against ours")
    add(", centre CPU", "µs/record", lambda f, g, _: g["cpu_s"] / n * 1e6, "user and system")
    add(", local CPU", "µs/record", lambda f, g, _: g["locals_s"] / n * 1e6, "user and system")
    add(", floor's CPU", "µs/record", lambda f, g, _: f["cpu_s"] / n * 1e6, "user and system")
    add(", centre's peak", "MiB", lambda f, g, _: g["mib"], "resident, all of it", at_most=64)
    add(", local's peak", "MiB", lambda f, g, _: g["local_mib"], "resident, all of it", at_most=32)


# --- refill ---

def each_floor(site, copies, threads):
    target = site.path / "floor.db"
    try:
        return tool("floor", "each", target, SETUP, INSERT, PUSH, SELECT, threads, *copies)
    finally:
        for i in range(len(copies)):
            remove(target.with_name(f"{target.name}{i}"))


def measure_refill(site, store):
    """The locals are down, their databases are gone."""
    for l in site.locals:
        l.wipe()
    centre = site.centre("refill-centre", site.locals, store=store)
    start = time.monotonic()
    for l in site.locals:
        l.spawn()
    for l in site.locals:
        l.listens()
    centre.spawn()
    try:
        site.proven(centre, site.locals)
        got = {"wall_s": time.monotonic() - start, "centre_s": cpu_s(centre), "local_s": sum(map(cpu_s, site.locals)),
               "centre_mib": peak_mib(centre), "local_mib": max(map(peak_mib, site.locals))}
        centre.listens()
        site.check(centre, site.locals)
    finally:
        centre.stop()
        for l in site.locals:
            l.stop()
    return got


def tell_refill(table, name, records, to, rounds):
    rounds = [(got, min(floors, key=lambda f: f["wall_s"])) for got, floors in rounds]

    def add(what, unit, value, explained, **goal):
        table.add(f"{name}{what}", unit, [value(floor, got) for got, floor in rounds], explained, **goal)

    add("", "records/s", lambda f, g: records / g["wall_s"],
        f"{records:,} records of {BODY_BYTES} bytes pushed to {to} wiped, until proven equal")
    add(", floor", "records/s", lambda f, g: records / f["wall_s"], f"bare prepared insert loops into the locals' schema, {PUSH:,} a transaction")
    add(", floor / ours", "times", lambda f, g: f["wall_s"] / g["wall_s"], "the loops' time against ours", at_least=0.5)
    add(", centre CPU", "µs/record", lambda f, g: g["centre_s"] / records * 1e6, "user and system")
    add(", local CPU", "µs/record", lambda f, g: g["local_s"] / records * 1e6, "user and system")
    add(", floor's CPU", "µs/record", lambda f, g: f["cpu_s"] / records * 1e6, "user and system")
    add(", centre's peak", "MiB", lambda f, g: g["centre_mib"], "resident, all of it", at_most=64)
    add(", local's peak", "MiB", lambda f, g: g["local_mib"], "resident, all of it", at_most=32)


def refill_rounds(site, store, table, threads):
    """In each: what it took us, and the floor by each number of threads."""
    copies = kept(site)
    for l in site.locals:
        l.start()
    centre = site.centre("refill-centre", site.locals, store=store).start()
    site.proven(centre, site.locals)
    centre.stop()
    for l in site.locals:
        l.stop()
    rounds = []
    for i in range(table.rounds):
        got, *floors = in_turns(i, [lambda: measure_refill(site, store), *(lambda t=t: each_floor(site, copies, t) for t in threads)])
        assert all(f["rows"] == site.records for f in floors), floors
        rounds.append((got, floors))
    return rounds


def refill(site, options, table):
    store = ground.lab.File(site.path / "refill-centre.db")
    remove(store.path)
    rounds = refill_rounds(site, store, table, [1, NODES])
    tell_refill(table, "refill", site.records, f"{NODES} locals that were", rounds)
    table.add("refill, in turn / ours", "times", [floors[0]["wall_s"] / got["wall_s"] for got, floors in rounds],
              "the loops one after another, on one core, against ours")


def refill_one(site, options, table):
    server, name = None, "refill_one"
    try:
        if options.store == "postgres":
            server = pg.Cluster(site.path / "server", durable=True)
            store, name = pg.Database("refill", server.server), "refill_one, postgres"
        else:
            store = ground.lab.File(site.path / "refill-centre.db")
            remove(store.path)
        tell_refill(table, name, site.records, "one local that was", refill_rounds(site, store, table, [1]))
    finally:
        if server:
            server.remove()


BENCHES = {"pull": (pull, NODES), "refill": (refill, NODES), "refill_one": (refill_one, 1)}


def run(names, directory, options, table):
    for name in names:
        bench, nodes = BENCHES[name]
        site = Site(directory / f"refill-{nodes}", options.records or RECORDS, nodes)
        try:
            bench(site, options, table)
        finally:
            site.kill()
