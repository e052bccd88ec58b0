"""PostgreSQL for the lab: the run's own cluster, clusters of a test's own, and SQL by psql."""
import os
import pathlib
import signal
import subprocess

import lab

CLUSTER = lab.TOP / "deploy" / "cluster"


def shared_url():
    """The maintenance database of the cluster that tests/run started; a test that needs it fails without it."""
    url = os.environ.get("TIDEMARK_TEST_POSTGRES")
    assert url, "TIDEMARK_TEST_POSTGRES names no PostgreSQL: run this by tests/run, or see tests/README.md"
    return url


def sql(url, statement, timeout=30.0):
    """The rows, a line each, fields joined by |."""
    r = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statement], capture_output=True, text=True,
                       timeout=timeout, env={**os.environ, "PGCONNECT_TIMEOUT": "10"})
    assert r.returncode == 0, f"{statement}: {r.stderr}"
    return r.stdout.splitlines()


def database(url, name):
    """The same server's URL with another database."""
    head, _, query = url.partition("?")
    return head.rsplit("/", 1)[0] + "/" + name + ("?" + query if query else "")


def make_database(name):
    """An empty database in the run's cluster; returns its URL."""
    sql(shared_url(), f'CREATE DATABASE "{name}"')
    return database(shared_url(), name)


def drop_database(url):
    name = url.partition("?")[0].rsplit("/", 1)[1]
    sql(shared_url(), f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def run(*args, check=True, **kw):
    r = subprocess.run([CLUSTER, *map(str, args)], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, **kw)
    assert not check or r.returncode == 0, f"cluster {args}: {r.returncode} {r.stderr}"
    return r


class Cluster:
    """A cluster of the test's own, which it may stop, freeze and promote."""

    def __init__(self, directory, standby_of=None):
        self.directory = pathlib.Path(directory)
        made = run("standby", self.directory, standby_of.directory) if standby_of else run("start", self.directory)
        self.maintenance = made.stdout.strip()

    @property
    def home(self):
        """Where its socket is."""
        return pathlib.Path(self.maintenance.partition("host=")[2].partition("&")[0])

    def url(self, name="postgres"):
        return run("url", self.directory, name).stdout.strip()

    def create(self, name):
        return run("create", self.directory, name).stdout.strip()

    def sql(self, statement, name="postgres"):
        return sql(database(self.maintenance, name), statement)

    def start(self):
        run("start", self.directory)

    def stop(self, how="fast"):
        run("stop", self.directory, how)

    def promote(self):
        run("promote", self.directory)

    def remove(self):
        run("remove", self.directory)

    def pids(self):
        """The server and its children."""
        server = int((self.home / "data" / "postmaster.pid").read_text().splitlines()[0])
        children = pathlib.Path(f"/proc/{server}/task/{server}/children").read_text().split()
        return [server, *map(int, children)]

    def freeze(self):
        """Stops every process of it as it stands; returns their pids for thaw()."""
        frozen = []
        for pid in self.pids():  # the server first: it starts no more
            os.kill(pid, signal.SIGSTOP)
            frozen.append(pid)
        return frozen


def thaw(pids):
    for pid in reversed(pids):
        os.kill(pid, signal.SIGCONT)
