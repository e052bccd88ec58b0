"""deploy/guide/restore.md: every command in it, run as it stands, but for where things lie and who starts the programs."""
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

import lab
import pg

GUIDE = (lab.TOP / "deploy" / "guide" / "restore.md").read_text()
BLOCKS = dict(re.findall(r"^```sh (\S+)\n(.*?)^```$", GUIDE, re.M | re.S))

SYSTEMCTL = r"""#!/bin/sh
# What systemd would do: start returns when the program says that it listens, stop when it has ended.
cd "$STATE" || exit 1
case $1 in
stop)
	kill "$(cat "$2.pid")" && tail --pid="$(cat "$2.pid")" -f /dev/null && rm "$2.pid" ;;
start)
	: >"$2.log"
	setsid sh -c "exec $(cat "$2.command")" </dev/null >>"$2.log" 2>&1 &
	echo $! >"$2.pid"
	for _ in $(seq 400); do
		! grep -q ' listening ' "$2.log" || exit 0
		kill -0 "$(cat "$2.pid")" || break
		sleep 0.05
	done
	cat "$2.log" >&2
	exit 1 ;;
esac
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Machine:
    """/var/lib/tidemark and /var/backups/tidemark elsewhere, and a systemctl of its own."""

    def __init__(self, top):
        self.top = top
        self.lib, self.backups, self.state, self.bin = (top / d for d in ("lib", "backups", "state", "bin"))
        for d in (self.lib, self.backups, self.state, self.bin, self.backups / "wal"):
            d.mkdir()
        (self.bin / "systemctl").write_text(SYSTEMCTL)
        (self.bin / "systemctl").chmod(0o755)
        self.env = {**os.environ, "STATE": str(self.state), "PATH": f"{self.bin}:{lab.BIN}:{os.environ['PATH']}"}

    def service(self, name, argv):
        (self.state / f"{name}.command").write_text(shlex.join(map(str, argv)))
        self.sh(f"systemctl start {name}")

    def sh(self, script, owner=None, **env):
        script = script.replace("/var/lib/tidemark", str(self.lib)).replace("/var/backups/tidemark", str(self.backups))
        argv = ["sh", "-eux", "-c", script]
        if owner and os.geteuid() == 0:
            argv = ["setpriv", f"--reuid={owner}", f"--regid={owner}", "--init-groups", *argv]
        with open(self.state / "said", "w+b") as said:  # a server that stays would hold a pipe open
            r = subprocess.run(argv, env={**self.env, **env}, cwd="/", stdout=said, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                               timeout=120)
            said.seek(0)
            text = said.read().decode()
        assert r.returncode == 0, f"{script}\n{text}"
        return text

    def run(self, block, **kw):
        return self.sh(BLOCKS[block], **kw)

    def ends(self, store):
        """A local shop-1 and the centre, as services."""
        self.local_port, self.central_port = free_port(), free_port()
        local = lab.Local(self.lib, "shop-1", port=self.local_port)
        centre = lab.Centre(self.lib, name="centre", port=self.central_port, options=["--store", store] if store else [])
        local.url, centre.url = (f"http://127.0.0.1:{p}" for p in (self.local_port, self.central_port))
        self.env["TIDEMARK_CENTRAL"] = centre.url
        self.service("tidemark-local", local.argv())
        centre.locals = [local]
        self.service("tidemark-central", centre.argv())
        return local, centre

    def end(self):
        for f in self.state.glob("*.pid"):
            try:
                os.kill(int(f.read_text()), signal.SIGKILL)
            except ProcessLookupError:
                pass


@pytest.fixture
def machine():
    top = pathlib.Path(tempfile.mkdtemp(prefix="tidemark-guide."))
    top.chmod(0o755)  # PostgreSQL's user is to reach its archive
    m = Machine(top)
    m.backups.chmod(0o755)
    (m.backups / "wal").chmod(0o777)
    yield m
    m.end()
    shutil.rmtree(top)


def edit(centre, rid, body):
    assert lab.call(f"{centre.url}/v1/records/shop-1/{rid}", "PUT", f'{{"type":"t","body":{body}}}').status in (200, 201)


def fill(local, centre):
    local.write(*({"id": f"r{i}", "body": i} for i in range(50)))
    edit(centre, "edited", 1)
    centre.in_sync()


def test_a_centre_with_the_embedded_store_is_put_back(machine):
    local, centre = machine.ends(None)
    fill(local, centre)
    machine.run("embedded-backup")
    assert "ok" in machine.run("embedded-check") and "shop-1|51" in machine.run("embedded-check")
    edit(centre, "edited", 2)
    local.write({"id": "since", "body": 1})
    centre.in_sync()
    assert "CENTRE_REWOUND" in machine.run("embedded-restore")
    assert centre.get("/v1/records/shop-1/edited").json["body"] == 2
    assert lab.same_records(local, centre) == 52
    assert centre.conflicts()[0]["why"] == "centre_restored"


def test_a_local_is_put_back_with_and_without_a_copy(machine):
    local, centre = machine.ends(None)
    fill(local, centre)
    machine.run("local-backup")
    local.write({"id": "since", "body": 1})
    centre.in_sync()
    machine.run("local-restore")
    assert centre.events("shop-1", "REWOUND") and local.get("/v1/records/since").json["body"] == 1
    machine.run("local-wipe")
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
    machine.run("postgres-backup", **urls)
    edit(centre, "edited", 2)
    local.write({"id": "since", "body": 1})
    centre.in_sync()
    machine.run("postgres-restore", **urls)
    assert centre.events("shop-1", "CENTRE_REWOUND")
    assert centre.get("/v1/records/shop-1/edited").json["body"] == 2
    assert lab.same_records(local, centre) == 52


def test_a_centre_on_postgresql_goes_to_a_moment(machine, cluster):
    store = pg.Database("tidemark", cluster.server).url
    old, new = cluster.home / "data", cluster.home / "new"
    kw = {"owner": "postgres", "STORE": store, "MAINTENANCE": cluster.server, "OLD": str(old), "NEW": str(new)}
    kw["PATH"] = f"{pg_bin()}:{machine.env['PATH']}"
    local, centre = machine.ends(store)
    machine.run("postgres-archive", **kw)
    fill(local, centre)
    (kw["MOMENT"],) = pg.sql(cluster.server, "SELECT clock_timestamp()")
    edit(centre, "edited", 2)
    centre.in_sync()
    machine.sh("systemctl stop tidemark-central")
    try:
        machine.sh(f'echo "unix_socket_directories = \'{cluster.home}\'" >> "$NEW/postgresql.auto.conf"', **kw)  # the test's own
        machine.run("postgres-point-in-time", **kw)
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
    assert [name for name in BLOCKS if f'machine.run("{name}"' not in tests] == []
    assert len(BLOCKS) == len(re.findall("^```sh ", GUIDE, re.M)) == len(re.findall("^```", GUIDE, re.M)) / 2
