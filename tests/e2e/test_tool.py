"""The operator's tool: words, JSON, exit codes."""
import http.server
import json
import os
import re
import signal
import subprocess
import threading
import time

import pytest

import lab
import protocol1


def run(*args, **kw):
    return subprocess.run([lab.BIN / "tidemark", *args], capture_output=True, text=True, timeout=60, **kw)


def test_without_a_centre_it_says_so_and_exits_3(site):
    r = run("--central", "http://127.0.0.1:9", "status")
    assert r.returncode == 3 and "127.0.0.1:9" in r.stderr
    assert run("--central", "http://127.0.0.1:9", "status", "--check").returncode == 3


def test_wrong_use_exits_2_and_says_what_to_do(site):
    for args in ([], ["stauts"], ["--nonsense"], ["node", "add", "x"], ["wait"], ["put", "a/b"], ["record", "noslash"],
                 ["--limit", "0", "records"], ["--timeout", "soon", "nodes"], ["nodes", "x"], ["records", "x"],
                 ["node", "pause"], ["frobnicate"], ["--versoin"]):
        r = run(*args)
        assert r.returncode == 2 and "Try:" in r.stderr, args
    assert "status" in run("stauts").stderr and "--version" in run("--versoin").stderr
    for typed, meant in (("vrify", "verify"), ("confilcts", "conflicts"), ("ndoe", "node"), ("quar", "quarantine"), ("node pasue a", "pause"), ("node reusme a", "resume")):
        assert f"did you mean '{meant}'?" in run(*typed.split()).stderr, typed
    for typed in "frobnicate", "foo", "ls", "node frobnicate a":
        assert "did you mean" not in run(*typed.split()).stderr, typed
    assert run("help").stdout == run("--help").stdout and run("version").stdout == run("--version").stdout
    for program in ("tidemark", "tidemark-local", "tidemark-central"):
        for flag in ("--help", "--version"):
            r = subprocess.run([lab.BIN / program, flag], capture_output=True, text=True, timeout=10)
            assert r.returncode == 0 and r.stdout and not r.stderr


def test_an_option_that_is_not_for_a_command_is_refused(site):
    """Each command with each option that --help names with commands: refused where it is not among them, and else asked of the centre."""
    told = run("--help").stdout
    commands = re.findall(r"^  (\w+)(?:.*\n      .*)", told.partition("Commands:")[2].partition("Options:")[0], re.M)
    options = re.findall(r"^  --([\w-]+)(?: (\S+))?\s+(.*(?:\n {6,}[^ -].*)*)", told.partition("Options:")[2], re.M)
    assert len(commands) > 20 and len(options) > 30, told
    values = {"N": "3", "DURATION": "9s", "ndjson|json|csv": "csv", "id|written": "id", "viewer|operator|admin": "admin", "error|warn|info|debug": "warn"}
    refused = 0
    for option, value, text in options:
        clauses = [c.partition(":")[0].split(", ") if ":" in c else [""] for c in " ".join(text.split()).split("; ")]
        if clauses[0][0].partition(" ")[0] not in commands:
            continue
        heads = {item.partition(" ")[0] for clause in clauses for item in clause}
        for command in set(commands) - heads:
            r = run("--central", "http://127.0.0.1:9", command, f"--{option}", *([values.get(value, "x")] if value else []))
            assert r.returncode == 2 and f"takes no --{option}, which is for " in r.stderr, (command, option, r)
            refused += 1
    assert refused > 300
    for args in (["records", "--owner", "a"], ["node", "set", "a", "--url", "http://h"], ["token", "add", "x", "--role", "admin"], ["events", "-f", "--limit", "3"]):
        assert run("--central", "http://127.0.0.1:9", *args).returncode == 3, args
    assert "which is for node set" in run("node", "pause", "a", "--url", "x").stderr
    assert run("--central", "http://127.0.0.1:9", "nodes", env=dict(os.environ, TIDEMARK_OWNER="a")).returncode == 3
    local = subprocess.run([lab.BIN / "tidemark-local", "--node", "a", "--db", site.path / "a.db", "--json"], capture_output=True, text=True, timeout=10)
    assert local.returncode == 2 and "--json, which is for import, export" in local.stderr and not (site.path / "a.db").exists()


def test_output_that_cannot_be_written_is_a_failure(site):
    a = site.local("a")
    centre = site.centre(a)
    centre.in_sync()
    commands = [[lab.BIN / p, flag] for p in ("tidemark", "tidemark-local", "tidemark-central")
                for flag in ("--help", "--version", "--print-config")]
    commands += [[lab.BIN / "tidemark", "--central", centre.url, *c] for c in (
        ["nodes"], ["status"], ["records"], ["events"], ["events", "-f"], ["conflicts"], ["node", "a"], ["--json", "nodes"])]
    for argv in commands:
        with open("/dev/full", "w", encoding="ascii") as full:
            r = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, text=True, timeout=20)
        assert r.returncode == 1 and "standard output" in r.stderr, argv


def test_what_is_no_centre_is_said_to_be_none(site):
    a = site.local("a")
    for args in (["status"], ["nodes"], ["events"], ["pull", "a"], ["wait", "--in-sync"]):
        r = run("--central", a.url, *args)
        assert r.returncode == 1 and "no tidemark-central" in r.stderr, args

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>")

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        for args in (["status"], ["nodes"], ["records"], ["--json", "nodes"], ["events"]):
            r = run("--central", f"http://127.0.0.1:{web.server_port}", *args)
            assert r.returncode == 1 and "tidemark-central?" in r.stderr and not r.stdout, args
        web.shutdown()


def test_what_is_not_there_can_be_listed(site):
    centre = site.centre(site.local("a"))
    for args, listed in ((["node", "b"], "nodes"), (["pull", "b"], "nodes"), (["why", "b"], "nodes"), (["safe", "b"], "nodes"), (["node", "pause", "b"], "nodes"),
                         (["record", "a/x"], "records"), (["delete", "a/x"], "records"), (["conflict", "promote", "9"], "conflicts"),
                         (["quarantine", "retry", "9"], "quarantine"), (["quarantine", "drop", "9"], "quarantine")):
        r = centre.tool(*args, check=False)
        assert r.returncode == 1 and r.stderr.endswith(f"Try: tidemark {listed}, which lists them\n"), (args, r.stderr)
        assert centre.tool(listed, check=False).returncode == 0
    r = centre.tool("put", "a/x", "--type", "t", "nowhere", check=False)
    assert r.returncode == 1 and r.stderr == "tidemark: nowhere: No such file or directory\n"
    centre.in_sync()
    centre.tool("node", "pause", "a")
    lab.wait_until("paused", lambda: centre.node("a")["state"] == "paused")
    r = centre.tool("wait", "--in-sync", "--timeout", "100ms", check=False)
    assert r.returncode == 5 and "still paused" in r.stderr and "Try: tidemark why a" in r.stderr


class Follower:
    """`tidemark events -f`, and what it has printed."""

    def __init__(self, centre, *args, **kw):
        self.process = subprocess.Popen([lab.BIN / "tidemark", "--central", centre.url, "events", "-f", *args], text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)

    def until(self, what, stream=None):
        """Lines up to one with this in it."""
        lines, stream = [], stream or self.process.stdout
        while not lines or what not in lines[-1]:
            lines.append(stream.readline())
            assert lines[-1], f"ended without {what}: {self.process.stderr.read()}"
        return lines

    def end(self, number=signal.SIGINT):
        """How it takes the signal: its status, the rest of what it printed, and its complaints."""
        self.process.send_signal(number)
        began = time.monotonic()
        out, err = self.process.communicate(timeout=10)
        assert time.monotonic() - began < 3
        return self.process.returncode, out, err


def blink(centre, times=1):
    """So many times two events."""
    for _ in range(times):
        centre.post("/v1/nodes/a/pause")
        centre.post("/v1/nodes/a/resume")


def test_followed_events_come_at_once(site):
    centre = site.centre(site.local("a"))
    centre.in_sync()
    tool = Follower(centre, "--node", "a", "--level", "info")
    centre.tool("node", "pause", "a")
    tool.until("node.paused")
    began = time.monotonic()
    blink(centre, 25)
    centre.tool("node", "set", "a", "--title", "end")
    assert sum("node.resumed" in line for line in tool.until("node.changed")) == 25
    assert time.monotonic() - began < 5
    assert tool.end() == (0, "", "")
    tool = Follower(centre, "--limit", "1")
    tool.until("\n")
    assert tool.end(signal.SIGTERM)[0] == 0
    r = centre.tool("events", "-f", "--node", "-", check=False)
    assert r.returncode == 1 and "node" in r.stderr


def test_followed_events_are_complete_whatever_the_centre_does(site):
    a = site.local("a")
    centre = site.centre(a)
    centre.in_sync()
    tool = Follower(centre, "--json", "--limit", "1")
    lines = tool.until("}")
    blink(centre, 3)
    for end in centre.kill, centre.stop, centre.stop:
        lines += tool.until("node.resumed")
        end()
        backup = centre.store.backup()
        centre.start()
        blink(centre, 60)
        centre.in_sync()
    centre.tool("node", "set", "a", "--title", "end")
    lines += tool.until("node.changed")
    ids = [json.loads(line)["id"] for line in lines]
    assert ids == [e["id"] for e in centre.all_events() if ids[0] <= e["id"] <= ids[-1]] and len(ids) > 360
    # an older copy of the database: what comes has ids that others had
    centre.stop()
    centre.store.restore(backup)
    centre.start()
    said = tool.until("the centre has an older copy of its database", tool.process.stderr)
    centre.tool("node", "set", "a", "--title", "again")
    last = json.loads(tool.until("title is now again")[-1])
    assert last["id"] < ids[-1]
    status, out, err = tool.end()
    said = "".join(said)
    assert status == 0 and not err, err
    assert 1 <= said.count("asked again until it answers") == said.count("connected again") <= 4, said  # not once a try


def test_one_who_follows_ends_when_nobody_reads(site):
    centre = site.centre(site.local("a"))
    centre.in_sync()
    for args in (), ("--json",):
        tool = Follower(centre, *args)
        tool.until("node.added")
        tool.process.stdout.close()
        assert tool.process.wait(10) in (0, -signal.SIGPIPE) and not tool.process.stderr.read()
    # not even where a broken pipe is no signal
    r = subprocess.run(["sh", "-c", 'trap "" PIPE; "$0" --central "$1" events -f | head -n 1', lab.BIN / "tidemark", centre.url],
                       capture_output=True, text=True, timeout=20)
    assert len(r.stdout.splitlines()) == 1 and not r.stderr, r


def test_a_node_that_moved_is_found_again(site):
    a = site.local("a")
    centre = site.centre(options=["--node", "a=http://127.0.0.1:9"])
    lab.wait_until("offline", lambda: centre.node("a")["state"] in ("offline", "never_seen") and "refused" in centre.node("a")["reason"])
    assert "tidemark node set a --url URL" in centre.tool("why", "a", check=False).stdout
    assert "asked at once" in centre.tool("node", "set", "a", "--url", a.url, "--title", "Laden „A“").stdout
    centre.in_sync("a")
    assert (centre.node("a")["url"], centre.node("a")["title"]) == (a.url, "Laden „A“")
    for args, code, words in ((("a",), 2, "--url URL, --title TEXT"), (("a", "b", "--url", a.url), 2, "takes NAME"),
                              (("a", "--url", "ftp://127.0.0.1/"), 1, "url: "), (("b", "--url", a.url), 1, "no node b")):
        r = centre.tool("node", "set", *args, check=False)
        assert r.returncode == code and words in r.stderr, r
    assert (centre.node("a")["url"], centre.node("a")["title"]) == (a.url, "Laden „A“")


@pytest.mark.both_stores
def test_nodes_are_added_paused_resumed_and_removed(site):
    a, b = site.local("a"), site.local("b")
    centre = site.centre(a)
    centre.tool("node", "add", "b", b.url, "--title", "Büro")
    b.write({"id": "x", "body": 1})
    centre.in_sync()
    assert centre.node("b")["title"] == "Büro"
    assert centre.tool("node", "add", "b", b.url, check=False).returncode == 1
    centre.tool("node", "pause", "b")
    lab.wait_until("paused", lambda: centre.node("b")["state"] == "paused")
    b.write({"id": "y", "body": 2})
    assert centre.tool("wait", "--in-sync", "--timeout", "1s", "b", check=False).returncode == 5
    assert centre.get("/v1/records/b/y").status == 404
    for verb in "pull", "push", "verify":
        r = centre.tool(verb, "b", check=False)
        assert r.returncode == 6 and "is paused" in r.stderr and "Try: tidemark node resume b" in r.stderr
    centre.tool("node", "resume", "b")
    centre.in_sync("b")
    assert centre.get("/v1/records/b/y").status == 200
    centre.tool("node", "rm", "b")
    assert centre.tool("node", "b", check=False).returncode == 1
    assert centre.get("/v1/records/b/y").status == 200
    b.write({"id": "z", "body": 3})
    centre.tool("node", "add", "b", b.url)
    centre.in_sync("b")
    assert lab.same_records(b, centre) == 3
    assert not centre.events("b", "WIPED")


@pytest.mark.both_stores
def test_records_are_read_and_written(site):
    a = site.local("a")
    centre = site.centre(a)
    a.write(*({"id": f"r{i:03}", "body": {"i": i}} for i in range(150)))
    centre.in_sync()
    r = centre.tool("records", "--owner", "a")
    assert len(r.stdout.splitlines()) == 101 and "more: --after a/r099" in r.stderr
    page = json.loads(centre.tool("--json", "records", "--owner", "a", "--after", "a/r099").stdout)
    assert [x["id"] for x in page["records"]] == [f"r{i:03}" for i in range(100, 150)] and page["next"] is None
    centre.tool("put", "a/r000", "--type", "t", "-", input='{"i" : 1.50}')
    centre.in_sync()
    assert b'{"i" : 1.50}' in a.get("/v1/records/r000").body
    assert json.loads(centre.tool("record", "a/r000").stdout)["body"] == {"i": 1.5}
    centre.tool("delete", "a/r001")
    centre.in_sync()
    assert a.get("/v1/records/r001").status == 404
    assert centre.tool("record", "a/r001", check=False).returncode == 1
    assert centre.tool("put", "a/r002", "--type", "t", "-", input="{", check=False).returncode == 1
    assert centre.tool("put", "nobody/r002", "--type", "t", "-", input="1", check=False).returncode == 1


LOOKS = 10000  # records that a page of a list looks at, at most


@pytest.mark.both_stores
def test_a_rare_type_is_found_among_many_records(site):
    """A page may be short or empty where there are more: at both ends `next` says so, and the tool, exports and the page go on by it."""
    a = site.local("a")
    centre = site.centre(a)
    a.write(*({"id": f"r{i:05}", "type": "often", "body": i} for i in range(LOOKS)))
    a.write(*({"id": f"r{i:05}", "type": "often", "body": i} for i in range(LOOKS, LOOKS + 50)))
    a.write({"id": "r09000", "type": "rare", "body": 1}, {"id": "r10049", "type": "rare", "body": 2})
    centre.in_sync()
    for where, key in (centre, "a/"), (a, ""):
        page = where.get("/v1/records?type=never").json
        assert page["records"] == [] and page["next"] == f"{key}r09999"
        assert where.get(f"/v1/records?type=never&after={page['next']}").json == {"records": [], "next": None}
        page = where.get("/v1/records?type=rare").json
        assert [r["id"] for r in page["records"]] == ["r09000"] and page["next"] == f"{key}r09999"
        page = where.get("/v1/records?type=often&limit=2").json
        assert [r["id"] for r in page["records"]] == ["r00000", "r00001"] and page["next"] == f"{key}r00001"
    r = centre.tool("records", "--type", "rare")
    assert [line.split()[0] for line in r.stdout.splitlines()] == ["OWNER/ID", "a/r09000", "a/r10049"] and "more" not in r.stderr
    page = json.loads(centre.tool("--json", "records", "--type", "rare").stdout)
    assert [x["body"] for x in page["records"]] == [1, 2] and page["next"] is None
    page = json.loads(centre.tool("--json", "records", "--type", "rare", "--limit", "1").stdout)
    assert [x["body"] for x in page["records"]] == [1] and page["next"] == "a/r09999"
    assert json.loads(centre.tool("--json", "records", "--type", "never").stdout) == {"records": [], "next": None}
    exported = centre.tool("export", "--type", "rare").stdout.splitlines()
    assert [json.loads(line)["id"] for line in exported] == ["r09000", "r10049"]


@pytest.mark.both_stores
def test_status_and_verify_and_events(site):
    a = site.local("a")
    centre = site.centre(a)
    a.write({"id": "x", "body": 1})
    centre.in_sync()
    assert centre.tool("status", "--check").returncode == 0
    centre.tool("verify", "a")
    assert "equal" in centre.tool("nodes").stdout
    assert json.loads(centre.tool("--json", "status").stdout)["nodes"]["in_sync"] == 1
    assert "pulled" in centre.tool("events", "--node", "a").stdout
    assert centre.tool("conflicts").stdout.startswith("ID")
    a.stop()
    lab.wait_until("offline", lambda: centre.node("a")["state"] == "offline")
    r = centre.tool("status", "--check", check=False)
    assert r.returncode == 2 and "offline" in r.stdout
    n = centre.node("a")
    assert "refused" in n["reason"] and n["next_attempt_at"] and n["since"]
    a.start()
    centre.in_sync()


def test_tokens(site):
    """With a secret the centre answers nobody who does not show it; the tool shows it by --token-file."""
    secret = site.path / "secret"
    secret.write_text("a-long-secret-of-the-centre\n")
    os.chmod(secret, 0o600)
    token = site.path / "token"
    token.write_text("x" * 64)
    os.chmod(token, 0o600)
    a = site.local("a", options=["--token-file", str(token)])
    centre = site.centre(options=["--secret-file", str(secret)])
    assert centre.get("/v1/status").status == 401 and centre.get("/healthz").status == 200
    r = centre.tool("--token-file", str(secret), "node", "add", "a", a.url)
    lab.wait_until("401 said", lambda: "401" in call_node(centre, secret)["reason"])
    a.stop()
    token.write_text(r.stdout.strip())
    a.start()
    assert centre.tool("--token-file", str(secret), "node", "token", "a").stdout == r.stdout
    a.write({"id": "x", "body": 1})
    centre.tool("--token-file", str(secret), "wait", "--in-sync", "--timeout", "20s")
    assert a.get("/v1/changes").status == 401
    assert centre.tool("status", check=False).returncode == 6
    rotated = centre.tool("--token-file", str(secret), "node", "rotate", "a").stdout
    assert rotated != r.stdout
    lab.wait_until("the one before is taken", lambda: call_node(centre, secret)["token_taken"] == "old")
    assert "still takes the token before its rotation" in centre.tool("--token-file", str(secret), "node", "a").stdout
    assert centre.tool("--token-file", str(secret), "node", "rotate", "a").stdout not in (r.stdout, rotated)
    lab.wait_until("401 said again", lambda: "401" in call_node(centre, secret)["reason"])
    for log in (a.log, centre.log):
        assert "a-long-secret" not in log.read_text() and r.stdout.strip() not in log.read_text()


def call_node(centre, secret):
    return centre.get("/v1/nodes/a", headers={"Authorization": "Bearer " + secret.read_text().strip()}).json


def test_programs_refuse_what_is_not_theirs(site):
    a = site.local("a")
    second = subprocess.run(a.argv(), capture_output=True, text=True, timeout=10)
    assert second.returncode == 6 and "lock" in second.stderr
    a.stop()
    for argv, words in (
            ([lab.BIN / "tidemark-local", "--node", "b", "--db", a.db, "--listen", "127.0.0.1:0"], "a"),
            ([lab.BIN / "tidemark-local", "--node", "b", "--db", site.path / "b.db", "--listen", "0.0.0.0:0"], "loopback"),
            ([lab.BIN / "tidemark-central", "--store", f"sqlite:{a.db}", "--listen", "127.0.0.1:0"], "database"),
            ([lab.BIN / "tidemark-central", "--store", f"sqlite:{site.path}/c.db", "--listen", "0.0.0.0:0"], "loopback")):
        r = subprocess.run(argv, capture_output=True, text=True, timeout=10)
        assert r.returncode == 6 and words in r.stderr, (argv, r)
    for argv in (["tidemark-local", "--node", "b", "--db", site.path], ["tidemark-local", "--node", "b", "--db", site.path / "no/b.db"],
                 ["tidemark-central", "--store", f"sqlite:{site.path}"]):
        r = subprocess.run([lab.BIN / argv[0], *argv[1:], "--listen", "127.0.0.1:0"], capture_output=True, text=True, timeout=10)
        assert r.returncode == 6 and "directory" in r.stderr, (argv, r)
    twice = ["--node", "a=http://127.0.0.1:1", "--node", "a=http://127.0.0.1:2"]
    for argv, words in ((["tidemark-central", *twice], "given before"),
                        (["tidemark-central", "--listen", "nonsense"], "127.0.0.1:7100"),
                        (["tidemark-local", "--node", "b", "--db", "b.db", "--listen", "127.0.0.1"], "127.0.0.1:7100"),
                        (["tidemark-local", "--node", "b", "--db", ""], "--db FILE")):
        r = subprocess.run([lab.BIN / argv[0], *argv[1:], "--check-config"], capture_output=True, text=True, timeout=10)
        assert r.returncode == 2 and words in r.stderr, (argv, r)


def test_every_command_speaks_json(site):
    a = site.local("a")
    centre = site.centre(a)
    a.write({"id": "x", "body": 1})
    centre.in_sync()
    away = "http://127.0.0.1:9"
    for args in (["status"], ["status", "--check"], ["nodes"], ["node", "a"], ["node", "add", "b", away], ["node", "pause", "b"], ["node", "resume", "b"],
                 ["node", "token", "b"], ["node", "rm", "b"], ["pull", "a"], ["push", "a"], ["verify", "a"],
                 ["why", "a"], ["safe", "a"], ["wait", "--in-sync"], ["records"], ["record", "a/x"], ["put", "a/y", "--type", "t", "-"], ["delete", "a/x"],
                 ["events"], ["events", "--node", "a", "--level", "warn"], ["conflicts"], ["quarantine"], ["quarantine", "--node", "a"]):
        r = centre.tool("--json", *args, input="1")
        assert isinstance(json.loads(r.stdout), dict) and not r.stderr, args
    assert "paused" in centre.tool("node", "pause", "a").stdout and "resumed" in centre.tool("node", "resume", "a").stdout
    # nothing to put into a token file: not a success
    for verb in ("token", "rotate"):
        r = centre.tool("node", verb, "a", check=False)
        assert r.returncode == 1 and not r.stdout and "no secret" in r.stderr


def test_lists_longer_than_a_page_are_shown_whole(site):
    centre = site.centre(options=["--poll-interval", "1h"])
    for i in range(1003):
        r = centre.post("/v1/nodes", {"name": f"n{i:04}", "url": f"http://127.0.0.1:9/{i}"})
        assert r.status == 201, r.body
    lines = centre.tool("nodes").stdout.splitlines()
    assert len(lines) == 1004 and len({line.split()[0] for line in lines}) == 1004
    assert len(json.loads(centre.tool("--json", "nodes").stdout)["nodes"]) == 1003
    r = centre.tool("status", "--check", check=False)
    assert r.returncode == 2 and r.stdout.startswith("TIDEMARK CRITICAL - 0 of 1003 nodes in sync; n0000 is ")


def test_a_monitor_gets_one_line_with_figures(site):
    a = site.local("a")
    centre = site.centre(a)
    centre.in_sync()
    first = centre.tool("status", "--check").stdout.splitlines()[0]
    assert first == "TIDEMARK OK - 1 of 1 nodes in sync | in_sync=1;;;0;1 conflicts=0"
    centre.tool("node", "pause", "a")
    lab.wait_until("paused", lambda: centre.node("a")["state"] == "paused")
    r = centre.tool("--json", "status", "--check", check=False)
    assert r.returncode == 1 and json.loads(r.stdout)["nodes"]["paused"] == 1
    centre.stop()
    r = centre.tool("status", "--check", check=False)
    assert r.returncode == 3 and r.stdout.startswith("TIDEMARK UNKNOWN")


def test_long_commands_show_how_far_they_are_on_a_terminal_and_nowhere_else(site):
    a = site.local("a")
    for i in range(6):
        a.write(*({"id": f"r{i}-{k}", "body": k} for k in range(5000)))
    centre = site.centre(a, site.local("b"), options=["--poll-interval", "100ms"])
    tool = [lab.BIN / "tidemark", "--central", centre.url]
    shown = lab.on_terminal(*tool, "pull", "a")[1]
    assert re.search(rb"a \w+: \d+ of \d+ records", shown), shown[:400]
    file = site.path / "all.ndjson"
    rows = rb"all\.ndjson: \d+ records"
    for argv, said in (([*tool, "pull", "a"], rb"a \w+: "), ([*tool, "push", "a"], rb"a \w+: "), ([*tool, "wait", "--in-sync"], rb"b \(2 of 2\) \w+: "),
                       ([*tool, "verify", "a"], rb"\] a at the centre: \d+ of 30000 records \(\d+ %\)"), ([*tool, "safe", "b"], rb"\w+ "),
                       ([*tool, "backup", "--force", site.path / "copy.db"], rb"copy\.db: [\d.]+ [KM]?B of [\d.]+ MB \(\d+ %\)"),
                       ([*tool, "export", file], rows), ([*tool, "import", file], rows),
                       ([lab.BIN / "tidemark-local", "export", "--from", a.url, file], rows), ([lab.BIN / "tidemark-local", "import", "--to", a.url, file], rows)):
        printed, shown = lab.on_terminal(*argv)
        assert printed.count("\n") == 1 and shown.endswith(b"\r\x1b[K"), (argv, printed, shown[-200:])
        assert re.search(said, shown), (argv, shown[:400])
        if "safe" in argv:  # which watches for a second
            continue
        assert lab.on_terminal(*argv, "--quiet")[1] == b"", argv
        assert not subprocess.run(argv, capture_output=True, timeout=60, check=True).stderr, argv
        printed, shown = lab.on_terminal(*argv, "--json")
        assert isinstance(json.loads(printed), dict) and shown == b"", argv


def test_what_is_said_takes_the_place_of_progress(site):
    centre = site.centre(site.local("a"))
    centre.in_sync()
    centre.tool("node", "pause", "a")

    def look(shown):
        if b"a paused" in shown and centre.process.poll() is None:
            centre.kill()

    shown = lab.on_terminal(lab.BIN / "tidemark", "--central", centre.url, "wait", "--in-sync", "a", status=3, look=look)[1]
    assert b"\r\x1b[Ktidemark: http://127.0.0.1" in shown and shown.endswith(b"asks another\r\n"), shown


class HeldBack(protocol1.Local):
    """Its answers are ready some time before they are sent."""

    def __init__(self, name):
        self.ready, self.go = 0, threading.Semaphore(1000)
        super().__init__(name)

    def changes(self, q):
        answer = super().changes(q)
        self.ready += 1
        self.go.acquire(timeout=10)
        return answer


def relay(centre, answered):
    """Passes on what a tool asks, and says so."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def pass_on(self):
            r = lab.call(centre.url + self.path, self.command)
            answered(self.command)
            self.send_response(r.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(r.body)))
            self.end_headers()
            self.wfile.write(r.body)
        do_GET = do_POST = pass_on

        def log_message(self, *_):
            pass

    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    return web


def test_wait_counts_no_proof_of_what_was_there_before_it_was_called(site):
    local, seen = HeldBack("a"), []

    def answered(command):
        """The page that was ready goes out once the tool has asked, the next one when the tool has looked a few times."""
        seen.append(command)
        if command == "POST":
            local.go.release()
        elif seen[-5:] == ["GET"] * 5:
            local.go.release(1000)

    centre = site.centre(options=["--poll-interval", "200ms"])
    between = relay(centre, answered)
    try:
        assert centre.post("/v1/nodes", {"name": "a", "url": local.url}).status == 201
        centre.in_sync("a")
        local.go = threading.Semaphore(0)
        asked = len(local.asked)
        assert centre.post("/v1/nodes/a/pull").status == 202  # a call is not cut short twice in a row: this one, or the last
        until = time.monotonic() + 1
        lab.wait_until("cut short, or not", lambda: len(local.asked) > asked or time.monotonic() > until)
        lab.wait_until("a page without what is written now", lambda: local.ready == len(local.asked))
        local.write("late", "1")
        r = run("--central", f"http://127.0.0.1:{between.server_port}", "wait", "--in-sync", "--timeout", "20s")
        assert r.returncode == 0, r.stderr
        assert centre.get("/v1/records/a/late").status == 200
    finally:
        local.go.release(1000)
        between.shutdown()
        between.server_close()
        local.close()
