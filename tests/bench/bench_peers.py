"""A pull into PostgreSQL against how others bring the same rows of four sites into one PostgreSQL.

    script       `sqlite3 -csv` piped into psql, which COPYs to a temporary table and merges; one site after another, a transaction each
    replication  PostgreSQL's own logical replication: four clusters that publish, one that subscribes to all of them
                 (initial copy; then a quarter as many rows again, streamed)

Every server is a private one with its defaults and fsync on, but that the subscriber may have as many workers as four subscriptions
need, and that subscriptions commit as durably as everybody else here (`synchronous_commit`); the schema where the rows arrive is the
centre's.  In each round all of them take turns at being first.

By default a subscriber looks every five seconds for subscriptions that have no worker (`wal_retrieve_retry_interval`), so of four that
are made one after another three begin that much later: as long as all of the copy takes.  That is what comes out of the box, and what
the goal of the first load is about.  What the same subscriber does when it looks every 10 ms is told beside it, as `tuned replication`,
of every other round.  In the stream nobody waits for that, since only this benchmark stops workers, and starts them again.
"""
import subprocess
import time

from ground import PAGE, Site, tool
from bench_postgres import COPY, MERGE, SELECT, SETUP, STAGE, Server, measure_centre, stages
import lab
import pg

RECORDS = 1000000
CSV = ("SELECT (SELECT node FROM state), id, type, body, CASE deleted WHEN 0 THEN 'f' ELSE 't' END, actor, n, vv, h0, h1, created_at, "
       "updated_at, clock_error, h0, h1, 0 FROM records WHERE seq > {after} ORDER BY seq")
TUNED = "tuned replication"
AT_ONCE, BY_DEFAULT = (("wal_retrieve_retry_interval", how) for how in ("10ms", "5s"))
PSQL = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1"]


def wait_for(url, what, question, answer, seconds):
    session = pg.Session(url)
    try:
        lab.wait_until(what, lambda: session.sql(question) == [answer], seconds)
    finally:
        session.close()


# --- the script ---

def script(stage, database):
    """Seconds."""
    start = time.monotonic()
    for local in stage.locals:
        read = subprocess.Popen(["sqlite3", "-readonly", "-csv", local.db, CSV.format(after=stage.after)], stdout=subprocess.PIPE)
        subprocess.run([*PSQL, "-d", database.url, "-c", "BEGIN", "-c", STAGE, "-c", "COPY staged FROM STDIN (FORMAT csv)", "-c", MERGE,
                        "-c", "COMMIT"], stdin=read.stdout, check=True)
        read.stdout.close()
        assert read.wait() == 0
    return time.monotonic() - start


# --- logical replication ---

class Publisher:
    def __init__(self, directory, local):
        self.name = local.name
        self.server = Server(directory / f"publisher-{local.name}", durable=True)
        self.server.setting("wal_level", "logical")
        self.server.stop()
        self.server.start()
        self.database = pg.Database("published", self.server.server)
        self.take(local, 0, SETUP)
        self.database.sql("CREATE PUBLICATION site FOR TABLE records")

    def take(self, local, after, setup=""):
        """What the local has written since."""
        tool("floor_postgres", self.database.url, setup, STAGE, COPY, MERGE, PAGE, SELECT.format(after=after), local.db)

    def rewind(self, rows):
        """To those that were there first."""
        self.database.sql("DELETE FROM records AS r WHERE NOT EXISTS (SELECT FROM first WHERE first.id = r.id)")
        self.database.sql("VACUUM records")
        assert self.database.sql("SELECT count(*) FROM records") == [str(rows)]

    def connection(self):
        return f"host={self.server.home} dbname=published user=postgres"


class Replication:
    def __init__(self, directory, load):
        self.publishers = [Publisher(directory, l) for l in load.locals]
        for p in self.publishers:
            p.database.sql("CREATE TABLE first AS SELECT id FROM records")
        self.subscriber = Server(directory / "subscriber", durable=True)
        for name, value in (("max_logical_replication_workers", 16), ("max_worker_processes", 24)):
            self.subscriber.setting(name, value)
        self.subscriber.stop()
        self.subscriber.start()

    def copy(self, load, database):
        """Seconds."""
        database.sql(SETUP)
        self.subscriber.rest()
        start = time.monotonic()
        for p in self.publishers:
            database.sql(f"CREATE SUBSCRIPTION \"{p.name}\" CONNECTION '{p.connection()}' PUBLICATION site "
                         f"WITH (slot_name = 'site', synchronous_commit = on)")
        wait_for(database.url, "all copied", "SELECT count(*) FROM pg_subscription_rel WHERE srsubstate = 'r'", str(len(self.publishers)), 600)
        took = time.monotonic() - start
        assert database.sql("SELECT count(*) FROM records") == [str(load.records * len(load.locals))]
        return took

    def stream(self, more, database):
        """Seconds for what the sites have written since."""
        for p in self.publishers:
            database.sql(f'ALTER SUBSCRIPTION "{p.name}" DISABLE')
        for p, local in zip(self.publishers, more.locals):
            p.take(local, more.after)
        self.subscriber.setting(*AT_ONCE)
        ends = [p.database.sql("SELECT pg_current_wal_flush_lsn()")[0] for p in self.publishers]
        start = time.monotonic()
        for p in self.publishers:
            database.sql(f'ALTER SUBSCRIPTION "{p.name}" ENABLE')
        for p, end in zip(self.publishers, ends):
            wait_for(p.database.url, "all streamed", f"SELECT confirmed_flush_lsn >= '{end}' FROM pg_replication_slots WHERE slot_name = 'site'", "t", 600)
        return time.monotonic() - start

    def end(self, database):
        for p in self.publishers:
            database.sql(f'DROP SUBSCRIPTION "{p.name}"')
        database.drop()

    def round(self, load, more):
        """Seconds of the initial copy, and of streaming what came later."""
        self.subscriber.setting(*BY_DEFAULT)
        database = pg.Database("subscribed", self.subscriber.server)
        copied, streamed = self.copy(load, database), self.stream(more, database)
        assert database.sql("SELECT count(*) FROM records") == [str(more.held * len(more.locals))]
        self.end(database)
        for p in self.publishers:
            p.rewind(load.records)
        return copied, streamed

    def tuned(self, load):
        """The copy alone."""
        self.subscriber.setting(*AT_ONCE)
        database = pg.Database("subscribed", self.subscriber.server)
        copied = self.copy(load, database)
        self.end(database)
        return copied,

    def remove(self):
        for server in [self.subscriber, *(p.server for p in self.publishers)]:
            server.remove()


# --- measuring ---

def ours(server, load, more):
    database = pg.Database("centre", server.server)
    first = measure_centre(server, load, database)["wall_s"]
    later = measure_centre(server, more, database)["wall_s"]
    database.drop()
    return first, later


def by_script(server, load, more):
    database = pg.Database("script", server.server)
    database.sql(SETUP)
    server.rest()
    took = script(load, database), script(more, database)
    assert database.sql("SELECT count(*) FROM records") == [str((load.records + more.records) * len(load.locals))]
    database.drop()
    return took


BENCHES = ("peers",)


def run(_, directory, options, table):
    site = Site(directory / "postgres", options.records or RECORDS)  # as the pull into PostgreSQL leaves it
    directory /= "peers"
    server = replication = None
    try:
        load, more = stages(site)[:2]
        server = Server(directory / "server", durable=True)
        replication = Replication(directory, load)
        ways = {"pull": lambda: ours(server, load, more), "script": lambda: by_script(server, load, more),
                "replication": lambda: replication.round(load, more),
                TUNED: lambda: replication.tuned(load)}
        took = {name: [] for name in ways}
        for i in range(table.rounds):
            names = [name for name in ways if name != TUNED or i % 2 == 0]
            for name in names[i % len(names):] + names[:i % len(names)]:
                took[name].append(ways[name]())
        tell(table, site.records, took)
    finally:
        site.kill()
        if replication:
            replication.remove()
        if server:
            server.remove()


def tell(table, records, took):
    for k, what, rows, goal in ((0, "first load", records, 2.4), (1, "a quarter more", records // 4, 1.6)):
        told = {name: walls for name, walls in took.items() if k < len(walls[0])}
        for name, walls in told.items():
            table.add(f"{name}, {what}", "records/s", [rows / w[k] for w in walls], f"{rows:,} records of 4 sites into one PostgreSQL")
        ours = told.pop("pull")
        for name, walls in told.items():
            pairs = zip(walls, ours[::2] if name == TUNED else ours)
            table.add(f"{name} / pull, {what}", "times", [a[k] / b[k] for a, b in pairs], "its time against ours",
                      at_least=goal if name == "replication" else None)
