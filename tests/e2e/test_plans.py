"""How PostgreSQL goes about what a centre asks of its records: by an index and in its order, before it has counted its tables
and after."""
import re

import pytest

import pg

BAD = re.compile(r"Seq Scan on records|Bitmap|Sort|Gather|Hash Join|Merge Join")
# Without a part of each of these in the log nothing would be shown.
ASKED = ("SELECT 1 FROM records WHERE owner = $1 AND differs", "refused IS NOT NULL LIMIT 1", "AND id > $2 AND differs",
         "AND NOT differs", "WITH ORDINALITY AS asked", "WITH ORDINALITY AS same", "SELECT owner, id, type",
         "SELECT id, local_h0, local_h1")


@pytest.fixture
def cluster(tmp_path):
    """With the plan of each statement in its log."""
    c = pg.Cluster(tmp_path / "pg")
    yield c
    c.remove()


def exchange_everything(local, centre, name):
    """Pulls of new, of changed and of known records, what was edited at the centre, what a wiped local lacks."""
    local.write(*({"id": f"{name}{i}", "body": i} for i in range(30)))
    centre.in_sync(local.name)
    local.stop()
    local.copy_to(local.directory / name)
    local.start()
    local.write(*({"id": f"{name}{i}", "body": [i]} for i in range(20)))
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
