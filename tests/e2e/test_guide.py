"""deploy/guide/restore.md: every command in it, run as it stands, but for where things lie and who starts the programs."""
import pathlib
import re

import pytest

import guide
import lab
import pg

GUIDE = guide.Guide("restore.md")


def run(machine, block, **kw):
    return machine.sh(GUIDE.blocks[block], **kw)


def edit(centre, rid, body):
    assert lab.call(f"{centre.url}/v1/records/shop-1/{rid}", "PUT", f'{{"type":"t","body":{body}}}').status in (200, 201)


def fill(local, centre):
    local.write(*({"id": f"r{i}", "body": i} for i in range(50)))
    edit(centre, "edited", 1)
    centre.in_sync()


def test_a_centre_with_the_embedded_store_is_put_back(machine):
    local, centre = machine.ends(None)
    fill(local, centre)
    run(machine, "embedded-backup")
    assert "ok" in run(machine, "embedded-check") and "shop-1|51" in run(machine, "embedded-check")
    edit(centre, "edited", 2)
    local.write({"id": "since", "body": 1})
    centre.in_sync()
    assert "CENTRE_REWOUND" in run(machine, "embedded-restore")
    assert centre.get("/v1/records/shop-1/edited").json["body"] == 2
    assert lab.same_records(local, centre) == 52
    assert centre.conflicts()[0]["why"] == "centre_restored"


def test_a_local_is_put_back_with_and_without_a_copy(machine):
    local, centre = machine.ends(None)
    fill(local, centre)
    run(machine, "local-backup")
    local.write({"id": "since", "body": 1})
    centre.in_sync()
    run(machine, "local-restore")
    assert centre.events("shop-1", "REWOUND") and local.get("/v1/records/since").json["body"] == 1
    run(machine, "local-wipe")
    assert centre.events("shop-1", "WIPED")
    assert lab.same_records(local, centre) == 52


@pytest.fixture
def cluster(machine):
    c = pg.Cluster(machine.top / "pg")
    yield c
    c.remove()


def test_a_centre_on_postgresql_is_put_back(machine, cluster):
    store = pg.Database("tidemark", cluster.server).url
    urls = {"STORE": store, "MAINTENANCE": cluster.server}
    local, centre = machine.ends(store)
    fill(local, centre)
    run(machine, "postgres-backup", **urls)
    edit(centre, "edited", 2)
    local.write({"id": "since", "body": 1})
    centre.in_sync()
    run(machine, "postgres-restore", **urls)
    assert centre.events("shop-1", "CENTRE_REWOUND")
    assert centre.get("/v1/records/shop-1/edited").json["body"] == 2
    assert lab.same_records(local, centre) == 52


def test_a_centre_on_postgresql_goes_to_a_moment(machine, cluster):
    store = pg.Database("tidemark", cluster.server).url
    old, new = cluster.home / "data", cluster.home / "new"
    kw = {"owner": "postgres", "STORE": store, "MAINTENANCE": cluster.server, "OLD": str(old), "NEW": str(new)}
    kw["PATH"] = f"{pg_bin()}:{machine.env['PATH']}"
    local, centre = machine.ends(store)
    run(machine, "postgres-archive", **kw)
    fill(local, centre)
    (kw["MOMENT"],) = pg.sql(cluster.server, "SELECT clock_timestamp()")
    edit(centre, "edited", 2)
    centre.in_sync()
    machine.sh("systemctl stop tidemark-central")
    try:
        machine.sh(f'echo "unix_socket_directories = \'{cluster.home}\'" >> "$NEW/postgresql.auto.conf"', **kw)  # the test's own
        run(machine, "postgres-point-in-time", **kw)
        lab.wait_until("it has come to the moment", lambda: pg.sql(store, "SELECT pg_is_in_recovery()") == ["f"], 60)
        assert pg.sql(store, "SELECT body FROM tidemark_store.records WHERE id = 'edited'") == ["1"]
        machine.sh("systemctl start tidemark-central")
        centre.in_sync()
        assert centre.get("/v1/records/shop-1/edited").json["body"] == 2
        assert centre.events("shop-1", "CENTRE_REWOUND")
        assert lab.same_records(local, centre) == 51
    finally:
        machine.sh('pg_ctl --pgdata="$NEW" --mode=immediate stop || true', **kw)


def pg_bin():
    """Where pg_ctl is: the newest server's."""
    return max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))


def test_no_command_was_left_out():
    tests = pathlib.Path(__file__).read_text()
    assert [name for name in GUIDE.blocks if f'run(machine, "{name}"' not in tests] == []
    assert len(GUIDE.blocks) == len(re.findall("^```sh ", GUIDE.text, re.M)) == len(re.findall("^```", GUIDE.text, re.M)) / 2
