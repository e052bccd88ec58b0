"""What a local takes in from applications: each write is durable before its answer, against what SQLite alone takes for the same.

    ingest    batches of 1,000 records over one connection, against a bare insert loop of the very rows in transactions of as
              many, synchronous=FULL; single records from 1, 16 and 64 connections, against bare commits of one row
"""
from ground import Site, cpu_s, peak_mib, remove, tool
from bench_sqlite import INSERT_LOCAL, LOCAL_FIELDS, SETUP_LOCAL

RECORDS = 1000000  # that the local holds in the end
BATCH = 1000
CLIENTS = (1, 16, 64)
SECONDS = 2  # of each round of single records
BARE = 3000  # commits


def floor(site, local, per, rows):
    """Rows a second, and µs of CPU for each, of the local's own newest rows inserted again."""
    db = site.path / "floor.db"
    newest = f"SELECT {LOCAL_FIELDS} FROM records WHERE seq > (SELECT max(seq) - {rows} FROM records) ORDER BY seq"
    f = tool("floor", "copy", db, SETUP_LOCAL, INSERT_LOCAL, per, newest, local.db)
    remove(db)
    return f["rows"] / f["wall_s"], f["cpu_s"] / f["rows"] * 1e6


def writers(local, clients, seconds, batch=1, requests=None):
    """What the clients tell, and µs of the local's CPU a record."""
    before = cpu_s(local)
    r = tool("writers", local.port, clients, seconds, batch, *([requests] if requests else []))
    return r, (cpu_s(local) - before) / r["acknowledged"] * 1e6


def batches(site, local, each, table):
    rate, ratio, cpu, cpu_ratio, p99 = [], [], [], [], []
    for _ in range(table.rounds):
        r, us = writers(local, 1, 100, BATCH, each // BATCH)
        bare, bare_us = floor(site, local, BATCH, each)
        rate.append(r["acknowledged"] / r["wall_s"])
        ratio.append(rate[-1] / bare)
        cpu.append(us)
        cpu_ratio.append(us / bare_us)
        p99.append(r["p99_ms"])
    table.add("ingest, batches", "records/s", rate, f"posts of {BATCH:,}, one after the other, each durable before its answer", at_least=100000)
    table.add("ingest / insert", "times", ratio, "the rate against a bare insert loop, as many a transaction, synchronous=FULL")
    table.add("ingest, CPU", "µs/record", cpu, "the local's, user and system")
    table.add("ingest / insert, CPU", "times", cpu_ratio, "the local's CPU against that loop's")
    table.add("ingest, batches, p99", "ms", p99, "from request to answer")


def singles(site, local, table):
    rate, p50, p99, ratio = ({n: [] for n in CLIENTS} for _ in range(4))
    cpu = []
    for _ in range(table.rounds):
        bare, _ = floor(site, local, 1, BARE)
        for n in CLIENTS:
            r, us = writers(local, n, SECONDS)
            rate[n].append(r["acknowledged"] / r["wall_s"])
            p50[n].append(r["p50_ms"])
            p99[n].append(r["p99_ms"])
            ratio[n].append(rate[n][-1] / bare)
        cpu.append(us)
    most = CLIENTS[-1]
    for n in CLIENTS:
        table.add(f"ingest, {n} at once", "writes/s", rate[n], f"records posted one by one on {n} connections, each durable before its answer",
                  at_least=20000 if n == most else None)
        table.add(f"ingest, {n}, p50", "ms", p50[n], "from request to answer")
        table.add(f"ingest, {n}, p99", "ms", p99[n], "the same")
        table.add(f"ingest, {n} / commits", "times", ratio[n], "the rate against bare commits of one row (synchronous=FULL)")
    table.add(f"ingest, {most}, CPU", "µs/write", cpu, "the local's, user and system")


def run(names, directory, options, table):
    each = max((options.records or RECORDS) // table.rounds // BATCH, 1) * BATCH
    site = Site(directory / "ingest", 0, nodes=1)
    local = site.locals[0]
    try:
        local.start()
        batches(site, local, each, table)
        table.add("ingest, local's peak", "MiB", [peak_mib(local)], f"resident, with {local.status()['records']:,} records", at_most=32)
        singles(site, local, table)
    finally:
        site.kill()


BENCHES = ("ingest",)
