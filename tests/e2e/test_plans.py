"""How databases go about what is asked of records: by an index and in its order, and no statement but those that must reads more of
them the more there are.  PostgreSQL also before it has counted its tables, and as a real centre has it plan."""
import contextlib
import json
import re
import sqlite3
import subprocess

import pytest

import lab
import pg

BAD = re.compile(r"Seq Scan on records|Bitmap|Sort|Gather|Hash Join|Merge Join")
# Without a part of each of these in the log nothing would be shown.
ASKED = ("SELECT 1 FROM records WHERE owner = $1 AND differs", "refused IS NOT NULL LIMIT 1", "AND id > $2 AND differs",
         "AND NOT differs", "WITH ORDINALITY AS asked (id", "WITH ORDINALITY AS asked (owner", "AS s (generation", "WITH ORDINALITY AS same", "SELECT owner, id, type",
         "SELECT id, local_h0, local_h1")


@pytest.fixture
def cluster(tmp_path):
    """With the plan of each statement in its log."""
    c = pg.Cluster(tmp_path / "pg")
    yield c
    c.remove()


def exchange_everything(local, centre, name):
    """Pulls of new, of changed and of known records, what was edited at the centre, what a wiped local lacks."""
    local.write(*({"id": f"{name}{i}", "body": i} for i in range(100)))
    centre.in_sync(local.name)
    local.write(*({"id": f"{name}{i}", "body": {"few": i}} for i in range(3)))  # no more than go together with other nodes'
    centre.in_sync(local.name)
    local.stop()
    local.copy_to(local.directory / name)
    local.start()
    local.write(*({"id": f"{name}{i}", "body": [i]} for i in range(80)))
    centre.in_sync(local.name)
    local.stop()
    local.restore_from(local.directory / name)
    local.start()
    local.write({"id": f"{name}-new", "body": 0})
    centre.in_sync(local.name)
    assert centre.get(f"/v1/records/{local.name}/{name}1").status == 200
    local.stop()
    local.wipe()
    local.start()
    centre.in_sync(local.name)


def test_records_are_found_by_an_index(site, cluster):
    store = pg.Database("plans", cluster.server)
    for setting in ("session_preload_libraries = auto_explain", "auto_explain.log_min_duration = 0"):
        cluster.sql(f"ALTER DATABASE plans SET {setting}")
    local = site.local("a")
    centre = site.centre(local, store=store)
    exchange_everything(local, centre, "x")
    store.sql("VACUUM ANALYZE tidemark_store.records")
    exchange_everything(local, centre, "y")
    centre.stop()
    log = (cluster.home / "log").read_text()
    plans = [p for p in re.split(r"\n(?=\S)", log) if "Query Text: " in p and "records" in p and "tidemark-central" in p]
    assert [part for part in ASKED if not any(part in p for p in plans)] == []
    assert [p for p in plans if BAD.search(p)] == []


# --- each statement, as it is planned ---

SQL = lab.TOP / "sql"
A_PAGE = "a page of a list in the order of its index: of a type too it looks at so many and no more"
# What reads more than the records it is asked for, or what is to be pushed anyway.  The rest costs the same whatever is in the table.
MAY_READ_MORE = {
    "central": {
        "records_list": A_PAGE, "records_list_of": A_PAGE, "records_looked": A_PAGE, "records_looked_of": A_PAGE,
        "push_sweep": "a page of a refill: what was read before is behind its place",
        "records_digest": "a recount after a doubt, or for an operator",
        "records_believed": "a comparison after an accident",
        "counts_push": "while a node is refilled: what is left of that", "bulk_counts": "the same",
    },
    "local": {
        "record_after": "a page of the feed",
        "record_list": A_PAGE, "record_looked": A_PAGE,
        "record_updated_after": "the first one alone",
        "record_count_after": "what no centre has taken yet",
        "record_ids": "a comparison after an accident", "record_hashes": "the same, or a recount",
    },
}


def statements(*paths):
    """{name: text} of those that read or write records."""
    found = {}
    for path in paths:
        for name, text in re.findall(r"^-- name: (\w+)\n((?:(?!-- name: ).*\n?)*)", (SQL / path).read_text(), re.M):
            text = re.sub(r"^--.*\n", "", text, flags=re.M).strip().rstrip(";")
            if re.search(r"\brecords\b", text):
                found[name] = text
    assert len(found) > 10
    return found


def lite_reads_more(plan):
    """Of the lines of a plan, those that read more records than one, or than what an index holds that pulls do not touch."""
    reads = [line for line in plan if re.match(r"(SCAN|SEARCH) (records|r)\b", line)]
    few = re.compile(r"USING INDEX records_(differ|refused)\b|PRIMARY KEY \((owner=\? AND id=\?|rowid=\?)\)|\(id=\?\)")
    return [line for line in reads if not few.search(line)]


@pytest.mark.parametrize("program, migrations, files", [
    ("central", "*.sqlite.sql", ["queries.sql", "queries.sqlite.sql", "only.sqlite.sql"]), ("local", "*.sql", ["queries.sql"])])
def test_sqlite_reads_no_more_than_it_must(program, migrations, files):
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        for m in sorted((SQL / program / "migrations").glob(migrations)):
            db.executescript(m.read_text())
        more = {}
        for name, text in statements(*(f"{program}/{f}" for f in files)).items():
            values = {str(i): 1 for i in range(1, text.count("$") + 1)}
            more[name] = lite_reads_more([row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {text}", values)])
    found = {name: lines for name, lines in more.items() if lines}
    assert found.keys() == MAY_READ_MORE[program].keys() & more.keys() and all(len(lines) == 1 for lines in found.values()), found


def nodes_of(plan):
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes_of(child)


def postgres_reads_more(plan):
    """The same of a plan of PostgreSQL."""
    more = []
    for n in nodes_of(plan):
        if n.get("Relation Name") != "records" or n["Node Type"] in ("ModifyTable", "Tid Scan"):
            continue
        by = n["Plans"][0] if n["Node Type"] == "Bitmap Heap Scan" else n
        whole_key = re.fullmatch(r"\(\(owner = .*\) AND \(id = .*\)\)", by.get("Index Cond", ""))
        if by.get("Index Name") not in ("records_differ", "records_refused") and not whole_key:
            more.append({k: by.get(k) for k in ("Node Type", "Index Name", "Index Cond")})
    return more


def explain_all(database, texts):
    """{name: plan}, as a statement is planned that is prepared for any values."""
    script = ["SET search_path = tidemark_store", "SET plan_cache_mode = force_generic_plan",
              "CREATE TEMPORARY TABLE staged ON COMMIT DELETE ROWS AS SELECT * FROM records WITH NO DATA"]
    for name, text in texts.items():
        values = ", ".join(["NULL"] * len(set(re.findall(r"\$\d+", text))))
        script += [f"PREPARE {name} AS {text}", f"EXPLAIN (FORMAT JSON, COSTS OFF) EXECUTE {name}{values and f'({values})'}"]
    r = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database.url], input=";\n".join(script) + ";\n",
                       capture_output=True, text=True, timeout=60)
    assert r.returncode == 0, r.stderr
    plans, decoder, at = [], json.JSONDecoder(), 0
    while at < len(r.stdout.rstrip()):
        plan, at = decoder.raw_decode(r.stdout, at)
        plans.append(plan[0]["Plan"])
        at += 1
    return dict(zip(texts, plans, strict=True))


# A fleet of which one node has most records.
FILL = """
INSERT INTO tidemark_store.nodes (name, url, added_at) SELECT 'n' || i, 'http://127.0.0.1:' || i, 0 FROM generate_series(1, 50) AS i;
INSERT INTO tidemark_store.records (owner, id, type, body, deleted, actor, n, h0, h1, local_h0, local_h1, local_generation, created_at, updated_at)
SELECT 'n' || CASE WHEN i > 1000 THEN 1 ELSE i % 50 + 1 END, lpad(i::text, 8, '0'), 't', ('{"a":"' || repeat('x', 100) || '"}')::json, false, 1, i, i, i, i, i, 0, 0, 0
FROM generate_series(1, 30000) AS i"""
COUNT = "ANALYZE tidemark_store.nodes; ANALYZE tidemark_store.records"


def test_postgresql_reads_no_more_than_it_must(site, databases):
    store = databases()
    site.centre(store=store).stop()
    texts = statements(*(f"central/{f}" for f in ("queries.sql", "queries.postgres.sql", "only.postgres.sql")))
    store.sql("ALTER TABLE tidemark_store.records SET (autovacuum_enabled = false)")
    for counted in False, True:
        store.sql(COUNT if counted else FILL)
        more = {name: postgres_reads_more(plan) for name, plan in explain_all(store, texts).items()}
        found = {name: nodes for name, nodes in more.items() if nodes}
        may = MAY_READ_MORE["central"].keys() & more.keys() | (set() if counted else {"records_unrefuse"})  # once, when a centre starts
        assert found.keys() == may and all(len(nodes) == 1 for nodes in found.values()), (counted, found)
