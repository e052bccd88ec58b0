"""Real processes on loopback: start, kill, wipe, restore; ask over HTTP; wait for a state with a deadline."""
import collections
import contextlib
import functools
import http.client
import json
import os
import pathlib
import re
import shutil
import sqlite3
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse

import canary

TOP = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("TIDEMARK_BIN", TOP / "build" / "debug"))
_never = threading.Event()
_https = ssl.create_default_context()  # believes besides whom a test names


def sanitized():
    """Are the programs built for ASan or TSan?"""
    return re.search(rb"__[at]san_init", (BIN / "tidemark").read_bytes()) is not None


def wait_until(what, holds, seconds=20.0):
    """Polls until holds() is true and returns its value; fails with `what` at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = holds()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        _never.wait(0.01)


def private_file(path, text):
    """Writes it for its user alone, as programs want the files of secrets; returns the path."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text)
    return path


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json["code"]


def believe(ca):
    """From now on call() believes certificates of that authority."""
    _https.load_verify_locations(ca)


def call(url, method="GET", body=None, headers=None, timeout=30.0, context=None):
    """One request on a connection of its own."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "https":
        conn = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout, context=context or _https)
    else:
        conn = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        target = parts.path + ("?" + parts.query if parts.query else "")
        try:
            conn.request(method, target, body=body, headers=headers or {})
        except BrokenPipeError:
            pass  # refused before all of the body was sent: the answer is there to read
        r = conn.getresponse()
        reply = Reply(r.status, r.headers, r.read())
        canary.answer(method, url, headers, reply)
        return reply
    finally:
        conn.close()


@contextlib.contextmanager
def authorised(file_for):
    """Meanwhile each call() shows the token in the file that file_for(its url) names."""
    global call
    plain = call

    def shown(url, *args, headers=None, **kw):
        return plain(url, *args, headers={"Authorization": "Bearer " + file_for(url).read_text(), **(headers or {})}, **kw)

    call = shown
    try:
        yield
    finally:
        call = plain


@contextlib.contextmanager
def kept(url):
    """ask(method, target, body=None) -> (status, body), all over one connection."""
    parts = urllib.parse.urlsplit(url)
    make = functools.partial(http.client.HTTPSConnection, context=_https) if parts.scheme == "https" else http.client.HTTPConnection
    conn = make(parts.hostname, parts.port, timeout=30)

    def ask(method, target, body=None):
        conn.request(method, target, body=body)
        r = conn.getresponse()
        return r.status, r.read()

    try:
        yield ask
    finally:
        conn.close()


def raw(url, data, timeout=10.0):
    """Sends bytes as they are, returns all that comes back until the peer closes."""
    parts = urllib.parse.urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=timeout) as s:
        s.sendall(data)
        got = b""
        try:
            while chunk := s.recv(65536):
                got += chunk
        except (TimeoutError, ConnectionResetError):
            pass
        canary.look(f"{data[:40]}: answer", canary.HANDED_OUT.sub(b"", got))
        return got


class Program:
    """A daemon with its log; start() returns when it has said where it listens."""

    environment = None  # that of the tests, with these added

    def __init__(self, directory, name):
        self.directory, self.name = pathlib.Path(directory), name
        self.log = self.directory / f"{name}.log"
        self.url = None
        self.process = None

    def argv(self):
        raise NotImplementedError

    def spawn(self):
        self.log_from = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.argv(), stderr=log, stdout=log, stdin=subprocess.DEVNULL,
                                            env={**os.environ, **(self.environment or {})})
        return self

    def log_text(self):
        """What this run has logged so far."""
        with open(self.log, "rb") as f:
            f.seek(self.log_from)
            return f.read().decode()

    def start(self):
        self.spawn()
        return self.listens()

    def listens(self, seconds=20.0):
        """Returns when it has said where."""
        def said():
            assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}: {self.log_text()}"
            return re.search(r"listening.*? url=(\S+)", self.log_text())

        self.url = wait_until(f"{self.name} listens", said, seconds).group(1)
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, seconds=8.0):
        """SIGTERM; returns the exit status."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                return self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"{self.name} did not end within {seconds} s of SIGTERM") from None
        return self.process.returncode if self.process else None

    def get(self, path, **kw):
        return call(self.url + path, **kw)

    def post(self, path, body=b"", **kw):
        return call(self.url + path, "POST", body if isinstance(body, (bytes, str)) else json.dumps(body), **kw)


class Local(Program):
    host = "127.0.0.1"

    def __init__(self, directory, name, port=0, options=()):
        super().__init__(directory, name)
        self.port, self.options = port, list(options)
        self.db = self.directory / f"{name}.db"

    def argv(self):
        return [BIN / "tidemark-local", "--node", self.name, "--db", self.db, "--listen", f"{self.host}:{self.port}", *self.options]

    def start(self):
        super().start()
        self.port = urllib.parse.urlsplit(self.url).port  # the same again after a restart
        return self

    def files(self):
        return sorted(self.directory.glob(self.db.name + "*"))

    def wipe(self):
        """Stopped or killed before."""
        for f in self.files():
            f.unlink()

    def copy_to(self, directory):
        """A backup of the stopped database."""
        pathlib.Path(directory).mkdir(exist_ok=True)
        for f in self.files():
            shutil.copy(f, directory)

    def restore_from(self, directory):
        self.wipe()
        for f in pathlib.Path(directory).iterdir():
            shutil.copy(f, self.directory)

    def write(self, *records):
        """Posts {id?, type, body}; returns what was acknowledged."""
        r = self.post("/v1/records", [{"type": "t", **x} for x in records])
        assert r.status == 201, r.body
        return r.json["records"]

    def records(self, deleted=True):
        return all_records(self.url, "?deleted=" + str(deleted).lower())

    def status(self):
        return self.get("/v1/status").json


def sql(path, statement, *values):
    """On a database that no program has open."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(statement, values)
        db.commit()


class File:
    """A centre's store in a file."""
    kind = "sqlite"

    def __init__(self, path):
        self.path, self.url = path, f"sqlite:{path}"

    def files(self):
        return sorted(self.path.parent.glob(self.path.name + "*"))

    def backup(self):
        """Of a store that no centre has open."""
        return {f: f.read_bytes() for f in self.files()}

    def sql(self, statement):
        """Of a store that no centre has open."""
        sql(self.path, statement)

    def refuse_poison(self, refuse):
        """Of a store that no centre has open: bodies with that word are refused from now on, or taken again."""
        self.sql("CREATE TRIGGER no_poison BEFORE INSERT ON records WHEN NEW.body LIKE '%poison%' "
                 "BEGIN SELECT RAISE(ABORT, 'no poison here'); END" if refuse else "DROP TRIGGER no_poison")

    def restore(self, backup):
        for f in self.files():
            f.unlink()
        for f, data in backup.items():
            f.write_bytes(data)


class Centre(Program):
    def __init__(self, directory, locals_=(), port=0, options=(), name="centre", store=None):
        super().__init__(directory, name)
        self.port, self.options, self.locals = port, list(options), list(locals_)
        self.store = store or File(self.directory / f"{name}.db")

    def argv(self):
        nodes = [a for l in self.locals for a in ("--node", f"{l.name}={l.url}")]
        return [BIN / "tidemark-central", "--store", self.store.url, "--listen", f"127.0.0.1:{self.port}",
                "--poll-interval", "500ms", *nodes, *self.options]

    def start(self):
        super().start()
        self.port = urllib.parse.urlsplit(self.url).port
        return self

    def node(self, name):
        r = self.get(f"/v1/nodes/{name}")
        assert r.status == 200, r.body
        return r.json

    def nodes(self):
        return self.get("/v1/nodes?limit=1000").json["nodes"]

    def records(self, owner, deleted=True):
        return all_records(self.url, f"?owner={owner}&deleted={str(deleted).lower()}")

    def events(self, node=None, kind=None):
        r = self.get("/v1/events?limit=1000" + (f"&node={node}" if node else "")).json["events"]
        return [e for e in r if kind is None or e["kind"] == kind]

    def all_events(self):
        """From the oldest, page by page."""
        found, after = [], 1  # 0 would be the newest
        while True:
            page = self.get(f"/v1/events?limit=1000&after={after}").json
            found += page["events"]
            if page["next"] is None:
                return found
            after = page["next"]

    def outcomes(self, node):
        """What came of the exchanges with it: how many of each result."""
        text = self.get("/metrics").body.decode()
        return collections.Counter({k: int(n) for k, n in re.findall(rf'tidemark_polls_total{{node="{node}",result="(\w+)"}} (\d+)', text)})

    def conflicts(self):
        return self.get("/v1/conflicts?limit=1000").json["conflicts"]

    def all_conflicts(self):
        """Page by page."""
        found, after = [], 0
        while after is not None:
            page = self.get(f"/v1/conflicts?limit=1000&after={after}").json
            found += page["conflicts"]
            after = page["next"]
        return found

    def tool(self, *args, timeout=60.0, check=True, input=None):
        r = subprocess.run([BIN / "tidemark", "--central", self.url, *args], capture_output=True, text=True,
                           timeout=timeout, input=input)
        assert not check or r.returncode == 0, f"tidemark {args}: {r.returncode} {r.stderr}"
        return r

    def in_sync(self, *names, seconds=30):
        """Until every (named) node is proven equal by a proof made after this call."""
        return self.tool("wait", "--in-sync", "--timeout", f"{seconds}s", *names, timeout=seconds + 20)


def on_terminal(*argv, status=0, look=lambda shown: None):
    """Runs it with a standard error that is a terminal: (what it printed, what the terminal got).  look() is told what it has got so far."""
    ours, theirs = os.openpty()
    with subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs) as p:
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 4096):
                shown += chunk
                look(shown)
        except OSError:
            pass  # the other end is closed
        printed = p.stdout.read().decode()
    os.close(ours)
    assert p.returncode == status, shown
    return printed, shown


def all_records(url, query):
    """Every record of a list as {key: record with its body's bytes as text}, page by page."""
    found, after = {}, None
    while True:
        r = call(url + "/v1/records" + query + "&limit=1000" + ("&after=" + urllib.parse.quote(after) if after else ""))
        assert r.status == 200, r.body
        page = r.json
        for x in page["records"]:
            found[(x["owner"], x["id"])] = x
        after = page["next"]
        if after is None:
            return found


def same_records(local, centre):
    """Record for record: hash, dot, body, tombstones."""
    ours, theirs = local.records(), centre.records(local.name)
    for r in ours.values():
        r.pop("seq", None)
    assert ours.keys() == theirs.keys(), sorted(ours.keys() ^ theirs.keys())[:5]
    for key, r in ours.items():
        assert r == theirs[key], key
    return len(ours)
