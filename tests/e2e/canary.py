"""Secrets that sing where they should not be: every secret that a test uses is looked for, all through the run, in what programs print,
answer and log, in their arguments and environments, in databases, core dumps and whatever else is left behind.

A secret is learned from the files that programs are given as secrets, from what requests show as Authorization, from tokens that the
centre hands out, and from secret(), which makes one.  Where one may be: in its own file, and in the answer that hands it out."""
import collections
import os
import pathlib
import re
import secrets
import subprocess
import tempfile
import threading
import urllib.parse

TOP = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ("tidemark", "tidemark-central", "tidemark-local")
SHORTEST = 16  # as the programs demand; what is shorter would be found by chance
SECRET_FILE = re.compile(r"(?:--)?((?:[a-z]+-)*(?:secret|token))-file")
HANDED_OUT = re.compile(rb'"(?:token|session)"\s*:\s*"([^"]+)"')
HANDS_OUT = {"token", "rotate", "add"}  # commands of the tool that print one

RUN = os.environ.setdefault("TIDEMARK_CANARY", secrets.token_hex(8))
# What all processes of the run have learned.
BOOK = pathlib.Path(os.environ.setdefault("TIDEMARK_CANARIES", f"{tempfile.gettempdir()}/tidemark-canaries.{RUN}.book"))

known = {}  # the two ends of each: what was cut is found, too
faults = []
_lock = threading.RLock()  # tests have threads that ask
_files = set()  # of secrets; read again at the end of a test, as they change
_shown = collections.deque(maxlen=2000)  # (where, bytes): looked at once more when all is known


def secret(what="secret"):
    value = f"canary.{RUN}.{what}.{secrets.token_urlsafe(24)}"
    learn(value)
    return value


def learn(value):
    value = value.encode() if isinstance(value, str) else value
    if len(value) < SHORTEST or len(set(value)) < 6 or not re.fullmatch(rb"[!-~]+", value):
        return
    with _lock:
        if value in known:
            return
        known[value] = (value[:SHORTEST], value[-SHORTEST:])
    with open(BOOK, "ab", opener=lambda p, f: os.open(p, f, 0o600)) as f:
        f.write(value + b"\n")


def leaks(data):
    """Those of the known that are in it; short ends of them count."""
    with _lock:
        return [v for v, ends in known.items() if any(e in data for e in ends)]


def look(where, data):
    """At what came out of a program: now, and once more at the end of the test, unless it is long."""
    data = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data or b""
    if found := leaks(data):
        faults.append(f"{where} has a secret: {found[0].decode()}")
    elif 0 < len(data) < 16384:
        with _lock:
            _shown.append((where, data))


def learn_file(path):
    try:
        text = pathlib.Path(path).read_bytes().strip()
    except OSError:
        return
    _files.add(pathlib.Path(path))
    for line in text.splitlines():
        learn(line.rsplit(b":", 1)[-1] if b":" in line else line)  # a line of ~/.pgpass ends in it


def learn_settings(words, env):
    """From how a program is started."""
    for i, word in enumerate(words):
        name, _, value = word.partition("=")
        value = value or (words[i + 1] if i + 1 < len(words) else "")
        if SECRET_FILE.fullmatch(name):
            learn_file(value)
        elif name == "--config" and os.path.isfile(value):
            for line in pathlib.Path(value).read_text(errors="replace").splitlines():
                key, _, at = line.partition("=")
                if SECRET_FILE.fullmatch(key.strip()):
                    learn_file(at.strip().strip('"'))
                elif m := re.search(r"://[^:/@\s]*:([^@\s]+)@", at):
                    learn(m[1])
    for name, value in env.items():
        if re.fullmatch(r"TIDEMARK_.*(SECRET|TOKEN)_FILE|PGPASSFILE", name):
            learn_file(value)
    if "CREDENTIALS_DIRECTORY" in env:
        for f in pathlib.Path(env["CREDENTIALS_DIRECTORY"]).glob("*"):
            if not f.name.startswith("tls-"):  # certificates are none, and keys of a kind begin alike
                learn_file(f)


class Watched(subprocess.Popen):
    """Every process that a test starts; those of ours are looked at."""

    def __init__(self, args, *rest, **kw):
        words = [os.fsdecode(a) for a in args] if isinstance(args, (list, tuple)) else []
        self.ours = next((i for i, w in enumerate(words) if os.path.basename(w) in PROGRAMS), None)
        self.words = words
        super().__init__(args, *rest, **kw)
        if self.ours is not None:
            env = {k: v for k, v in (kw.get("env") or os.environ).items() if not k.startswith("TIDEMARK_CANAR")}
            learn_settings(words[self.ours:], {str(k): str(v) for k, v in env.items()})
            look(f"arguments of {words[self.ours]}", "\0".join(words))
            look(f"environment of {words[self.ours]}", "\0".join(f"{k}={v}" for k, v in env.items()))

    def communicate(self, *args, **kw):
        out, err = super().communicate(*args, **kw)
        if self.ours is not None:
            hears(self.words[self.ours:], out, err)
        return out, err


def hears(words, out, err):
    """What a program printed."""
    out = out.encode("utf-8", "surrogateescape") if isinstance(out, str) else out or b""
    if os.path.basename(words[0]) == "tidemark" and HANDS_OUT & set(words):
        for token in HANDED_OUT.findall(out) + re.findall(rb"^[\w.-]+$", out, re.M):
            learn(token)
        out = re.sub(rb"^[\w.-]+$", b"", HANDED_OUT.sub(b"", out), flags=re.M)
    look(f"standard output of {' '.join(words)}", out)
    look(f"standard error of {' '.join(words)}", err)


def answer(method, url, headers, reply):
    """What a test asked, and what came back: a lab.Reply."""
    path = urllib.parse.urlsplit(url).path
    sent = {k.lower(): v for k, v in (headers or {}).items()}.get("authorization", "")
    learn(sent.removeprefix("Bearer "))
    head = "\n".join(f"{k}: {v}" for k, v in reply.headers.items() if k.lower() != "set-cookie").encode("latin-1", "replace")
    for cookie in reply.headers.get_all("Set-Cookie") or []:
        learn(cookie.split(";")[0].partition("=")[2])
    for token in HANDED_OUT.findall(reply.body):
        learn(token)
    look(f"{method} {path}: answer", head + b"\n" + HANDED_OUT.sub(b"", reply.body))


def end():
    """What leaked since the last one."""
    for f in list(_files):
        learn_file(f)
    with _lock:
        for where, data in _shown:
            if found := leaks(data):
                faults.append(f"{where} has a secret: {found[0].decode()}")
        _shown.clear()
    found = list(dict.fromkeys(faults))
    faults.clear()
    return found


def database(url):
    """What a database of PostgreSQL holds, before it is dropped; where a test had more secrets than the password for it."""
    if len(known) > 1:
        r = subprocess.run(["pg_dump", "--data-only", "--inserts", url], capture_output=True, timeout=100)
        look("a database of PostgreSQL", r.stdout)


def forget():
    """What tests of one file used is no longer looked for in what programs say."""
    known.clear()
    _files.clear()


def holds_only(path, values):
    """A file that is there to hold a secret, or several, and that nobody else may read."""
    try:
        if path.stat().st_size > 4096 or path.stat().st_mode & 0o077:
            return False
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return True  # gone meanwhile
    # alone; with the name of what it is for, as in ~/.pgpass or in settings; as the password of a store's URL
    parts = [re.split(rb"[:=@]\s*\"?|\"?$", line.strip()) for line in lines]
    return all(not leaks_of(line, values) or set(p) & values for line, p in zip(lines, parts))


def leaks_of(data, values):
    return [v for v in values if v[:SHORTEST] in data or v[-SHORTEST:] in data]


def left_behind(places):
    """The files below these directories that hold a secret of the run and should not."""
    values = set(BOOK.read_bytes().splitlines()) if BOOK.exists() else set()
    places = [str(p) for p in places if p.exists()]
    if not values or not places:
        return []
    with tempfile.NamedTemporaryFile("wb") as needles:
        needles.write(b"\n".join({end for v in values for end in (v[:SHORTEST], v[-SHORTEST:])}))
        needles.flush()
        r = subprocess.run(["grep", "-rlaF", "--devices=skip", "-f", needles.name, *places], capture_output=True, text=True, timeout=500)
    return [f for f in r.stdout.splitlines() if not holds_only(pathlib.Path(f), values)]


def places_of(session):
    """Where a run leaves something: its temporary directories, the pictures of the page, core dumps, and PostgreSQL's files and log."""
    places = [pathlib.Path(session.config._tmp_path_factory.getbasetemp()), TOP / "build/screenshots", *TOP.glob("core*")]
    socket = urllib.parse.parse_qs(urllib.parse.urlsplit(os.environ.get("TIDEMARK_TEST_POSTGRES", "")).query).get("host")
    return places + ([pathlib.Path(socket[0])] if socket else [])


def session_finish(session):
    """At the end of the whole run, in the process that the others work for."""
    if hasattr(session.config, "workerinput"):
        return
    found = left_behind(places_of(session))
    for f in BOOK.parent.glob(f"{BOOK.stem}.*"):
        f.unlink()
    for f in found:
        print(f"\nA secret was left in {f}")
    if found:
        session.exitstatus = 1


def begin():
    """Once a process, before anything is started. Who connects to PostgreSQL has a password, though nobody there asks for one."""
    subprocess.Popen = Watched
    if "PGPASSFILE" not in os.environ:
        passwords = BOOK.with_suffix(".pgpass")
        passwords.touch(0o600)
        passwords.write_text(f"*:*:*:*:{secret('pgpass')}\n")
        os.environ["PGPASSFILE"] = str(passwords)
