"""PostgreSQL for the lab: databases in the run's own cluster, clusters of a test's own, and SQL by psql."""
import os
import pathlib
import signal
import subprocess

import canary
import lab
import proc

CLUSTER = lab.TOP / "deploy" / "cluster"


def sql(url, statement, timeout=30.0):
    """The rows, a line each, fields joined by |."""
    r = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statement], capture_output=True, text=True,
                       timeout=timeout, env={**os.environ, "PGCONNECT_TIMEOUT": "10"})
    assert r.returncode == 0, f"{statement}: {r.stderr}"
    return r.stdout.splitlines()


class Session:
    """One connection for many statements."""

    def __init__(self, url):
        self.psql = subprocess.Popen(["psql", "-XAtq", "-d", url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def sql(self, statement):
        self.psql.stdin.write(statement + ";\n\\echo --end--\n")
        self.psql.stdin.flush()
        rows = []
        while (line := self.psql.stdout.readline()) != "--end--\n":
            assert line, "psql ended"
            rows.append(line.rstrip("\n"))
        return rows

    def close(self):
        self.psql.stdin.close()
        self.psql.wait(10)
        self.psql.stdout.close()


def with_database(url, name):
    """The same server's URL with another database."""
    head, _, query = url.partition("?")
    return head.rsplit("/", 1)[0] + "/" + name + ("?" + query if query else "")


class Database:
    """A centre's store: a database of its own, in the run's cluster unless another's URL is given."""
    kind = "postgresql"

    def __init__(self, name, server=None):
        self.server = server or os.environ.get("TIDEMARK_TEST_POSTGRES")
        assert self.server, "TIDEMARK_TEST_POSTGRES names no PostgreSQL: run this by tests/run, or see tests/README.md"
        self.name, self.url, self.backups = name, with_database(self.server, name), 0
        sql(self.server, f'CREATE DATABASE "{name}"')

    def sql(self, statement):
        return sql(self.url, statement)

    def refuse_poison(self, refuse):
        """Of a store that no centre has open: bodies with that word are refused from now on, or taken again."""
        self.sql("ALTER TABLE tidemark_store.records " + (
            "ADD CONSTRAINT no_poison CHECK (body::text NOT LIKE '%poison%') NOT VALID" if refuse else "DROP CONSTRAINT no_poison"))

    def backup(self):
        """Of a store that no centre has open."""
        self.backups += 1
        name = f"{self.name}_{self.backups}"
        sql(self.server, f'CREATE DATABASE "{name}" TEMPLATE "{self.name}"')
        return name

    def restore(self, backup):
        sql(self.server, f'DROP DATABASE "{self.name}"')
        sql(self.server, f'CREATE DATABASE "{self.name}" TEMPLATE "{backup}"')

    def drop(self):
        for name in [self.name, *(f"{self.name}_{n + 1}" for n in range(self.backups))]:
            canary.database(with_database(self.server, name))
            sql(self.server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def run(*args, check=True, **kw):
    """deploy/cluster."""
    r = subprocess.run([CLUSTER, *map(str, args)], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, **kw)
    assert not check or r.returncode == 0, f"cluster {args}: {r.returncode} {r.stderr}"
    return r


class Cluster:
    """A cluster of the test's own, which it may stop, freeze and promote.  It goes when it is removed, or this process ends."""

    def __init__(self, directory, standby_of=None, durable=False):
        self.directory = pathlib.Path(directory)
        if standby_of:
            run("standby", self.directory, standby_of.directory)
        self.holder = subprocess.Popen([CLUSTER, "hold", *["--durable"] * durable, str(self.directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       text=True, start_new_session=True)
        self.server = self.holder.stdout.readline().strip()  # the URL of its maintenance database
        assert self.server, "no cluster: see above"
        # where its socket is
        self.home = pathlib.Path(self.server.partition("host=")[2].partition("&")[0])

    def sql(self, statement):
        return sql(self.server, statement)

    def setting(self, name, value):
        self.sql(f"ALTER SYSTEM SET {name} = '{value}'")
        self.sql("SELECT pg_reload_conf()")

    def start(self):
        run("start", self.directory)

    def stop(self, how="fast"):
        run("stop", self.directory, how)

    def promote(self):
        run("promote", self.directory)

    def remove(self):
        """Also of one that is removed already."""
        self.holder.stdin.close()
        self.holder.wait(60)
        self.holder.stdout.close()

    def pids(self):
        """The server and its children."""
        server = int((self.home / "data" / "postmaster.pid").read_text().splitlines()[0])
        return [server, *proc.children(server)]

    def freeze(self):
        """Stops every process of it as it stands; returns their pids for thaw()."""
        frozen = self.pids()[:1]
        os.kill(frozen[0], signal.SIGSTOP)  # the server first: it starts no more
        for pid in self.pids()[1:]:
            os.kill(pid, signal.SIGSTOP)
            frozen.append(pid)
        return frozen


def thaw(pids):
    for pid in reversed(pids):
        os.kill(pid, signal.SIGCONT)
