"""Where the centre of the lab keeps everything: a file, or a private PostgreSQL that goes when the lab does."""
import pathlib
import subprocess

import ask

CLUSTER = pathlib.Path(__file__).resolve().parents[1] / "cluster"


class File:
    def __init__(self, directory):
        self.url = f"sqlite:{directory}/centre.db"

    def close(self):
        pass


class Postgres:
    def __init__(self, directory):
        self.directory = directory / "postgres"
        # It is removed when its standard input ends: also when the lab is killed.
        self.holder = subprocess.Popen([CLUSTER, "hold", self.directory], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
        if not self.holder.stdout.readline():
            self.close()
            raise ask.Failed("the private PostgreSQL did not start")
        r = subprocess.run([CLUSTER, "create", self.directory, "tidemark"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=60, check=False)
        if r.returncode != 0:
            self.close()
            raise ask.Failed("the private PostgreSQL would not make a database")
        self.url = r.stdout.strip()

    def close(self):
        self.holder.stdin.close()
        self.holder.wait(60)
        self.holder.stdout.close()


KINDS = {"sqlite": File, "postgres": Postgres}
