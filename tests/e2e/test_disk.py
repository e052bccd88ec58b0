"""A disk that is full is said, refuses writes and nothing else, and heals when there is room again."""
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
from types import SimpleNamespace

import crowd
import lab
import pg

SIZE_MIB = 24
BODY = "x" * 60000


class SmallDisk:
    """A mixin for a program: its directory is a small disk of its own, seen by it alone."""

    def argv(self):
        mount = f"mount -t tmpfs -o size={SIZE_MIB}m tmpfs '{self.directory}'"
        return [*crowd.unshared(), "sh", "-c", mount + ' && exec "$@"', "sh", *map(str, super().argv())]

    @property
    def disk(self):
        return pathlib.Path(f"/proc/{self.process.pid}/root{self.directory}")

    def fill(self, leave=0):
        with open(self.disk / "filler", "wb", buffering=0) as f:
            try:
                while f.write(b"\0" * 4096) == 4096:
                    st = os.statvfs(self.disk)
                    if leave and st.f_bavail * st.f_frsize <= leave:
                        break
            except OSError:
                pass

    def make_room(self):
        (self.disk / "filler").unlink()


class SmallLocal(SmallDisk, lab.Local):
    pass


class SmallCentre(SmallDisk, lab.Centre):
    pass


def small(site, kind, name, *args, **kw):
    """Its log stays outside, where it can grow."""
    directory = site.path / (name + "-disk")
    directory.mkdir()
    p = kind(directory, *args, **kw)
    p.log = site.path / f"{name}.log"
    return site.adopt(p)


def write_until_refused(post):
    """What the database had set aside is used up first; returns the ids that were acknowledged, and the refusal."""
    acknowledged = []

    def refused():
        i = f"r{len(acknowledged)}"
        r = post(i)
        if r.status != 507:
            assert r.status in (200, 201), r.body
            acknowledged.append(i)
            return None
        return r

    return acknowledged, lab.wait_until("a write is refused", refused, 60)


def test_a_local_with_a_full_disk_reads_on_and_heals(site):
    local = small(site, SmallLocal, "a", "a")
    centre = site.centre(local)
    local.write({"id": "before", "body": 1})
    centre.in_sync("a")
    local.fill()
    done, refusal = write_until_refused(lambda i: local.post("/v1/records", {"id": i, "type": "t", "body": BODY}))
    assert refusal.code == "disk_full" and "full" in refusal.json["detail"], refusal.body
    assert local.status()["disk"]["ok"] is False
    lab.wait_until("the log says so", lambda: "store.failed" in local.log_text())
    assert local.get("/readyz").status == 503
    assert local.get("/healthz").status == 200
    assert len(local.records()) == len(done) + 1  # reads go on,
    centre.in_sync("a")  # and so does the feed
    assert lab.same_records(local, centre) == len(done) + 1
    assert local.post("/v1/records", {"id": "no", "type": "t", "body": BODY}).status == 507

    assert local.status()["disk"]["free_bytes"] < 1 << 20
    lab.wait_until("that there is little room is said apart", lambda: local.log_text().count("disk.low") == 1)
    centre.tool("put", "a/from-the-centre", "--type", "t", "-", input="1")  # waits at the centre
    local.make_room()
    assert local.status()["disk"]["ok"] is True and local.get("/readyz").status == 200  # before any write
    lab.wait_until("it takes writes again", lambda: local.post(
        "/v1/records", {"id": "after", "type": "t", "body": BODY}).status == 201)
    assert local.log_text().count("store.failed") == local.log_text().count("store.works") == 1
    centre.in_sync("a", seconds=60)
    assert lab.same_records(local, centre) == len(done) + 3


def test_little_room_is_said_before_there_is_none(site):
    local = small(site, SmallLocal, "a", "a")
    assert local.status()["disk"]["ok"] is True
    local.fill(leave=4 << 20)
    assert local.status()["disk"]["ok"] is False
    lab.wait_until("the log says so", lambda: "disk.low" in local.log_text())
    local.write({"id": "still", "body": 1})
    assert local.get("/readyz").status == 200 and "store.failed" not in local.log_text()
    local.make_room()
    lab.wait_until("and that there is room again", lambda: "disk.works" in local.log_text())
    assert local.status()["disk"]["ok"] is True


def test_writers_at_once_without_room_are_all_refused_and_it_is_said(site):
    """In one commit of many writers each is undone alone."""
    local = small(site, SmallLocal, "a", "a")
    local.fill()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        def post(i):
            return local.post("/v1/records", {"id": f"r{i}", "type": "t", "body": "x" * 250000}).status

        statuses = list(pool.map(post, range(160)))
    assert set(statuses) <= {201, 507} and statuses[-8:] == [507] * 8, statuses
    assert local.status()["disk"]["ok"] is False and "store.failed" in local.log_text()
    assert local.get("/readyz").status == 503
    assert len(local.records()) == statuses.count(201)


def test_a_centre_with_a_full_disk_reads_on_and_heals(site):
    local, other = site.local("a"), site.local("b")
    centre = small(site, SmallCentre, "centre", [local, other])
    local.write({"id": "before", "body": 1})
    centre.in_sync()
    centre.fill()
    done, refusal = write_until_refused(lambda i: lab.call(
        f"{centre.url}/v1/records/a/{i}", "PUT", f'{{"type":"t","body":"{BODY}"}}'))
    assert refusal.code == "disk_full", refusal.body
    for i in range(20):
        local.write({"id": f"local{i}", "body": BODY})
    seen = lab.wait_until("the node's state says so", lambda: (n := centre.node("a")) and "full" in n["reason"] and n)
    assert seen["state"] == "catching_up", seen
    assert centre.get("/readyz").status == 503
    assert centre.get("/v1/status").json["store"]["ok"] is False
    assert len(centre.records("a")) >= len(done) + 1
    assert centre.node("b")["state"] == "in_sync"  # has nothing to be stored

    centre.make_room()
    centre.in_sync(seconds=60)
    assert lab.same_records(local, centre) == len(done) + 21
    assert centre.get("/readyz").status == 200
    assert lab.call(f"{centre.url}/v1/records/b/x", "PUT", '{"type":"t","body":1}').status == 201
    assert centre.log_text().count("store.failed") == centre.log_text().count("store.works") == 1


def test_a_postgresql_with_a_full_disk_is_waited_for_and_nothing_is_set_aside(site, tmp_path):
    """53100 concerns the whole store, not a record: all of it is offered again."""
    cluster = pg.Cluster(tmp_path / "pg")
    place = cluster.home / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs", place], check=True)
    try:
        shutil.chown(place, cluster.home.owner(), cluster.home.group())
        place.chmod(0o700)
        cluster.sql(f"CREATE TABLESPACE small LOCATION '{place}'")
        cluster.sql("CREATE DATABASE store TABLESPACE small")
        store = SimpleNamespace(url=pg.with_database(cluster.server, "store"))
        local = site.local("a")
        centre = site.centre(local, store=store)
        local.write({"id": "before", "body": 1})
        centre.in_sync("a")
        with open(place / "filler", "wb", buffering=0) as f:
            try:
                while f.write(b"\0" * 8192) == 8192:
                    pass
            except OSError:
                pass
        bodies = [os.urandom(30000).hex() for _ in range(40)]  # nothing that could be compressed
        for i, body in enumerate(bodies):
            local.write({"id": f"r{i}", "body": body})
        seen = lab.wait_until("the node's state says so", lambda: (n := centre.node("a")) and "full" in n["reason"] and n)
        assert seen["state"] == "catching_up" and seen["quarantined"] == 0, seen
        assert "store.failed" in centre.log_text() and centre.get("/readyz").status == 503
        assert centre.get("/v1/status").json["store"]["ok"] is False
        assert len(centre.records("a")) == 1  # reads go on, and no part of a page is there
        (place / "filler").unlink()
        centre.in_sync("a", seconds=60)
        assert lab.same_records(local, centre) == 41
        assert centre.get("/readyz").status == 200
        assert centre.log_text().count("store.failed") == centre.log_text().count("store.works") == 1
        centre.stop()
    finally:
        subprocess.run(["umount", "-l", place], check=True)
        cluster.remove()
