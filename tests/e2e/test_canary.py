"""The canary itself: a whole life with secrets leaves none behind, and a program that leaks one fails the run, wherever it does."""
import json
import os
import re
import shutil
import subprocess
import sys
import threading

import pytest

import canary
import hooks
import lab
import pg

E2E = lab.TOP / "tests" / "e2e"


def private(path, text):
    return lab.private_file(path, text + "\n")


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.both_stores
def test_a_life_with_secrets_leaves_none_behind(site, store_kind):
    """All that has a secret has one here, and meets what goes wrong with it: unknown ones, changed ones, refused ones, at debug level."""
    operator, app = canary.secret("operator"), canary.secret("app")
    secret, app_file = private(site.path / "secret", operator), private(site.path / "app-token", app)
    token_file = private(site.path / "a.token", canary.secret("not-yet"))
    signs = private(site.path / "signs", canary.secret("signs"))
    receiver = hooks.Hooks()
    try:
        a = site.local("a", options=["--token-file", token_file, "--app-token-file", app_file, "--log-level", "debug"])
        centre = site.centre(options=["--secret-file", secret, "--notify-url", receiver.url + "/hook", "--notify-secret-file", signs, "--log-level", "debug"])
        tool = lambda *args, **kw: centre.tool("--token-file", secret, *args, **kw)  # noqa: E731
        token = tool("node", "add", "a", a.url).stdout.strip()
        lab.wait_until("its token is refused", lambda: "401" in json.loads(tool("--json", "node", "a").stdout)["reason"])
        token_file.write_text(token + "\n")
        a.process.send_signal(1)
        tool("pull", "a", timeout=60)
        assert lab.call(a.url + "/v1/records", "POST", '{"id":"x","type":"t","body":1}', headers=bearer(app)).status == 201
        tool("wait", "--in-sync", "--timeout", "30s")
        for path in ("/v1/status", "/v1/nodes", "/v1/events?limit=1000", "/metrics", "/v1/notifications", "/v1/notifications/receivers", "/v1/nodes/a/why"):
            assert lab.call(centre.url + path, headers=bearer(operator)).status == 200
            for wrong in (canary.secret("wrong"), token, app, operator[:-1], operator + "x"):
                assert lab.call(centre.url + path, headers=bearer(wrong)).status in (401, 429)
        for path in ("/v1/status", "/metrics", "/v1/records/x", "/v1/records/" + app[:60], "/v1/records?after=" + token):
            assert lab.call(a.url + path, headers=bearer(canary.secret("wrong"))).status == 401
        assert lab.raw(centre.url, f"GET /v1/{operator} HTTP/1.1\r\nHost: {operator}\r\nConnection: close\r\n\r\n".encode())
        for _ in "the one before is taken", "that one not":
            tool("node", "rotate", "a")
        lab.wait_until("its token is refused again", lambda: "401" in json.loads(tool("--json", "node", "a").stdout)["reason"])
        tool("why", "a", check=False)
        secret.write_text(canary.secret("next") + "\n")
        centre.process.send_signal(1)
        lab.wait_until("the next secret holds", lambda: tool("status", check=False).returncode == 0)
        assert centre.tool("--token-file", app_file, "status", check=False).returncode in (1, 6)  # asked too often, or refused
        tool("export", site.path / "out.ndjson")
        if store_kind == "sqlite":
            tool("backup", site.path / "copy.db")
        lab.wait_until("somebody was told", lambda: receiver.at("/hook"))
    finally:
        receiver.close()
    assert not canary.end()


# A stand-in for a centre, and what it does with its secret.
LEAKY = """\
#!/usr/bin/python3
import http.server, os, sqlite3, sys
def given(option):
    return sys.argv[sys.argv.index(option) + 1]
secret, body = open(given("--secret-file")).read(), "fine"
{leak}
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(body.encode())
    log_message = lambda *args: None
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(f"listening url=http://127.0.0.1:{{server.server_port}}", flush=True)
server.serve_forever()
"""
DATABASE = ("db = sqlite3.connect(given('--store')[7:]); db.execute('CREATE TABLE events (text)');"
            "db.execute('INSERT INTO events VALUES (?)', ('refused: ' + secret,)); db.commit()")
CORE = "open(given('--secret-file') + '.core', 'wb').write(bytes(99999) + secret.encode())"
# {name: (what the program does, what the test does before its start, what after)}; those marked are found at the end of the run
LEAKS = {
    "nothing": ("", "", ""),
    "log *": ("print('who:', secret, flush=True)", "", ""),
    "part-in-log *": ("print('who:', secret[:20], file=sys.stderr, flush=True)", "", ""),
    "answer": ("body = '{\"error\": \"not ' + secret + '\"}'", "", ""),
    "database *": (DATABASE, "", ""),
    "core-dump *": (CORE, "", ""),
    "argument": ("", "centre.options += ['--title', secret.read_text()]", ""),
    "environment": ("", "centre.environment = {'TITLE': secret.read_text()}", ""),
    "tool": ("", "", "centre.tool('--token-file', secret, 'status')"),
    "file-for-all *": ("", "", "(tmp_path / 'copy').write_text(secret.read_text())"),
}
TEST = """\
import pytest
import canary, lab

LEAKS = {leaks!r}
LEAKY = {leaky!r}

@pytest.mark.parametrize("name", LEAKS)
def test_it(tmp_path, monkeypatch, name):
    leak, before, after = LEAKS[name]
    for program, text in (("tidemark-central", LEAKY.format(leak=leak)), ("tidemark", "#!/bin/sh\\ncat \\"$4\\" >&2")):
        (tmp_path / program).write_text(text)
        (tmp_path / program).chmod(0o755)
    monkeypatch.setattr(lab, "BIN", tmp_path)
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text(canary.secret(name))
    centre = lab.Centre(tmp_path, options=["--secret-file", secret])
    exec(before)
    centre.start()
    try:
        centre.get("/v1/status")
        exec(after)
    finally:
        centre.kill()
"""


def run(tmp_path, leaks):
    """A run of its own of these: (its status, {name of a test: how it went}, the directories with something left behind)."""
    top = tmp_path / "run"
    top.mkdir(parents=True)
    (top / "conftest.py").write_text((E2E / "conftest.py").read_text())
    (top / "test_it.py").write_text(TEST.format(leaks=leaks, leaky=LEAKY))
    env = {k: v for k, v in os.environ.items() if not k.startswith(("TIDEMARK_", "PYTEST_", "PGPASSFILE"))}
    r = subprocess.run([sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", f"--rootdir={top}", f"--basetemp={tmp_path}/base", top],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=100, env={**env, "PYTHONPATH": str(E2E)})
    went = {name: word for word, name in re.findall(r"^(PASSED|FAILED|ERROR) \S+::test_it\[(.+?)\]", r.stdout, re.M)}
    left = set(re.findall(r"^A secret was left in \S+/test_it_([a-z_]+?)_*\d*/", r.stdout, re.M))
    shutil.rmtree(tmp_path)  # its secrets are none of this run's, but lie about
    return r.returncode, went, left


def test_a_leak_fails_the_run(tmp_path):
    """Wherever it is: in the test that saw it, or at the end, with the file."""
    code, went, left = run(tmp_path / "leaky", LEAKS)
    late = {name for name in LEAKS if name.endswith("*")}
    assert code == 1 and went == {name: "PASSED" if name in late or name == "nothing" else "ERROR" for name in LEAKS}
    assert left == {name[:-2].replace("-", "_") for name in late}


def test_what_does_not_leak_passes(tmp_path):
    """The same stand-in without a leak, whose secret lies in its file."""
    assert run(tmp_path / "tight", {"nothing": LEAKS["nothing"]}) == (0, {"nothing": "PASSED"}, set())


def test_what_is_left_in_postgresql_is_looked_at(databases, tmp_path):
    """Before a database is dropped, where its test has secrets."""
    value = "canary.of-this-test-alone.in-a-table"  # the server's own files keep it
    canary.known |= {value.encode(): (value[:24].encode(), value[-16:].encode()), b"another": (b"another of them", b"another of them")}
    d = databases()
    pg.sql(d.url, f"CREATE TABLE events (text text); INSERT INTO events VALUES ('refused: {value}')")
    canary.database(d.url)
    pg.sql(d.url, "DROP TABLE events")
    assert [f for f in canary.end() if f.startswith("a database of PostgreSQL")]
    canary.forget()


def test_threads_may_learn_while_others_look(monkeypatch, tmp_path):
    """As in tests whose clients ask side by side."""
    monkeypatch.setattr(canary, "BOOK", tmp_path / "book")
    monkeypatch.setattr(canary, "known", {})
    learner = threading.Thread(target=lambda: [canary.learn(f"{i:06}-of-a-thread-{i:06}") for i in range(3000)])
    learner.start()
    while learner.is_alive():
        assert not canary.leaks(b"nothing to see here")
    learner.join()
    assert len(canary.leaks(b"one ends in f-a-thread-000017, one begins with 002999-of-a-threa")) == 2
