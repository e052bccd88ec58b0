"""`tidemark backup`: a copy of the centre's store under load that is whole, keeps nobody waiting, and can be put back."""
import contextlib
import http.client
import http.server
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import threading
import time

import pytest

import lab


class Load(threading.Thread):
    """Writes at the locals and edits at the centre until told to stop; remembers what was acknowledged."""

    def __init__(self, locals_, centre):
        super().__init__(daemon=True)
        self.locals, self.centre, self.stopping, self.n, self.edits = locals_, centre, threading.Event(), 0, {}
        self.slowest = 0.0  # of the edits, in seconds

    def run(self):
        while not self.stopping.wait(0.002):
            self.n += 1
            for l in self.locals:
                l.write({"id": f"w{self.n % 500}", "body": self.n})
            owner, rid = self.locals[self.n % len(self.locals)].name, f"edit{self.n % 50}"
            began = time.monotonic()
            r = lab.call(f"{self.centre.url}/v1/records/{owner}/{rid}", "PUT", f'{{"type":"t","body":{self.n}}}')
            self.slowest = max(self.slowest, time.monotonic() - began)
            assert r.status in (200, 201), r.body
            self.edits[(owner, rid)] = self.n

    def stop(self):
        self.stopping.set()
        self.join(20)
        assert not self.is_alive()


def left_beside(centre):
    """What lies beside the store apart from what belongs to it."""
    own = {centre.store.path.name + s for s in ("", "-wal", "-shm", ".lock")}
    return sorted(f.name for f in centre.directory.glob(centre.store.path.name + "*") if f.name not in own)


def check_copy(path):
    """A database in one file; rows, counts and sums are of one moment."""
    assert path.read_bytes()[18:20] == b"\x01\x01"  # needs no log beside it
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as c:
        assert c.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        total = 0
        for name, count, *lanes in c.execute("SELECT name, digest_count, digest_lane0, digest_lane1 FROM nodes").fetchall():
            rows = c.execute("SELECT h0, h1 FROM records WHERE owner = ?", (name,)).fetchall()
            assert len(rows) == count
            for i in (0, 1):
                assert sum(r[i] for r in rows) % 2**64 == lanes[i] % 2**64
            total += count
        return total


def restore(centre, copy):
    """As deploy/guide/restore.md says."""
    for f in centre.directory.glob(centre.store.path.name + "*"):
        if not f.name.endswith(".lock"):
            f.unlink()
    centre.store.path.write_bytes(pathlib.Path(copy).read_bytes())


def test_a_backup_under_load_is_put_back_and_nothing_is_lost(site):
    locals_ = [site.local("a"), site.local("b")]
    for l in locals_:
        for i in range(4):
            l.write(*({"id": f"r{i}-{k}", "body": k} for k in range(5000)))
    centre = site.centre(*locals_)
    centre.in_sync(seconds=60)
    load = Load(locals_, centre)
    load.start()
    lab.wait_until("edits that the copy will hold", lambda: load.n > 10)
    copies = [site.path / f"copy{i}.db" for i in range(3)]
    for copy in copies:
        before = load.n
        said = json.loads(centre.tool("--json", "backup", str(copy)).stdout)
        assert said == {"file": str(copy), "bytes": copy.stat().st_size, "hash": said["hash"]} and len(said["hash"]) == 32
        lab.wait_until("the load goes on", lambda: load.n > before + 5)
        assert check_copy(copy) >= 40000 and copy.stat().st_mode & 0o777 == 0o600
    lab.wait_until("edits after the last copy", lambda: load.n > before + 60)
    load.stop()
    print(f"the slowest of {load.n} edits while copies were made took {load.slowest:.3f} s")
    assert load.slowest < 3
    centre.in_sync()
    assert left_beside(centre) == [] and not list(site.path.glob("*.part"))
    assert [e for e in centre.events(kind="backup.made") if "bytes" in e["text"]]

    centre.stop()
    restore(centre, copies[0])
    centre.start()
    centre.in_sync(seconds=60)
    for l in locals_:
        assert lab.same_records(l, centre) >= 20000
    for (owner, rid), n in load.edits.items():
        assert centre.get(f"/v1/records/{owner}/{rid}").json["body"] == n  # those that the copy has not came back from their owners
    assert centre.events(kind="CENTRE_REWOUND")
    for kind in ("WIPED", "REWOUND", "CLONED", "DIVERGED"):
        assert centre.events(kind=kind) == []
    lab.call(f"{centre.url}/v1/records/a/after", "PUT", '{"type":"t","body":"goes on"}')
    centre.in_sync()
    assert locals_[0].get("/v1/records/after").json["body"] == "goes on"


def test_a_file_is_never_replaced_unasked_nor_left_half(site):
    centre = site.centre()
    copy = site.path / "copy.db"
    copy.write_text("precious")
    r = centre.tool("backup", str(copy), check=False)
    assert r.returncode == 6 and "--force" in r.stderr and copy.read_text() == "precious"
    (site.path / "copy.db.part").write_text("left by one that was killed")
    assert "whole and on disk" in centre.tool("backup", "--force", str(copy)).stdout
    assert check_copy(copy) == 0
    for args in ([], ["-"], ["a", "b"]):
        assert centre.tool("backup", *args, check=False).returncode == 2, args
    assert centre.tool("backup", str(site.path / "no" / "copy.db"), check=False).returncode == 1
    with open("/dev/full", "w", encoding="ascii") as full:
        r = subprocess.run([lab.BIN / "tidemark", "--central", centre.url, "backup", site.path / "unsaid.db"], stdout=full,
                           stderr=subprocess.PIPE, text=True, timeout=20)
    assert r.returncode == 1
    r = subprocess.run(["prlimit", "--fsize=10000", lab.BIN / "tidemark", "--central", centre.url, "backup", site.path / "large.db"],
                       capture_output=True, text=True, timeout=20)
    assert r.returncode == 1 and "large.db.part" in r.stderr, r
    assert not list(site.path.glob("large.db*"))
    assert run_against("http://127.0.0.1:9", site.path / "x.db").returncode == 3
    assert not list(site.path.glob("*.part")) and not (site.path / "x.db").exists()


def run_against(url, path, *options):
    return subprocess.run([lab.BIN / "tidemark", "--central", url, *options, "backup", path], capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("length,etag,words", [
    (100, '"' + "0" * 32 + '"', "not what the centre sent"), (200, '"' + "0" * 32 + '"', "connection broke"), (100, None, "not what")])
def test_what_comes_wrong_is_not_kept(site, length, etag, words):
    class Broken(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(length))
            if etag:
                self.send_header("ETag", etag)
            self.end_headers()
            self.wfile.write(b"x" * 100)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Broken) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        r = run_against(f"http://127.0.0.1:{web.server_port}", site.path / "copy.db")
        web.shutdown()
    assert r.returncode in (1, 3) and words in r.stderr, r
    assert not list(site.path.glob("copy.db*"))


def test_one_at_a_time_and_only_for_the_operator(site):
    secret = site.path / "secret"
    secret.write_text("a-long-secret-of-the-centre")
    os.chmod(secret, 0o600)
    a = site.local("a")
    token = site.path / "token"
    centre = site.centre(options=["--secret-file", str(secret)])
    token.write_text(centre.tool("--token-file", str(secret), "node", "add", "a", a.url).stdout.strip())
    os.chmod(token, 0o600)
    for _ in range(8):  # more than the sockets' buffers take
        a.write(*({"id": os.urandom(8).hex(), "body": "x" * 5000} for _ in range(900)))
    a.stop()
    a.options = ["--token-file", str(token)]
    a.start()
    assert centre.tool("--token-file", str(secret), "wait", "--in-sync", "--timeout", "30s").returncode == 0
    assert centre.get("/v1/backup").status == 401
    assert run_against(centre.url, site.path / "x.db").returncode == 6
    assert run_against(centre.url, site.path / "x.db", "--token-file", str(token)).returncode == 6
    ask = {"Authorization": "Bearer " + secret.read_text()}
    host, port = centre.url.removeprefix("http://").split(":")
    slow = http.client.HTTPConnection(host, int(port), timeout=20)
    slow.request("GET", "/v1/backup", headers=ask)
    r = slow.getresponse()  # and reads no further
    assert r.status == 200 and int(r.headers["Content-Length"]) > 30 * 1000 * 1000
    second = run_against(centre.url, site.path / "x.db", "--token-file", str(secret))
    assert second.returncode == 1 and "another copy" in second.stderr
    assert lab.call(centre.url + "/v1/backup", "HEAD", headers=ask).status == 200
    slow.close()
    lab.wait_until("its turn is over", lambda: run_against(
        centre.url, site.path / "x.db", "--token-file", str(secret)).returncode == 0)
    check_copy(site.path / "x.db")
    assert left_beside(centre) == []


def test_a_centre_that_is_killed_while_it_copies_leaves_nothing_for_long(site):
    a = site.local("a")
    a.write(*({"id": f"r{i}", "body": i} for i in range(1000)))
    centre = site.centre(a)
    centre.in_sync()
    centre.process.send_signal(signal.SIGSTOP)
    kept = site.path / "centre.db.backup-of-monday"
    for name in ("centre.db.copy-in-progress.abc123", "centre.db.copy-in-progress.abc123-journal", kept.name):
        (site.path / name).write_text("x")
    centre.kill()
    centre.start()
    assert left_beside(centre) == [kept.name]


def test_the_end_of_the_centre_is_not_held_up(site):
    a = site.local("a")
    for i in range(10):
        a.write(*({"id": f"r{i}-{k}", "body": k} for k in range(10000)))
    centre = site.centre(a)
    centre.in_sync(seconds=60)
    with subprocess.Popen([lab.BIN / "tidemark", "--central", centre.url, "backup", site.path / "x.db"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as tool:
        lab.wait_until("it copies", lambda: left_beside(centre) or tool.poll() is not None)
        centre.stop(seconds=5)
        assert tool.wait(10) in (0, 1, 3)
    assert left_beside(centre) == [] and not list(site.path.glob("*.part"))
    assert (site.path / "x.db").exists() == (tool.returncode == 0)


def test_no_room_for_a_copy_is_said_before_the_disk_is_full(site):
    """A tiny file system of its own stands in for a full disk."""
    place = site.path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", place], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip("no file systems may be mounted here")
    centre = lab.Centre(place)
    try:
        centre.start()
        r = centre.tool("backup", str(site.path / "x.db"), check=False)
        assert r.returncode == 1 and "the disk is full: a copy needs" in r.stderr
        assert centre.get("/v1/backup").status == 507 and centre.get("/readyz").status == 200
        centre.stop()
    finally:
        if centre.process and centre.process.poll() is None:
            centre.kill()
        subprocess.run(["umount", place], check=True)


def test_a_centre_on_postgresql_names_the_tool_for_it(site, databases):
    store = databases()
    head, _, query = store.url.partition("://")[2].partition("?")
    user, _, place = head.rpartition("@")
    settings = lab.private_file(site.path / "centre.conf", f"store = postgresql://{user or 'postgres'}:hidden@{place}?{query}&password=hidden\n")
    centre = lab.Centre(site.path, [], store=store)
    centre.argv = (lambda argv: lambda: [a for a in argv() if a not in ("--store", store.url)] + ["--config", settings])(centre.argv)
    site.adopt(centre)
    r = centre.tool("backup", str(site.path / "x.db"), check=False)
    assert r.returncode == 6 and not list(site.path.glob("x.db*"))
    assert "pg_dump --format=custom --file=centre.dump 'postgresql://" in r.stderr and "hidden" not in r.stderr
    line = r.stderr[r.stderr.index("pg_dump"):].strip()
    subprocess.run(line, shell=True, check=True, cwd=site.path, timeout=60)
    assert (site.path / "centre.dump").stat().st_size > 1000
