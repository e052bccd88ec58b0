"""Machines whose power is cut: their disk loses what was not flushed, and in the same instant everything on it is killed.

A disk is tests/disk behind a loop device, with ext4 in it, mounted where only the program sees it.
"""
import os
import pathlib
import signal
import subprocess

import lab
import pg
import proc

PROGRAM = lab.BIN / "tests" / "disk" / "disk"


def possible():
    """Says why not, unless the caller has allowed to leave these tests out."""
    missing = [w for w, there in (("root", os.geteuid() == 0), ("/dev/fuse", os.path.exists("/dev/fuse")),
                                  ("/dev/loop-control", os.path.exists("/dev/loop-control"))) if not there]
    assert not missing or os.environ.get("TIDEMARK_NO_POWER_CUTS"), \
        f"cutting the power needs root, /dev/fuse and loop devices, and here is no {', '.join(missing)}; TIDEMARK_NO_POWER_CUTS=1 leaves it out"
    return not missing


class Disk:
    """The image that is there now; cut() loses what was not flushed and goes on to the next."""

    def __init__(self, directory, mib, seed):
        self.directory, self.lost = pathlib.Path(directory), 0
        self.directory.mkdir()
        self.process = subprocess.Popen(["unshare", "--mount", PROGRAM, self.directory, str(mib), str(seed)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == "ready\n", "no disk: see above"
        self.place = f"/proc/{self.process.pid}/root{self.directory}/"
        self.image = self.place + "0"
        subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", "-E", "nodiscard", self.image], check=True, timeout=60)

    def cut(self):
        """From now on it stands still: kill those who are on it, and then go()."""
        self.process.stdin.write("cut\n")
        self.process.stdin.flush()
        image, _, lost = self.process.stdout.readline().split()
        self.image, self.lost = self.place + image, self.lost + int(lost)

    def go(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def with_it_at(self, directory, *argv):
        """The command, run where the disk is at that directory."""
        mount = f"mount -o loop '{self.image}' '{directory}'"
        return ["unshare", "--mount", "sh", "-c", mount + ' && exec "$@"', "sh", *map(str, argv)]

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


class Machine:
    """A mixin for a program: its directory is on a disk of its own."""
    disk = None

    def argv(self):
        return self.disk.with_it_at(self.directory, *super().argv())

    def die(self):
        self.process.kill()

    def buried(self):
        self.process.wait()

    def check(self):
        """The database is whole, as another reader sees it while the program runs."""
        r = subprocess.run(["nsenter", "--target", str(self.process.pid), "--mount", "sqlite3", "-readonly", self.file(),
                            "PRAGMA integrity_check"], capture_output=True, text=True, timeout=60)
        assert r.stdout == "ok\n", r


class Local(Machine, lab.Local):
    def file(self):
        return self.db


class Centre(Machine, lab.Centre):
    def file(self):
        return self.store.path


class Server:
    """PostgreSQL with its data on a disk of its own; as an attribute `store` has: name, url, sql()."""

    def __init__(self, directory, disk):
        self.disk, self.name, self.directory = disk, "postgres", pathlib.Path(directory)
        self.cluster = pg.Cluster(directory, durable=True)
        self.database = pg.Database("tidemark", self.cluster.server)
        self.cluster.setting("max_wal_size", "64MB")
        self.cluster.stop()
        self.data = self.cluster.home / "data"
        away = self.directory.with_name("copied")
        away.mkdir()
        subprocess.run(disk.with_it_at(away, "sh", "-c", f"cp -a '{self.data}/.' '{away}/' && chown --reference '{self.data}' '{away}' && "
                                       f"chmod 700 '{away}' && umount '{away}'"), check=True, timeout=120)
        self.log = self.directory.with_name("postgres.log")
        self.process = None

    def spawn(self):
        binaries = subprocess.run(["sh", "-c", "ls -d /usr/lib/postgresql/*/bin | sort -t/ -k5,5nr | head -n 1"], check=True,
                                  capture_output=True, text=True).stdout.strip()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.disk.with_it_at(self.data, "setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", f"{binaries}/postgres",
                                     "-D", self.data, "-k", self.cluster.home), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def listens(self):
        def answers():
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            return subprocess.run(["psql", "-XAtqd", self.database.url, "-c", "SELECT 1"], capture_output=True, timeout=30).returncode == 0

        lab.wait_until("PostgreSQL answers", answers, 60)
        return self

    def die(self):
        pid = self.process.pid
        self.dead = [pid, *proc.children(pid)]
        for p in self.dead:
            try:
                os.kill(p, signal.SIGKILL)
            except ProcessLookupError:
                pass  # a session that has ended by itself

    def buried(self):
        self.process.wait()
        lab.wait_until("all of it is gone", lambda: not any(os.path.exists(f"/proc/{p}") for p in self.dead))

    def check(self):
        pass  # it checks itself when it starts

    def close(self):
        if self.process and self.process.poll() is None:
            self.die()
            self.buried()
        self.cluster.remove()


def cut(machines):
    """All at once; returns when they run again, on what is left of their disks."""
    for m in machines:
        m.disk.cut()
    for m in machines:
        m.die()
    for m in machines:
        m.disk.go()
    for m in machines:
        m.buried()
    for m in machines:
        m.spawn()
    for m in machines:
        m.listens()
