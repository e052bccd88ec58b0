"""A centre on a PostgreSQL that is stopped, killed, frozen and replaced under load: it waits, goes on by itself, and at the
end both ends hold every acknowledged record once."""
import concurrent.futures
import functools
import os
import random
import re
import subprocess
import time

import pytest

import lab
import load
import pg

STOPS = int(os.environ.get("TIDEMARK_PG_STOPS", "8"))
KILLS = int(os.environ.get("TIDEMARK_PG_KILLS", "20"))
FALSE_ALARMS = ("WIPED", "REWOUND", "CLONED", "DIVERGED", "CENTRE_REWOUND", "conflict", "rejected")


@pytest.fixture
def clusters(tmp_path):
    """Makes clusters of the test's own, and removes them."""
    made = []

    def make(name, **kw):
        made.append(pg.Cluster(tmp_path / name, **kw))
        return made[-1]

    yield make
    for c in made:
        c.remove()


@pytest.fixture
def chance():
    seed = int(os.environ.get("TIDEMARK_SEED", random.randrange(1 << 32)))
    print(f"TIDEMARK_SEED={seed}")
    return random.Random(seed)


class Load:
    """Everything that goes on: records generated and posted at the locals, edits at the centre."""

    def __init__(self, site, store, batch=500, pause=0.25):
        self.locals = [site.local(name, options=["--generate", "50"]) for name in ("a", "b", "c")]
        self.centre = site.centre(*self.locals, store=store, options=["--poll-interval", "200ms"])
        self.batches = load.Batches(self.locals[0], batch, pause)
        self.writer = load.Writer(lambda: f"{self.locals[1].url}/v1/records/", "w", pause=0.01)
        self.editors = [load.Writer(lambda l=l: f"{self.centre.url}/v1/records/{l.name}/", "e", pause=0.05, timeout=40)
                        for l in self.locals]
        for t in self.threads():
            t.start()
        self.centre.in_sync(seconds=60)

    def threads(self):
        return [self.batches, self.writer, *self.editors]

    def settle(self, seconds=60):
        """Ends the writing; both ends proven equal."""
        for t in self.threads():
            t.stop()
        for l in self.locals:
            l.stop()
            l.options = []
            l.start()
        self.centre.in_sync(seconds=seconds)

    def check(self, alarms=FALSE_ALARMS, edits=True):
        """What was acknowledged is there once, the same at both ends; nothing was taken for what it was not."""
        total = sum(lab.same_records(l, self.centre) for l in self.locals)
        records = self.centre.records("a") | self.centre.records("b") | self.centre.records("c")
        assert self.batches.check(records, "a") > 0 and self.writer.check(records, "b") > 0
        for l, e in zip(self.locals, self.editors):
            assert e.acknowledged and (not edits or e.check(records, l.name))
        status = self.centre.get("/v1/status").json
        assert status["records"] == total and status["store"] == {"kind": "postgresql", "ok": True}
        assert (status["conflicts"], status["quarantined"]) == (0, 0) or "conflict" not in alarms
        kinds = {e["kind"] for e in self.centre.all_events()}
        assert not kinds & set(alarms), kinds
        print(f"{total} records, {sum(e.refused for e in self.editors)} edits refused meanwhile")


def says_unavailable(r):
    return (r.status, r.headers["Content-Type"], r.code) == (503, "application/problem+json", "unavailable") and r.json["detail"]


def check_answers_without_a_database(centre):
    assert centre.get("/healthz").status == 200
    lab.wait_until("readyz 503", lambda: says_unavailable(centre.get("/readyz")))
    status = centre.get("/v1/status")
    assert status.status == 200 and status.json["store"] == {"kind": "postgresql", "ok": False}, status.body
    assert status.json["nodes"]["total"] == 3
    assert {n["name"] for n in centre.nodes()} == {"a", "b", "c"} and centre.node("a")["name"] == "a"
    assert centre.get("/metrics").status == 200
    for method, path, body in (("GET", "/v1/records?owner=a", None), ("GET", "/v1/records/a/e-1", None), ("GET", "/v1/events", None),
                               ("GET", "/v1/conflicts", None), ("PUT", "/v1/records/a/x", '{"type":"t","body":1}'),
                               ("DELETE", "/v1/records/a/e-1", None), ("POST", "/v1/records", '{"owner":"a","type":"t","body":1}'),
                               ("POST", "/v1/nodes", '{"name":"z","url":"http://127.0.0.1:9"}'), ("POST", "/v1/nodes/a/pause", None)):
        r = lab.call(centre.url + path, method, body)
        assert says_unavailable(r), (method, path, r.status, r.body)
    assert lab.call(centre.url + "/v1/records/a/x", "PUT", "{").status == 400  # wrong is wrong, whatever the database does
    assert centre.get("/v1/nothing").status == 404


def test_postgresql_stopped_and_started_under_load(site, clusters, chance):
    cluster = clusters("pg")
    the = Load(site, pg.Database("tidemark", cluster.server))
    took = []
    for n in range(STOPS):
        lab._never.wait(chance.uniform(0, 0.4))  # a random moment, not a wait for anything
        cluster.stop("immediate")
        if n == 0:
            check_answers_without_a_database(the.centre)
        cluster.start()
        began = time.monotonic()
        lab.wait_until("ready", lambda: the.centre.get("/readyz").status == 200)
        the.centre.in_sync(seconds=60)
        took.append(time.monotonic() - began)
    the.settle()
    the.check()
    print(f"{STOPS} stops; from its start to all proven equal: median {sorted(took)[STOPS // 2]:.2f} s, worst {max(took):.2f} s")
    log = the.centre.log_text()
    assert "store.failed" in log and "store.works" in log
    assert len(re.findall("store.failed", log)) <= 3 * STOPS, "one outage is said once"


# backend_xid: it has written within its transaction, and not committed yet.
KILL = ("SELECT pg_terminate_backend(pid), state, query ~ '^COPY|unnest' FROM pg_stat_activity"
        " WHERE datname = 'tidemark' AND state IN ('active', 'idle in transaction') AND backend_xid IS NOT NULL"
        " ORDER BY random() LIMIT 1")


def test_its_connections_killed_in_the_middle_of_pages(site, clusters):
    cluster = clusters("pg")
    the = Load(site, pg.Database("tidemark", cluster.server), batch=2000, pause=0.1)
    killer = pg.Session(cluster.server)
    hits, within = [], 0
    while within < KILLS and len(hits) < 10 * KILLS:
        killed, *hit = lab.wait_until("a transaction that has written", lambda: killer.sql(KILL), 60)[0].split("|")
        assert killed == "t"
        hits.append(hit)
        within += hit[1] == "t"
        polls = {n["name"]: n["polls"]["ok"] for n in the.centre.nodes()}
        lab.wait_until("exchanges go on", lambda: all(
            n["polls"]["ok"] > polls[n["name"]] for n in the.centre.nodes()), 60)
    killer.close()
    the.settle()
    the.check()
    print(f"{len(hits)} killed in a transaction that had written: {within} in the rows of a page, "
          f"{sum(state != 'active' for state, _ in hits)} between two statements")
    assert within == KILLS


def test_commits_of_unknown_outcome_are_read_again(site, clusters):
    """A commit that waits for a standby that is not there has happened when its connection is killed; nobody was told."""
    cluster = clusters("pg")
    local = site.local("a")
    centre = site.centre(local, store=pg.Database("tidemark", cluster.server))
    local.write(*({"id": f"r{i}", "body": i} for i in range(100)))
    centre.in_sync()
    killer = pg.Session(cluster.server)
    waiting = ("SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'tidemark' AND wait_event = 'SyncRep'")
    for n in range(3):
        cluster.setting("synchronous_standby_names", "nobody")
        editor = load.Writer(lambda: f"{centre.url}/v1/records/a/", f"edit{n}", ids=1, timeout=60)
        editor.start()
        local.write({"id": f"r{n}", "body": "changed"}, {"id": f"new{n}", "body": n})
        for _ in range(4):
            lab.wait_until("a commit that waits", lambda: killer.sql(waiting), 60)
        cluster.setting("synchronous_standby_names", "")
        editor.stop()
        centre.in_sync(seconds=60)
        editor.check(centre.records("a"), "a")
    killer.close()
    assert lab.same_records(local, centre) >= 103
    assert centre.conflicts() == [] and not {e["kind"] for e in centre.all_events()} & set(FALSE_ALARMS)


def test_a_frozen_postgresql_hangs_nobody_for_ever(site, clusters):
    cluster = clusters("pg")
    the = Load(site, pg.Database("tidemark", cluster.server), batch=50, pause=0.5)
    frozen = cluster.freeze()
    def ask(path):
        r = the.centre.get(path, timeout=60)  # answered at all: else this fails
        assert r.status == 503 or (path == "/v1/status" and r.status == 200), (path, r.status, r.body)

    try:
        began, asked = time.monotonic(), 0
        with concurrent.futures.ThreadPoolExecutor(12) as callers:
            while time.monotonic() - began < 25:
                assert the.centre.get("/healthz", timeout=2).status == 200
                asked += len(list(callers.map(ask, 4 * ("/readyz", "/v1/records?owner=a", "/v1/status"))))
        assert the.centre.get("/v1/status", timeout=40).json["store"]["ok"] is False
    finally:
        pg.thaw(frozen)
    the.centre.in_sync(seconds=60)
    the.settle()
    the.check()
    print(f"{asked} calls answered while it was frozen")


def pair(clusters):
    """A primary, its standby, and a store that knows both."""
    a = clusters("primary")
    b = clusters("standby", standby_of=a)
    database = pg.Database("tidemark", a.server)
    database.url = f"postgresql:///tidemark?host={a.home},{b.home}&user=postgres&target_session_attrs=read-write"
    return a, b, database


def in_step(primary):
    """The standby has all that is committed now."""
    now = primary.sql("SELECT pg_current_wal_lsn()")[0]
    lab.wait_until("the standby is in step", lambda: primary.sql(
        f"SELECT count(*) FROM pg_stat_replication WHERE replay_lsn >= '{now}'") == ["1"])


def cut_off(primary, standby):
    """It receives no more."""
    standby.setting("primary_conninfo", "")
    lab.wait_until("no standby follows", lambda: primary.sql("SELECT count(*) FROM pg_stat_replication") == ["0"])


def test_failover_to_a_synchronous_standby_loses_nothing(site, clusters):
    a, b, database = pair(clusters)
    a.setting("synchronous_standby_names", "*")
    the = Load(site, database)
    a.stop("immediate")
    b.promote()
    began = time.monotonic()
    the.centre.in_sync(seconds=60)
    print(f"proven equal {time.monotonic() - began:.2f} s after the promotion")
    the.settle()
    the.check()
    assert pg.sql(pg.with_database(b.server, "tidemark"), "SELECT pg_is_in_recovery()") == ["f"]


def test_failover_to_a_standby_that_lacks_the_last_commits_heals(site, clusters):
    """What the locals had been given comes back from them; the centre's position is an older one, as after a restore."""
    a, b, database = pair(clusters)
    the = Load(site, database)
    in_step(a)
    cut_off(a, b)
    before = [e.n for e in the.editors]
    lab.wait_until("20 edits of each", lambda: all(e.n > n + 20 for e, n in zip(the.editors, before)))
    for e in the.editors:
        e.stop()
    the.centre.in_sync(seconds=60)  # these edits are at their owners
    a.stop("immediate")
    b.promote()
    the.centre.in_sync(seconds=60)
    again = [load.Writer(lambda l=l: f"{the.centre.url}/v1/records/{l.name}/", "again", ids=10) for l in the.locals]
    for e in again:
        e.start()
    lab.wait_until("edits again", lambda: all(len(e.acknowledged) == 10 for e in again), 60)
    for e in again:
        e.stop()
    the.settle()
    the.check(alarms=[k for k in FALSE_ALARMS if k != "CENTRE_REWOUND"])
    for l, e in zip(the.locals, again):
        e.check(l.records(), l.name)


def test_an_edit_after_a_failover_does_not_hide_one_that_the_standby_never_had(site, clusters):
    a, b, database = pair(clusters)
    local = site.local("a")
    centre = site.centre(local, store=database)
    local.write({"id": "x", "body": "base"})
    centre.in_sync()
    in_step(a)
    cut_off(a, b)
    assert lab.call(centre.url + "/v1/records/a/x", "PUT", '{"type":"t","body":"lost at the standby"}').status == 200
    centre.in_sync()
    local.stop()
    a.stop("immediate")
    b.promote()
    lab.wait_until("ready", lambda: centre.get("/readyz").status == 200)
    assert centre.get("/v1/records/a/x").json["body"] == "base"
    assert lab.call(centre.url + "/v1/records/a/x", "PUT", '{"type":"t","body":"knows only the base"}').status == 200
    local.start()
    centre.in_sync()
    assert lab.same_records(local, centre) == 1
    (c,) = centre.conflicts()  # and not one that the other had seen
    assert (local.records()[("a", "x")]["body"], c["record"]["body"]) == ("lost at the standby", "knows only the base")


def test_an_idle_system_writes_nothing(site, clusters):
    cluster = clusters("pg")
    cluster.setting("autovacuum", "off")
    local = site.local("a")
    centre = site.centre(local, store=pg.Database("tidemark", cluster.server), options=["--poll-interval", "50ms"])
    local.write(*({"id": f"r{i}", "body": i} for i in range(100)))
    centre.in_sync("a")
    centre.in_sync("a")
    next_transaction = "SELECT pg_snapshot_xmax(pg_current_snapshot())"  # only what writes takes a number
    before = cluster.sql(next_transaction)
    polls = centre.node("a")["polls"]["ok"]
    lab.wait_until("100 rounds", lambda: centre.node("a")["polls"]["ok"] >= polls + 100, 60)
    assert cluster.sql(next_transaction) == before
    local.write({"id": "one", "body": 1})
    centre.in_sync("a")
    assert cluster.sql(next_transaction) != before


def test_a_page_finds_its_rows_by_their_keys_in_a_new_store(site, clusters):
    """Where nothing was analysed yet a planner left alone reads all of an owner's rows, for each that is asked for."""
    cluster = clusters("pg")
    cluster.setting("autovacuum", "off")
    store = pg.Database("tidemark", cluster.server)
    local = site.local("a")
    centre = site.centre(local, store=store)

    def change(n):
        """A page's worth at the local, and at the centre."""
        local.write(*({"id": f"r0-{i}", "body": f"changed by {n}"} for i in range(n)))
        centre.in_sync()
        assert centre.post("/v1/records", [
            {"owner": "a", "id": f"r0-{i}", "type": "t", "body": f"changed here by {n}"} for i in range(n)]).status == 201
        centre.in_sync()

    local.write(*({"id": f"r0-{i}", "body": i} for i in range(600)))
    centre.in_sync()
    change(600)  # every statement has its plan now
    for k in range(2):
        local.write(*({"id": f"r{k}-{i}", "body": i} for i in range(10000)))
    centre.in_sync()
    change(3000)
    centre.stop()  # the sessions tell what they did when they close
    read = int(store.sql("SELECT idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'records'")[0])
    print(f"{read} rows read by an index")
    assert read < 65000  # 49,000; with the plans of a small table 87,000
    centre.start()
    centre.in_sync()
    assert lab.same_records(local, centre) == 20000


def refused(url, *options):
    return subprocess.run([lab.BIN / "tidemark-central", "--store", url, "--listen", "127.0.0.1:0", *options],
                          capture_output=True, text=True, timeout=40)


def test_it_refuses_a_database_that_is_anothers(site, databases):
    taken = databases()
    centre = site.centre(store=taken)
    r = refused(taken.url)
    assert r.returncode == 6 and "in use by another tidemark-central" in r.stderr, r
    assert centre.get("/readyz").status == 200
    centre.stop()
    taken.sql("INSERT INTO tidemark_store.schema_version (version) VALUES (999)")
    r = refused(taken.url)
    assert r.returncode == 6 and "999" in r.stderr and "newer tidemark-central" in r.stderr, r
    foreign = databases()
    foreign.sql("CREATE SCHEMA tidemark_store")
    foreign.sql("CREATE TABLE tidemark_store.records (n int)")
    before = foreign.sql("SELECT relname FROM pg_class ORDER BY 1")
    r = refused(foreign.url)
    assert r.returncode == 6 and "tidemark_store" in r.stderr, r
    assert foreign.sql("SELECT relname FROM pg_class ORDER BY 1") == before
    latin = databases()
    latin.drop()
    pg.sql(latin.server, f"CREATE DATABASE \"{latin.name}\" ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C' LOCALE_PROVIDER libc")
    r = refused(latin.url)
    assert r.returncode == 6 and "UTF8" in r.stderr, r


def check_answers_before_there_is_a_database(url, reason):
    """It is alive, and its page is there; all else says what is waited for."""
    assert lab.call(url + "/healthz").status == 200
    page = lab.call(url + "/")
    assert page.status == 200
    files = re.findall(r'(?:src|href)="(/page/[^"]+)"', page.body.decode())
    assert files and all(lab.call(url + f).status == 200 for f in files)
    for method, path in (("GET", "/readyz"), ("GET", "/v1/status"), ("GET", "/metrics"), ("GET", "/v1/nodes"), ("GET", "/v1/events/stream"),
                         ("PUT", "/v1/records/a/x"), ("POST", "/v1/nodes")):
        r = lab.call(url + path, method, None if method == "GET" else "{")
        assert says_unavailable(r) and reason in r.json["detail"] and r.headers["Retry-After"], (method, path, r.status, r.body)
    assert lab.call(url + "/v1/nothing").status == 404


def check_who_waits_for_a_database(url, reason, created):
    """Who only asks is told at once; `wait` says what it waits for, until its time is up or there is a database."""
    tool = [lab.BIN / "tidemark", "--central", url]
    for args, status in ((["status"], 1), (["wait", "--in-sync", "--timeout", "300ms"], 5), (["pull", "a", "--timeout", "300ms"], 5)):
        r = subprocess.run([*tool, *args], capture_output=True, text=True, timeout=30)
        assert r.returncode == status and reason in r.stderr, (args, r)
        assert ("timed out before the centre was ready" in r.stderr) == (status == 5), (args, r)

    def look(shown):
        if b"the centre is not ready: " in shown and reason.encode() in shown:
            created()
    out, _ = lab.on_terminal(*tool, "wait", "--in-sync", "--timeout", "30s", look=look)
    assert "in sync, proven equal" in out


def test_a_database_that_is_not_there_yet_is_waited_for(site, databases):
    store = databases()
    store.drop()
    centre = lab.Centre(site.path, [site.local("a")], store=store).spawn()
    try:
        waiting = lab.wait_until("said what is missing", lambda: re.search(r"waiting.*? url=(\S+)", centre.log_text()))
        assert "store.failed" in centre.log_text() and store.name in centre.log_text()
        check_answers_before_there_is_a_database(waiting.group(1), store.name)
        created = functools.cache(lambda: pg.sql(store.server, f'CREATE DATABASE "{store.name}"'))
        check_who_waits_for_a_database(waiting.group(1), store.name, created)
        centre.listens()
        assert centre.url == waiting.group(1) and centre.get("/readyz").status == 200
        centre.in_sync()
        assert centre.stop() == 0
        store.drop()
        centre.spawn()
        lab.wait_until("waits again", lambda: "store.failed" in centre.log_text())
        assert centre.stop() == 0 and "store.works" not in centre.log_text()
    finally:
        centre.kill()


def test_no_password_is_said(site, databases):
    """Neither in the log nor by --print-config nor in a refusal."""
    store = databases()
    store.url += "&password=hush-hush"
    settings = lab.private_file(site.path / "centre.conf", f"store = {store.url}\n")
    centre = lab.Centre(site.path, [], options=["--log-level", "debug", "--config", settings])
    centre.argv = (lambda argv: lambda: [a for a in argv() if a not in ("--store", centre.store.url)])(centre.argv)
    site.adopt(centre)
    for r in (refused(store.url), refused(store.url, "--print-config"), refused(store.url.replace("user=", "usr=")),
              refused("postgresql://someone:hush-hush@127.0.0.1:bad/x"), refused("postgresql://someone:hush-hush@[bad/x"),
              refused("postgresql://someone:hush-hush%zz@host/x"), refused("postgresql://host/x?hush-hush"), refused("postgresq://someone:hush-hush@x/y")):
        assert "hush-hush" not in r.stderr + r.stdout, r
    centre.stop()
    assert "hush-hush" not in centre.log.read_text()
