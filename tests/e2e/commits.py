"""A proxy between a centre and PostgreSQL that cuts connections at COMMIT: before the server has got it, or after it has done it
and before the centre has heard."""
import collections
import os
import random
import re
import socket
import struct
import threading

WRITES = re.compile(r"(?<!FOR )(?<!DO )\b(COPY|INSERT INTO|UPDATE|DELETE FROM)\s+(\w+)")


def written_by(sql):
    """{"insert events", …}"""
    return {f"{verb.split()[0].lower()} {table}" for verb, table in WRITES.findall(sql)}


class Link:
    """One connection of the centre's, and what its transaction has written so far."""

    def __init__(self, proxy, ours, theirs):
        self.proxy, self.ours, self.theirs = proxy, ours, theirs
        self.statements, self.written, self.swallows = {}, set(), False

    def close(self):
        for s in (self.ours, self.theirs):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # closed already

    def receive(self, s, n):
        data = b""
        while len(data) < n:
            more = s.recv(n - len(data))
            if not more:
                raise OSError("closed")
            data += more
        return data

    def message(self, s, typed=True):
        kind = self.receive(s, 1) if typed else b""
        length = self.receive(s, 4)
        return kind, kind + length + self.receive(s, struct.unpack("!I", length)[0] - 4)

    def note(self, kind, data):
        """True: it is a COMMIT of something."""
        body = data[5:]
        if kind == b"P":
            name, sql, _ = body.split(b"\0", 2)
            self.statements[name] = written_by(sql.decode())
        elif kind == b"B":
            self.written |= self.statements[body.split(b"\0", 2)[1]]
        elif kind == b"Q":
            sql = body[:-1].decode()
            if sql == "COMMIT" and self.written:
                return True
            self.written = set() if sql.startswith("BEGIN") else self.written | written_by(sql)
        return False

    def up(self):
        try:
            self.theirs.sendall(self.message(self.ours, typed=False)[1])
            while True:
                kind, data = self.message(self.ours)
                how = self.note(kind, data) and self.proxy.decide(" + ".join(sorted(self.written)))
                if how == "before":
                    self.close()
                    return
                self.swallows = how == "after"
                self.theirs.sendall(data)
        except OSError:
            self.close()

    def down(self):
        """What a swallowed COMMIT answers is waited for: then it is done."""
        try:
            while True:
                kind, data = self.message(self.theirs)
                if self.swallows:
                    assert kind in b"CEN", kind
                    self.proxy.swallowed[data[5:-1].decode() if kind == b"C" else "error"] += 1
                    self.close()
                    return
                self.ours.sendall(data)
        except OSError:
            self.close()


class Proxy:
    """`budget`: how many COMMITs are still to be cut; rare ones rather than frequent ones."""

    def __init__(self, directory, database, seed):
        directory.mkdir()
        self.server = re.search(r"host=([^&]+)", database.url).group(1) + "/.s.PGSQL.5432"
        self.url = f"postgresql:///{database.name}?host={directory}&user=postgres"
        self.chance, self.budget, self.lock = random.Random(seed), 0, threading.Lock()
        self.cut = collections.defaultdict(collections.Counter)  # per what was written: before, after
        self.swallowed = collections.Counter()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(os.fspath(directory / ".s.PGSQL.5432"))
        self.listener.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                ours, _ = self.listener.accept()
            except OSError:
                return
            theirs = socket.socket(socket.AF_UNIX)
            theirs.connect(self.server)
            link = Link(self, ours, theirs)
            for way in (link.up, link.down):
                threading.Thread(target=way, daemon=True).start()

    def decide(self, what):
        with self.lock:
            counts = self.cut[what]
            mean = sum(c.total() for c in self.cut.values()) / len(self.cut)
            if self.budget <= 0 or self.chance.random() > (0.5 if counts.total() <= mean else 0.05):
                return None
            self.budget -= 1
            how = "before" if 2 * counts["before"] < counts["after"] else "after"
            counts[how] += 1
            return how

    def close(self):
        self.listener.close()


class Store:
    """A database behind the proxy, as a centre's store."""
    kind = "postgresql"

    def __init__(self, directory, database, seed):
        self.proxy = Proxy(directory, database, seed)
        self.name, self.url, self.sql = database.name, self.proxy.url, database.sql
