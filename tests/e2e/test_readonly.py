"""A file system that becomes read-only under a running local, as ext4 does by itself after an error."""
import subprocess

import lab
import power
import pytest
import test_health

pytestmark = pytest.mark.skipif(not power.possible(), reason="TIDEMARK_NO_POWER_CUTS")

MIB = 16


class Disk:
    """An ext4 in a file, mounted where only the program sees it."""

    def __init__(self, image):
        self.image = image
        with open(image, "wb") as f:
            f.truncate(MIB << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True, timeout=60)

    def argv(self, directory, argv):
        mount = f"mount -o loop,errors=remount-ro '{self.image}' '{directory}'"
        return ["unshare", "--mount", "sh", "-c", mount + ' && exec "$@"', "sh", *map(str, argv)]


class Local(lab.Local):
    disk = None

    def argv(self):
        return self.disk.argv(self.directory, super().argv())

    def abort(self):
        """What an I/O error does: the journal ends, and nothing more is taken, whatever is open."""
        subprocess.run(["nsenter", "--target", str(self.process.pid), "--mount", "mount", "-o", "remount,abort", self.directory], check=True, timeout=30)


def test_a_disk_that_became_read_only_is_said_and_nothing_is_lost(site):
    directory = site.path / "a-disk"
    directory.mkdir()
    a = Local(directory, "a")
    a.disk = Disk(site.path / "a.img")
    a.log = site.path / "a.log"
    site.adopt(a)
    centre = site.centre(a)
    a.write(*({"id": f"r{i}", "body": i} for i in range(50)))
    centre.in_sync("a")
    a.abort()
    refused = a.post("/v1/records", {"id": "no", "type": "t", "body": 1})
    assert refused.status == 503 and refused.code == "unavailable", refused.body
    assert a.get("/readyz").status == 503 and "no write is possible" in a.get("/readyz").json["detail"]
    n = test_health.until_ailing(centre, "writes_fail")
    said = test_health.ailments(n)["writes_fail"]["text"]
    assert n["unblock"] and said, n
    assert len(a.records()) == 50 and a.get("/healthz").status == 200  # reads go on,
    assert n["state"] == "in_sync" and n["proof"]["count"] == 50  # and so does the feed
    centre.tool("put", "a/r1", "--type", "t", "-", input='"edited"')
    n = lab.wait_until("it is said why it waits", lambda: (n := centre.node("a")) and "the last push" in n["reason"] and n)
    assert n["state"] == "catching_up" and n["backlog"]["push"] == 1, n
    # Mounted anew, as after a repair.
    a.kill()
    a.start()
    test_health.until_ailing(centre)
    centre.in_sync("a")
    assert a.post("/v1/records", {"id": "yes", "type": "t", "body": 1}).status == 201
    centre.in_sync("a")
    assert lab.same_records(a, centre) == 51
