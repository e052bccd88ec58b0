"""SQL for people: the views of the schema tidemark, their reader, and views of one type, on a real PostgreSQL."""
import datetime
import json
import os
import re
import subprocess

import pytest

import lab
import pg

NOBODY = "http://127.0.0.1:1"  # a node that is never there: the centre takes its records all the same


class Centre(lab.Centre):
    """One on PostgreSQL, spoken to by both its languages."""

    def put(self, *bodies, type, owner="far"):
        """Records of one type, in the order in which they become older: the first is the newest."""
        for body in reversed(bodies):
            r = self.post("/v1/records", f'{{"owner":"{owner}","type":"{type}","body":{body}}}'.encode())
            assert r.status == 201, r.body

    def sql(self, statement):
        return self.store.sql(statement)

    def rows(self, query):
        """Each row as a dict."""
        return [json.loads(line) for line in self.sql(f"SELECT row_to_json(q) FROM ({query}) AS q")]

    def columns(self, view):
        """{name: type}, in order."""
        return dict(line.split("|") for line in self.sql(
            f"SELECT attname, atttypid::regtype FROM pg_attribute WHERE attrelid = 'tidemark.{view}'::regclass AND attnum > 0 "
            "ORDER BY attnum"))

    def refuses(self, statement, *words):
        with pytest.raises(AssertionError) as e:
            self.sql(statement)
        for word in words:
            assert word in str(e.value), e.value


FAR = ["--node", f"far={NOBODY}"]


@pytest.fixture
def centre(site, databases):
    return site.adopt(Centre(site.path, store=databases(), options=FAR))


def at(text):
    return datetime.datetime.fromisoformat(text)


def same_times(ours, theirs):
    """The API's record, and a row whose times PostgreSQL wrote."""
    for key in ("created_at", "updated_at"):
        assert at(ours.pop(key)) == at(theirs.pop(key)), (ours, theirs)


def a_conflict(local, centre):
    """The record `both` was written at both ends; and one of the centre's edits has reached the local."""
    local.write({"id": "both", "body": 1}, {"id": "edited", "body": 1}, {"id": "gone", "body": [1]})
    centre.in_sync()
    assert centre.post("/v1/nodes/a/pause").status == 202
    local.write({"id": "both", "body": {"by": "the local"}})
    for key in ("both", "edited"):
        assert lab.call(f"{centre.url}/v1/records/a/{key}", "PUT", '{"type":"t","body":{"by":"the centre"}}').status == 200
    assert lab.call(f"{centre.url}/v1/records/a/gone", "DELETE").status == 200
    assert centre.post("/v1/nodes/a/resume").status == 202
    centre.in_sync()


def test_the_views_show_what_the_api_shows(site, databases):
    local = site.local("a")
    centre = site.adopt(Centre(site.path, [local], store=databases()))
    odd = '{"b" : 1.10,"a":1e400, "a":"\\u00fc\\"\'"}'
    assert local.post("/v1/records", f'{{"id":"odd","type":"t-1","body":{odd}}}').status == 201
    a_conflict(local, centre)
    shown = centre.records("a")
    rows = {(r["owner"], r["id"]): r for r in centre.rows("SELECT * FROM tidemark.all_records")}
    assert len(shown) == 4 and rows.keys() == shown.keys()
    for key, r in shown.items():
        row = rows[key]
        same_times(r, row)
        assert {"vv": None, **r} == row
    assert sum("vv" in r for r in shown.values()) >= 2 and shown["a", "gone"]["deleted"]
    assert centre.sql("SELECT body FROM tidemark.records WHERE id = 'odd'") == [odd]
    assert centre.sql("SELECT id FROM tidemark.records ORDER BY id") == ["both", "edited", "odd"]
    assert centre.columns("records") == {k: t for k, t in centre.columns("all_records").items() if k != "deleted"}

    (node,), shown = centre.rows("SELECT * FROM tidemark.nodes"), centre.node("a")
    for key in ("name", "title", "url", "paused", "epoch", "cursor", "records", "conflicts"):
        assert node[key] == shown[key], key
    assert node["digest_sum"] == local.status()["digest"]["sum"] and node["halted"] is None and not node["reconciling"]
    assert node["cursor"] == local.status()["head_seq"] and node["generation"] > 0

    events = centre.rows("SELECT * FROM tidemark.events ORDER BY id")
    shown = centre.events()
    assert len(events) == len(shown) > 3
    for row, e in zip(events, shown):
        assert at(row.pop("at")) == at(e.pop("at")) and row == e

    (lost,), (shown,) = centre.rows("SELECT * FROM tidemark.conflicts"), centre.conflicts()
    record = shown.pop("record")
    same_times(record, lost)
    assert at(lost.pop("at")) == at(shown.pop("at"))
    assert {"vv": None, **record, **shown} == lost
    assert lost["body"] == {"by": "the centre"}

    assert local.stop() == 0 and centre.tool("node", "rm", "a")
    assert centre.sql("SELECT count(*) FROM tidemark.nodes") == ["0"]


def test_what_the_readme_says(centre):
    centre.put('{"sensor":"a","value":1.5,"unit":"°C"}', '{"sensor":"a","value":2.5,"unit":"°C"}', type="reading")
    (text,) = re.findall(r"```sql\n(.*?)```", (lab.TOP / "deploy/guide/user.md").read_text(), re.S)
    records, events, made, readings = (centre.sql(s) for s in text.strip().split("\n"))
    assert records[0].startswith("far|reading|2|") and "node.added" in events[-1]
    assert made == ["tidemark.reading"] and readings == ["far|a|°C|2.0000000000000000"]


def test_everything_has_a_comment(centre):
    assert centre.sql("""
        SELECT c.relname, a.attname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'tidemark'::regnamespace AND a.attnum > 0
            AND (obj_description(c.oid, 'pg_class') IS NULL OR col_description(c.oid, a.attnum) IS NULL)""") == []
    assert centre.sql("""SELECT proname FROM pg_proc WHERE pronamespace = 'tidemark'::regnamespace
        AND obj_description(oid, 'pg_proc') IS NULL""") == []


def test_a_reader_reads_views_and_nothing_else(centre):
    centre.put('{"v":1.5,"ok":true,"x":{}}', type="reading")
    assert centre.sql("SELECT tidemark.make_view('reading')") == ["tidemark.reading"]
    centre.sql("CREATE VIEW tidemark.of_an_operator AS SELECT 1 AS one")
    as_reader = "SET ROLE tidemark_reader; "
    for view in ("records", "all_records", "nodes", "events", "conflicts", "reading", "of_an_operator"):
        assert centre.sql(as_reader + f"SELECT * FROM tidemark.{view}") == centre.sql(f"SELECT * FROM tidemark.{view}")
    assert centre.sql(as_reader + "SELECT v, ok, x FROM tidemark.reading") == ["1.5|t|{}"]
    denied = [f"{what} tidemark.{view}{rest}" for view in ("records", "reading") for what, rest in (
        ("INSERT INTO", " (owner, id) VALUES ('a', 'b')"), ("UPDATE", " SET id = 'c'"), ("DELETE FROM", ""), ("DROP VIEW", ""))]
    denied += [f"SELECT * FROM tidemark_store.{t}" for t in centre.sql(
        "SELECT relname FROM pg_class WHERE relnamespace = 'tidemark_store'::regnamespace AND relkind = 'r'")]
    assert len(denied) > 8 + 8
    denied += ["CREATE TABLE tidemark.t (i int)", "CREATE VIEW tidemark.v AS SELECT 1", "SELECT tidemark.make_view('reading')",
               "SELECT tidemark.make_reader()", "SELECT tidemark_store.members_of('reading', 1)"]
    for statement in denied:
        with pytest.raises(AssertionError, match="permission denied|must be owner"):
            centre.sql(as_reader + statement)


def test_the_keys_index_is_used(centre):
    centre.sql("""INSERT INTO tidemark_store.records (owner, id, type, body, deleted, actor, n, h0, h1, local_generation, created_at,
        updated_at) SELECT 'o' || i % 10, 'r' || i, 't', '{"v":1}', false, 1, i, i, i, 1, i, i FROM generate_series(1, 3000) AS i""")
    centre.sql("SELECT tidemark.make_view('t'); ANALYZE tidemark_store.records")
    for view in ("records", "all_records", "t"):
        for query in ("owner = 'o3' AND id = 'r3'", "owner = 'o3' AND id > 'r3' ORDER BY id LIMIT 5"):
            plan = "\n".join(centre.sql(f"EXPLAIN SELECT * FROM tidemark.{view} WHERE {query}"))
            assert "using records_pkey" in plan and "Index Cond: ((owner = 'o3'" in plan and "Sort" not in plan, plan
    plan = "\n".join(centre.sql("EXPLAIN SELECT * FROM tidemark.events WHERE id > 7 ORDER BY id LIMIT 5"))
    assert "events_pkey" in plan, plan


def test_a_types_view_has_the_narrowest_columns(centre):
    centre.put('{"n":1,"b":true,"s":"x","mixed":1,"deep":{"a":[1]},"nothing":null,"odd":1e5000,"some":1}',
               '{"n":2.50,"b":null,"s":"","mixed":"x","deep":3,"nothing":null,"odd":2,"later":false}', type="kinds")
    centre.put("[1]", "5", '"x"', type="kinds")  # no objects
    assert centre.sql("SELECT tidemark.make_view('kinds')") == ["tidemark.kinds"]
    assert centre.columns("kinds") == {
        "owner": "text", "id": "text", "updated_at": "timestamp with time zone", "n": "numeric", "b": "boolean", "s": "text",
        "mixed": "text", "deep": "json", "nothing": "text", "odd": "text", "later": "boolean", "some": "numeric"}
    assert centre.sql("SELECT n, b, s, mixed, deep, nothing, odd, later, r.some FROM tidemark.kinds AS r ORDER BY n") == [
        '1|t|x|1|{"a":[1]}||1e5000||1', "2.50|||x|3||2|f|", *["||||||||"] * 3]
    key = "SELECT owner, id, updated_at FROM tidemark."
    assert centre.sql(key + "records ORDER BY id") == centre.sql(key + "kinds ORDER BY id")


def test_what_does_not_fit_later_is_null(centre):
    centre.put('{"n":1,"b":true,"s":"x","j":[]}', type="later")
    centre.sql("SELECT tidemark.make_view('later')")
    unfit = ['"1"', '"true"', "true", "7", "1e999999", "1E+5000", "1e-20000", "9" * 60000, "0." + "1" * 20000, "null", "{}", '[{"n":1}]']
    for value in unfit:
        centre.put(f'{{"n":{value},"b":{value},"j":{value},"s":{value}}}', type="later")
    found = centre.sql("SELECT n, b, left(s, 9), left(j::text, 9) FROM tidemark.later WHERE s IS DISTINCT FROM 'x' ORDER BY updated_at")
    assert found == ['||1|"1"', '||true|"true"', "|t|true|true", "7||7|7", "||1e999999|1e999999", "||1E+5000|1E+5000",
                     "||1e-20000|1e-20000", "||999999999|999999999", "||0.1111111|0.1111111", "|||", "||{}|{}", '||[{"n":1}]|[{"n":1}]']
    assert centre.sql("SELECT count(*) FROM tidemark.later WHERE j IS NULL") == ["1"]
    centre.put('{"n":' + "9" * 200000 + "}", type="later")  # more digits than a numeric has
    assert centre.sql("SELECT sum(n) FROM tidemark.later") == ["8"]
    numbers = ["0", "-0", "1.10", "-1e3", "12E-3", "1e+2", "9" * 250]
    assert centre.sql(f"SELECT tidemark.as_number(n) FROM unnest(ARRAY{numbers}::json[]) AS n") == [
        "0", "0", "1.10", "-1000", "0.012", "100", "9" * 250]


def test_members_with_odd_names(centre):
    names = ["id", "owner", "Owner", "updated_at", "a b", 'say "x"', "it's", "", "%s", "$1", "--", "select", "ctid", "übergröße", "日本",
             "a\nb", "\\", "body", "id_2", *("x" * 99 + c for c in "abc"), "ö" * 60, "ö" * 60 + "x"]
    body = json.dumps({name: i for i, name in enumerate(names)}, ensure_ascii=False)
    centre.put(body, type="odd-names")
    assert centre.sql("SELECT tidemark.make_view('odd-names')") == ["tidemark.odd_names"]
    (row,) = centre.rows("SELECT * FROM tidemark.odd_names")
    assert row.pop("owner") == "far" and row.pop("id") and row.pop("updated_at")
    cut = {"id": "id_2", "owner": "owner_2", "updated_at": "updated_at_2", "": "_", "id_2": "id_2_2", "x" * 99 + "a": "x" * 63,
           "x" * 99 + "b": "x" * 61 + "_2", "x" * 99 + "c": "x" * 61 + "_3", "ö" * 60: "ö" * 31, "ö" * 60 + "x": "ö" * 30 + "_2"}
    assert row == {cut.get(name, name): i for i, name in enumerate(names)}
    assert centre.sql("SELECT col_description('tidemark.odd_names'::regclass, 4)") == ['The body\'s member "id"']


def test_a_view_made_again_has_the_new_members(centre):
    centre.put('{"a":1}', type="grows")
    centre.sql("SELECT tidemark.make_view('grows'); CREATE VIEW tidemark.mine AS SELECT a FROM tidemark.grows")
    centre.put('{"a":2,"b":"x"}', type="grows")
    assert centre.sql("SELECT tidemark.make_view('grows')") == ["tidemark.grows"]  # what builds on it stays
    assert list(centre.columns("grows"))[3:] == ["a", "b"]
    assert centre.sql("SELECT sum(a) FROM tidemark.mine") == ["3"]
    centre.put('{"a":"three"}', type="grows")
    centre.refuses("SELECT tidemark.make_view('grows')", "other objects depend on it", "tidemark.mine")
    assert centre.sql("SELECT sum(a) FROM tidemark.mine") == ["3"]
    centre.sql("DROP VIEW tidemark.mine; SELECT tidemark.make_view('grows')")
    assert centre.columns("grows")["a"] == "text"
    assert centre.sql("SET ROLE tidemark_reader; SELECT a FROM tidemark.grows ORDER BY a") == ["1", "2", "three"]
    assert centre.sql("SELECT tidemark.make_view('grows', sample => 1)") and list(centre.columns("grows"))[3:] == ["a"]
    assert "newest 1 of" in centre.sql("SELECT obj_description('tidemark.grows'::regclass)")[0]
    assert centre.sql("SELECT tidemark.make_view('grows', sample => NULL)") and list(centre.columns("grows"))[3:] == ["a", "b"]


def test_which_view_and_which_name(centre):
    for kind in ("records", "a-b", "a_b", "3d", "plain"):
        centre.put('{"a":1}', type=kind)
    centre.put("7", type="scalar")
    centre.put('{"old":1}', type="dropped")
    (dropped,) = centre.sql("SELECT id FROM tidemark.records WHERE type = 'dropped'")
    assert lab.call(f"{centre.url}/v1/records/far/{dropped}", "DELETE").status == 200
    before = centre.sql("SELECT pg_get_viewdef('tidemark.records'::regclass)")
    centre.refuses("SELECT tidemark.make_view('records')", "tidemark.records is there already", "make_view('records', 'records_records')")
    assert centre.sql("SELECT pg_get_viewdef('tidemark.records'::regclass)") == before
    assert centre.sql("SELECT tidemark.make_view('records', 'records_records')") == ["tidemark.records_records"]
    assert centre.sql("SELECT tidemark.make_view('a-b')") == ["tidemark.a_b"]
    centre.refuses("SELECT tidemark.make_view('a_b')", "is not the view of the type 'a_b'")
    assert centre.sql("SELECT tidemark.make_view('a_b', 'A \"B\"')") == ['tidemark."A ""B"""']
    assert centre.sql('SELECT a FROM tidemark."A ""B"""') == ["1"]
    assert centre.sql("SELECT tidemark.make_view('3d')") == ["tidemark._3d"]
    centre.sql("CREATE TABLE tidemark.plain (i int)")
    centre.refuses("SELECT tidemark.make_view('plain')", "tidemark.plain is there already")
    for kind in ("nothing", "scalar", "dropped", "x'; DROP SCHEMA tidemark CASCADE; --"):
        centre.refuses("SELECT tidemark.make_view('%s')" % kind.replace("'", "''"), "there is no record of the type", "GROUP BY type")
    centre.refuses("SELECT tidemark.make_view(NULL)", "there is no record of the type NULL")
    centre.refuses("SELECT tidemark.make_view('a-b', sample => 0)", "1 or more, or NULL")
    for name in ("", "x" * 64, "ö" * 32):
        centre.refuses(f"SELECT tidemark.make_view('a-b', '{name}')", "1 to 63 bytes")
    assert centre.sql("SELECT owner, id FROM tidemark.all_records WHERE deleted") == [f"far|{dropped}"]


def test_more_members_than_a_view_has_columns(centre):
    centre.put('{"often":1,"never_mind":2}', '{"often":1}', json.dumps({f"m{i:04}": i for i in range(3000)}), type="wide")
    centre.sql("SELECT tidemark.make_view('wide')")
    columns = list(centre.columns("wide"))
    assert len(columns) == 1503 and "often" in columns and "m0000" in columns and "m2999" not in columns


MIGRATIONS = [str(i + 1) for i, _ in enumerate((lab.TOP / "sql/central/migrations").glob("*.postgres.sql"))]


def back_to_the_first_schema(centre):
    """Takes away all that the later ones add."""
    centre.sql("DROP SCHEMA tidemark CASCADE; SET search_path = tidemark_store; DROP TABLE IF EXISTS notices, receivers, deliveries, tokens; "
               "ALTER TABLE counters DROP COLUMN IF EXISTS delivery; ALTER TABLE events DROP COLUMN IF EXISTS who, "
               "DROP COLUMN IF EXISTS address, DROP COLUMN IF EXISTS before, DROP COLUMN IF EXISTS after; DELETE FROM schema_version WHERE version > 1")
    for f in centre.sql("SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = 'tidemark_store'::regnamespace"):
        centre.sql(f"DROP FUNCTION {f}")


def test_a_store_of_the_first_schema_gets_them(centre):
    centre.put('{"a":1}', type="t")
    before = centre.sql("SELECT * FROM tidemark.records")
    assert centre.stop() == 0
    back_to_the_first_schema(centre)
    centre.start()
    assert centre.sql("SELECT * FROM tidemark.records") == before
    assert centre.sql("SELECT version FROM tidemark_store.schema_version ORDER BY version") == MIGRATIONS
    # A schema of that name that is not ours is not mixed with.
    assert centre.stop() == 0
    back_to_the_first_schema(centre)
    centre.sql("CREATE SCHEMA tidemark")
    assert centre.spawn().process.wait(20) == 1 and 'tidemark\\" already exists' in centre.log_text()
    assert centre.sql("SELECT version FROM tidemark_store.schema_version") == ["1"]
    centre.sql("DROP SCHEMA tidemark")
    centre.start()


# --- roles are the cluster's: on one of the test's own ---

@pytest.fixture
def cluster(tmp_path):
    c = pg.Cluster(tmp_path / "pg")
    yield c
    c.remove()


def owned(cluster, role):
    """A database of that role: as the role comes to it, and as the administrator."""
    theirs, admin = (pg.Database(name, cluster.server) for name in ("shop", "unused"))
    cluster.sql(f"ALTER DATABASE shop OWNER TO {role}")
    admin.url, theirs.url = theirs.url, theirs.url.replace("user=postgres", f"user={role}")
    return theirs, admin


def test_without_the_right_to_make_roles(site, cluster):
    cluster.sql("CREATE ROLE plain LOGIN; CREATE ROLE ann LOGIN")
    store, admin = owned(cluster, "plain")
    centre = site.adopt(Centre(site.path, store=store, options=FAR))
    centre.put('{"a":1}', type="t")
    assert centre.sql("SELECT tidemark.make_view('t'); SELECT a FROM tidemark.t")[-1] == "1"
    assert cluster.sql("SELECT 1 FROM pg_roles WHERE rolname = 'tidemark_reader'") == []
    centre.refuses("SELECT tidemark.make_reader()", "permission denied to create role")
    admin.sql("SELECT tidemark.make_reader(); SELECT tidemark.make_reader(); GRANT tidemark_reader TO ann")
    ann = store.url.replace("user=plain", "user=ann")
    assert pg.sql(ann, "SELECT a FROM tidemark.t") == ["1"]
    assert pg.sql(ann, "SELECT hash FROM tidemark.records") == centre.sql("SELECT hash FROM tidemark.records")
    # What an administrator makes is the centre's, and the centre's own views are readable at once.
    centre.put('{"a":1}', type="u")
    admin.sql("SELECT tidemark.make_view('u')")
    assert centre.sql("SELECT tidemark.make_view('u')") == ["tidemark.u"] and pg.sql(ann, "SELECT a FROM tidemark.u") == ["1"]
    centre.sql("CREATE VIEW tidemark.mine AS SELECT 2 AS two")
    assert pg.sql(ann, "SELECT two FROM tidemark.mine") == ["2"]
    # Delegated, it is run with the owner's rights.
    admin.sql("GRANT EXECUTE ON FUNCTION tidemark.make_view TO ann")
    assert pg.sql(ann, "SELECT tidemark.make_view('u')") == ["tidemark.u"]
    with pytest.raises(AssertionError, match="permission denied"):
        pg.sql(ann, "SELECT * FROM tidemark_store.records")


def test_two_databases_may_migrate_at_once(site, cluster):
    cluster.sql("CREATE ROLE maker LOGIN CREATEROLE")
    store, admin = owned(cluster, "maker")
    centre = Centre(site.path, store=store, options=FAR)
    other = subprocess.Popen(["psql", "-XAtq", "-d", cluster.server], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                             env={**os.environ, "PGCONNECT_TIMEOUT": "10"})
    try:
        other.stdin.write("BEGIN; CREATE ROLE tidemark_reader NOLOGIN; SELECT 'made';\n")
        other.stdin.flush()
        assert other.stdout.readline() == "made\n"
        centre.spawn()
        lab.wait_until("the centre waits for the other", lambda: cluster.sql(
            "SELECT 1 FROM pg_stat_activity WHERE datname = 'shop' AND wait_event_type = 'Lock'"))
        other.stdin.write("COMMIT;\n")
        other.stdin.flush()
        centre.listens()
        assert admin.sql("SET ROLE tidemark_reader; SELECT name FROM tidemark.nodes") == ["far"]
    finally:
        other.stdin.close()
        other.wait(20)
        other.stdout.close()
        centre.kill()
