"""Under systemd: the units hold, and their commands, started as they stand in the files under a notify socket, say when they
serve, how it goes, that they live, and that they stop; and run with no more system calls than their units allow."""
import errno
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

import lab
import supervise
from authority import Authority
from chronyd import CONF, Chronyd

NODES = ["tidemark-central.service", "tidemark-local@shop-1.service"]
root_only = pytest.mark.skipif("TIDEMARK_NO_POWER_CUTS" in os.environ, reason="needs root and loop devices")


@pytest.fixture
def units(tmp_path):
    """The units with the programs of this build in them."""
    directory = tmp_path / "units"
    directory.mkdir()
    for f in supervise.UNITS.iterdir():
        (directory / f.name).write_text(f.read_text().replace("/usr/bin/tidemark", f"{lab.BIN}/tidemark"))
    return directory


@pytest.fixture
def started(tmp_path):
    """Starts units, and ends them by pid."""
    programs, supervisors = [], []

    def start(file, instance="", abstract=False, watchdog_s=None, listens=True, **kw):
        name = f"{instance or 'central'}{len(programs)}"
        (tmp_path / name).mkdir()
        s = supervise.Supervisor(tmp_path / name, abstract)
        supervisors.append(s)
        kw.setdefault("config", "listen = 127.0.0.1:0\n")
        u = supervise.Unit(tmp_path / name, file, instance, supervisor=s, **kw)
        u.watchdog_s = watchdog_s or u.watchdog_s
        programs.append(u)
        return u.start() if listens else u.spawn()

    yield start
    for p in programs:
        if p.process and p.process.poll() is None:
            p.kill()
        assert "Sanitizer" not in p.log.read_text(), p.log
    for s in supervisors:
        s.close()


def local(started, name="shop-1", **kw):
    return started("tidemark-local@.service", name, **kw)


def centre_config(*nodes):
    return "listen = 127.0.0.1:0\npoll-interval = 500ms\n" + (f"node = {' '.join(nodes)}\n" if nodes else "")


def test_the_units_are_right_and_hardened(units):
    r = subprocess.run(["systemd-analyze", "verify", "--man=no", *NODES, "tidemark.target"], capture_output=True, text=True,
                       env={**os.environ, "SYSTEMD_UNIT_PATH": f"{units}:"}, timeout=30)
    assert r.returncode == 0 and not r.stderr.strip(), r.stderr
    for name in NODES:
        r = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=20", units / name.replace("shop-1", "")],
                           capture_output=True, text=True, timeout=30)
        level = re.search(r"exposure level for .*: ([\d.]+)", r.stdout)
        assert r.returncode == 0 and float(level[1]) < 2.0, r.stdout + r.stderr


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_each_command_says_how_it_goes_from_start_to_stop(started, abstract):
    shop = local(started, abstract=abstract, watchdog_s=1)
    shop.supervisor.wait("READY")
    shop.supervisor.wait("STATUS", r"^0 records, 0 of them not yet at a centre$")
    centre = started("tidemark-central.service", abstract=abstract, watchdog_s=1,
                     config=centre_config(f"shop-1={shop.url}", "shop-2=http://127.0.0.1:9"))
    centre.supervisor.wait("READY")
    centre.supervisor.wait("STATUS", r"^2 nodes: 1 in_sync, 1 never_seen$|^2 nodes: 1 never_seen, 1 in_sync$")
    assert (centre.state / "tidemark-central.db").exists() and (shop.state / "shop-1.db").exists()
    shop.post("/v1/records", {"type": "t", "body": 1})
    shop.supervisor.wait("STATUS", r"^1 records, 0 of them")
    for u in (shop, centre):
        u.supervisor.wait("WATCHDOG", past=3)
        u.process.send_signal(signal.SIGHUP)
        u.supervisor.wait("RELOADING")
        u.supervisor.wait("READY", past=1)
        assert u.stop() == 0
        u.supervisor.wait("STOPPING")
        order = [k for _, x in u.supervisor.listen() for k in x if k in ("READY", "RELOADING", "STOPPING")]
        assert order == ["READY", "RELOADING", "READY", "STOPPING"], order


def test_what_a_program_was_told_is_not_for_its_children(started, tmp_path):
    """chronyc could else say READY in its name."""
    spy = tmp_path / "chronyc"
    spy.write_text(f"#!/bin/sh\nenv > {tmp_path}/seen.new; mv {tmp_path}/seen.new {tmp_path}/seen\n")
    spy.chmod(0o755)
    shop = local(started, config=f"listen = 127.0.0.1:0\nchronyc = {spy}\n")
    shop.supervisor.wait("READY")
    lab.wait_until("chronyc was run", (tmp_path / "seen").exists)
    assert "PATH" in (tmp_path / "seen").read_text() and "NOTIFY" not in (tmp_path / "seen").read_text()


def test_the_tokens_come_as_credentials(started):
    secret, token, app = "operators-secret", "token-of-the-node", "applications-token"
    shop = local(started, credentials={"token": token + "\n", "app-token": app + "\n"})
    centre = started("tidemark-central.service", credentials={"secret": secret + "\n"}, config=centre_config())
    for url, path, right, wrong in ((shop.url, "/v1/status", app, token), (centre.url, "/v1/nodes", secret, app)):
        assert lab.call(url + path).status == 401
        assert lab.call(url + path, headers={"Authorization": f"Bearer {wrong}"}).status == 401
        assert lab.call(url + path, headers={"Authorization": f"Bearer {right}"}).status == 200
    assert lab.call(shop.url + "/v1/changes?x=1", headers={"Authorization": f"Bearer {token}"}).status == 400  # not 401
    r = subprocess.run([*map(str, centre.argv()), "--print-config"], capture_output=True, text=True, timeout=10,
                       env={**os.environ, **centre.environment})
    assert f"secret-file = {centre.credentials}/secret  # credential" in r.stdout
    r = subprocess.run([*map(str, centre.argv()), "--print-config", "--secret-file", "/x"], capture_output=True, text=True, timeout=10,
                       env={**os.environ, **centre.environment})
    assert "secret-file = /x  # flag" in r.stdout and "credential" not in r.stdout


def test_the_watchdog_is_fed_over_tls(started, tmp_path):
    """Both units with certificates as credentials, of another name and with one asked of clients: their own probe believes what it finds."""
    ca = Authority(tmp_path).make("shop-1=shop.example", "--client", "centre=centre.example")
    pem = lambda name: {"tls-certificate": ca.pem(name).read_text(), "tls-key": ca.key(name).read_text(), "tls-client-ca": ca.ca.read_text()}  # noqa: E731
    for u in (local(started, credentials=pem("shop-1"), watchdog_s=0.8), started("tidemark-central.service", credentials={
            **pem("centre"), "tls-ca": ca.ca.read_text(), "tls-client-certificate": ca.pem("centre").read_text(),
            "tls-client-key": ca.key("centre").read_text()}, watchdog_s=0.8)):
        assert u.url.startswith("https://127.0.0.1:")
        u.supervisor.wait("WATCHDOG", past=3)


def test_a_program_that_cannot_start_never_says_ready_and_is_not_started_again(started):
    """Its exit status is one that the unit does not try again after, and the status says why."""
    never = supervise.unit("tidemark-central.service")["Service"]["RestartPreventExitStatus"][0].split()
    assert never == supervise.unit("tidemark-local@.service")["Service"]["RestartPreventExitStatus"][0].split()
    centre = started("tidemark-central.service", config="poll-interval = never\n", listens=False)
    assert str(centre.process.wait(10)) == "2" and "2" in never
    shop = local(started, config="listen = 10.0.0.1:7101\n", listens=False)
    assert str(shop.process.wait(10)) == "6" and "6" in never
    first = local(started, "shop-3")
    second = supervise.Unit(first.directory, "tidemark-local@.service", "shop-3", config="listen = 127.0.0.1:0\n",
                            supervisor=shop.supervisor)
    second.log = first.directory / "second.log"
    assert second.spawn().process.wait(10) == 6
    shop.supervisor.wait("STATUS", "failed: .*in use by another process")
    assert not shop.supervisor.count("READY") and not centre.supervisor.count("READY")


def test_a_database_that_is_away_at_the_start_is_waited_for_and_said(started):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"postgresql://nobody@127.0.0.1:{closed.getsockname()[1]}/none"
        centre = started("tidemark-central.service", config=centre_config() + f"store = {url}\n", listens=False)
        centre.supervisor.wait("STATUS", "^waiting for the database: ")
        assert int(centre.supervisor.wait("EXTEND_TIMEOUT_USEC", past=1)) >= 10e6
        assert not centre.supervisor.count("READY")
        assert centre.stop() == 0


@pytest.fixture
def disk(tmp_path):
    """A file system of its own, which can be frozen."""
    image, at = tmp_path / "image", tmp_path / "disk"
    at.mkdir()
    subprocess.run(["truncate", "-s", "64M", image], check=True)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, at], check=True)
    yield at
    subprocess.run(["fsfreeze", "--unfreeze", at], capture_output=True)
    subprocess.run(["umount", "--lazy", at], check=True)


def goes_silent(s, watchdog_s):
    """Until it has said nothing for as long as systemd would wait."""
    lab.wait_until("silence", lambda: time.monotonic() - max(t for t, x in s.listen() if "WATCHDOG" in x) > watchdog_s, 30)


@root_only
def test_a_poller_or_writer_that_hangs_is_silent(started, disk):
    """Its disk hangs. What still answers (the API, /healthz) does not speak for it; when the disk goes on, it does again."""
    shop = local(started, config="listen = 127.0.0.1:0\ngenerate = 100\n")
    centre = started("tidemark-central.service", watchdog_s=1,
                     config=centre_config(f"shop-1={shop.url}") + f"store = sqlite:{disk}/centre.db\n")
    site = local(started, "site", watchdog_s=1, listens=False)
    site.kill()
    shutil.move(site.state, disk / "site")
    site.state.symlink_to(disk / "site")
    site.config.write_text("listen = 127.0.0.1:0\ngenerate = 100\n")
    site.start()
    for u in (centre, site):
        u.supervisor.wait("WATCHDOG", past=3)
    subprocess.run(["fsfreeze", "--freeze", disk], check=True)
    try:
        for u in (centre, site):
            goes_silent(u.supervisor, 1)
            assert u.get("/healthz").status == 200 and u.process.poll() is None
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", disk], check=True)
    for u in (centre, site):
        u.supervisor.wait("WATCHDOG", past=u.supervisor.count("WATCHDOG"))
        assert u.stop() == 0


def test_a_store_that_takes_no_writes_is_no_reason_to_be_started_again(started):
    """A limit on the size of files stands in for a full disk: restarting would not help, and it says so itself."""
    shop = local(started, config="listen = 127.0.0.1:0\ngenerate = 200\n")
    centre = started("tidemark-central.service", watchdog_s=1, config=centre_config(f"shop-1={shop.url}"))
    centre.supervisor.wait("WATCHDOG", past=1)
    size = max(f.stat().st_size for f in centre.state.iterdir())
    subprocess.run(["prlimit", f"--pid={centre.process.pid}", f"--fsize={size}:unlimited"], check=True)
    centre.supervisor.wait("STATUS", "the database takes no writes", seconds=40)
    centre.supervisor.wait("WATCHDOG", past=centre.supervisor.count("WATCHDOG") + 3)


def test_a_line_for_the_journal_begins_with_its_priority(started, tmp_path):
    shop = local(started)
    stream = os.stat(shop.log)
    shop.kill()
    for match, want in ((True, r"<[46]>ts="), (False, "ts=")):
        env = {**os.environ, **shop.environment, "JOURNAL_STREAM": f"{stream.st_dev}:{stream.st_ino if match else 1}"}
        with open(shop.log, "ab") as log:
            begin = log.tell()
            p = subprocess.Popen(list(map(str, shop.argv())), stderr=log, env=env, cwd=shop.state)
        try:
            text = lab.wait_until("listening", lambda: (lambda x: x if "listening" in x else None)(
                shop.log.read_bytes()[begin:].decode()))
            assert all(re.match(want, line) for line in text.splitlines()), text
        finally:
            p.terminate()
            p.wait(10)


def allowed_calls(file):
    """The names of the system calls that the unit's filter allows, as systemd takes its lines."""
    def names(word):
        if not word.startswith("@"):
            return {word}
        text = subprocess.run(["systemd-analyze", "syscall-filter", word], capture_output=True, text=True, check=True).stdout
        words = [w.strip() for w in text.splitlines()[1:] if w.strip() and not w.strip().startswith("#")]
        return set().union(*map(names, words))

    calls = names("@default")
    for line in supervise.unit(file)["Service"]["SystemCallFilter"]:
        found = set().union(*map(names, line.lstrip("~").split()))
        calls = calls - found if line.startswith("~") else calls | found
    return calls


def confined(file):
    """For a child before its exec: any other call ends it."""
    seccomp = pytest.importorskip("seccomp")
    f = seccomp.SyscallFilter(seccomp.KILL_PROCESS)
    for name in allowed_calls(file):
        try:
            f.add_rule(seccomp.ALLOW, name)
        except RuntimeError:
            pass  # none of this machine's
    f.add_rule(seccomp.ERRNO(errno.EPERM), "fchown")  # SQLite tries, but only as root, which the unit's user is not
    return f


def test_no_more_system_calls_are_made_than_the_units_allow(started, site, tmp_path, monkeypatch):
    """Enforced: chronyc asks a real chronyd, the kernel is asked for its bound, records go both ways, settings are read anew."""
    assert "adjtimex" in allowed_calls(NODES[0]) and "mount" not in allowed_calls(NODES[0]) | allowed_calls("tidemark-local@.service")
    filters = {f: confined(f) for f in ("tidemark-central.service", "tidemark-local@.service")}
    popen = subprocess.Popen
    loading = []

    def start(argv, **kw):
        return popen(argv, preexec_fn=filters[loading[-1]].load if loading else None, **kw)

    monkeypatch.setattr(subprocess, "Popen", start)
    chronyd = site.adopt(Chronyd(tmp_path, "chronyd", (CONF / "centre.conf").read_text(), "127.0.0.1"))
    loading.append("tidemark-local@.service")
    shop = local(started, config=f"listen = 127.0.0.1:0\ngenerate = 50\nchronyc = {chronyd.chronyc}\n")
    loading.append("tidemark-central.service")
    centre = started("tidemark-central.service", config=centre_config(f"shop-1={shop.url}"))
    shop.post("/v1/records", {"id": "x", "type": "t", "body": 1})
    lab.wait_until("x is there", lambda: centre.get("/v1/records/shop-1/x").status == 200)
    lab.call(centre.url + "/v1/records/shop-1/x", "PUT", '{"type":"t","body":2}')
    lab.wait_until("x went back", lambda: shop.get("/v1/records/x").json["body"] == 2)
    assert centre.get("/v1/backup").status == 200
    lab.wait_until("chronyd answered", lambda: (shop.get("/v1/status").json["clock"]["chrony"] or {}).get("state") == "alone")
    for u in (shop, centre):
        u.config.write_text(u.config.read_text() + "log-level = debug\n")
        u.process.send_signal(signal.SIGHUP)
        lab.wait_until("reloaded", lambda: " reloaded changed=1" in u.log_text())
        assert u.stop() == 0, u.log_text()


def test_a_forbidden_call_would_be_seen():
    """The filter of the test above does end what makes one."""
    f = confined("tidemark-central.service")
    p = subprocess.Popen(["mount", "--bind", "/nonexistent", "/nonexistent"], preexec_fn=f.load, stderr=subprocess.DEVNULL)
    assert p.wait(10) == -signal.SIGSYS
