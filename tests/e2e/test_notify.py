"""Receivers of notifications are told what happens: in order, at least once, whatever they do and whoever is killed."""
import contextlib
import hashlib
import hmac
import http.client
import os
import signal
import subprocess
import time

import pytest

import crowd
import hooks
import lab
import proc
from prometheus import samples

SECRET = "a-word-between-us"
KILLS = int(os.environ.get("TIDEMARK_NOTIFY_KILLS", 2))


@pytest.fixture
def receiver():
    h = hooks.Hooks()
    yield h
    h.close()


def told(events):
    """(node, state) of the changes of state among them."""
    return [(e["node"], e["state"]) for e in events if e["kind"] == "node.state"]


def receivers(centre):
    return centre.get("/v1/notifications/receivers").json["receivers"]


def deliveries(centre):
    return centre.get("/v1/notifications?limit=1000").json["notifications"]


def test(centre):
    """One now: the event's number."""
    r = centre.post("/v1/notifications/test")
    assert r.status == 202, r.body
    return r.json["event"]


test.__test__ = False


def trouble(centre, local):
    local.kill()
    lab.wait_until("it is offline", lambda: centre.node(local.name)["state"] == "offline")


@pytest.mark.both_stores
def test_the_end_and_the_return_of_a_node_are_told(site, receiver, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:9")
    path = "/services/T0/private?x=1"
    command = hooks.Command(site.path, "tell", 'echo; echo "$TIDEMARK_NOTICE_SUBJECT"; echo 2')
    secret = lab.private_file(site.path / "secret", SECRET + "\n")
    a = site.local("a")
    centre = site.centre(a, options=["--notify-url", receiver.url + path, "--notify-command", command.path, "--notify-secret-file", secret])
    centre.in_sync("a")
    trouble(centre, a)
    want = [("a", "offline")]
    lab.wait_until("the URL is told", lambda: told(receiver.events(path)) == want)
    lab.wait_until("the command is told", lambda: told([e for m in command.messages() for e in m["events"]]) == want)
    a.start()
    centre.in_sync("a")
    want.append(("a", "in_sync"))
    lab.wait_until("the URL is told of the end", lambda: told(receiver.events(path)) == want)
    lab.wait_until("the command, too", lambda: told([e for m in command.messages() for e in m["events"]]) == want)

    request = receiver.at(path)[0]
    assert request.headers["Content-Type"] == "application/json" and request.headers["User-Agent"].startswith("tidemark/")
    signature = "sha256=" + hmac.new(SECRET.encode(), request.body, hashlib.sha256).hexdigest()
    assert request.headers["Tidemark-Signature"] == signature
    message, (event,) = request.json, request.json["events"]
    assert message["id"] == request.key and message["url"] == centre.url and message["attempt"] == 1 and message["dropped"] == 0
    assert event["was"] == "in_sync" and event["level"] == "warn" and event["text"].endswith(f"): {event['reason']}")
    assert message["text"] == f"a: {event['text']}\n" and message["subject"] == f"Tidemark: a: {event['text']}"
    (kept,) = [e for e in centre.events("a", "node.state") if e["id"] == event["id"]]
    assert {k: event[k] for k in kept if k not in ("who", "address", "before", "after")}.items() <= kept.items()

    shown = centre.tool("notifications").stdout
    assert f"exit 0: Tidemark: a: offline (was in_sync): {event['reason']}"[:60] in shown and " delivered " in shown
    assert [r["ok"] for r in receivers(centre)] == [True, True]
    values = samples(centre)
    failing = [v for (name, labels), v in values.items() if name == "tidemark_notify_failing"]
    assert failing == [0, 0]
    told_where = centre.get("/v1/notifications").body + centre.get("/v1/notifications/receivers").body + centre.get("/metrics").body
    assert b"private" not in told_where and "private" not in centre.log_text() and SECRET not in centre.log_text()
    assert centre.stop() == 0


def test_whatever_a_receiver_does_it_is_told_in_the_end_and_holds_up_nobody(site, receiver):
    does = {"/500": [hooks.answer(500, b"\n<h1>no</h1>\n")], "/closes": [hooks.close], "/hangs": [hooks.hang(receiver)],
            "/moved": [hooks.answer(307, headers=[("Location", receiver.url + "/elsewhere")])], "/404": [hooks.answer(404)],
            "/endless": [hooks.drip(receiver)], "/well": [],
            "/slow": [lambda h, r: (receiver.ended.wait(0.2), hooks.answer(200, b"at last")(h, r))]}
    receiver.does = {k: list(v) for k, v in does.items()}
    a = site.local("a")
    options = [o for path in does for o in ("--notify-url", receiver.url + path)]
    centre = site.centre(a, options=[*options, "--notify-timeout", "1s"])
    centre.in_sync("a")
    trouble(centre, a)
    lab.wait_until("who is well is told", lambda: receiver.at("/well"))
    a.start()
    centre.in_sync("a")
    want = [("a", "offline"), ("a", "in_sync")]
    lab.wait_until("those that are not well have failed", lambda: sum(r["failed"] for r in receivers(centre)) >= 5)
    test(centre)  # which waits for no backoff
    lab.wait_until("each is told", lambda: all(told(receiver.events(p)) == want for p in does))
    lab.wait_until("and all is taken", lambda: all(r["ok"] and r["waiting"] == 0 for r in receivers(centre)))
    for path, tries in does.items():
        first, *rest = receiver.at(path)
        failed = 0 if path in ("/endless", "/well", "/slow") else len(tries)
        assert [r.key for r in rest].count(first.key) == failed, path
        again = [r.json for r in rest if r.key == first.key]
        assert all(m["events"] == first.json["events"] for m in again) and [m["attempt"] for m in again] == [n + 2 for n in range(failed)], path
    assert not receiver.at("/elsewhere")
    # Each change of a receiver is one event, and told to nobody.
    assert len(centre.events(kind="notify.failed")) == len(centre.events(kind="notify.healed")) == 5
    texts = " ".join(e["text"] for e in centre.events(kind="notify.failed"))
    for words in ("answered 500: <h1>no</h1>", "the connection broke", "timed out", "answered 307", "answered 404"):
        assert words in texts, texts
    assert {e["kind"] for p in does for e in receiver.events(p)} == {"node.state", "notify.test"}
    history = deliveries(centre)
    assert {d["outcome"] for d in history} == {"delivered"} and max(d["attempts"] for d in history) == 2
    assert "200: at last" in {d["answer"] for d in history}


@pytest.mark.both_stores
def test_a_kill_between_delivery_and_commit_delivers_the_same_again(site, receiver):
    centre = site.centre(options=["--notify-url", receiver.url + "/x", "--notify-level", "info"])

    def kill(handler, request):
        centre.process.kill()
        centre.process.wait()
        hooks.answer(200)(handler, request)

    def add(name, port):
        """Told or not: whoever is killed has stored it before."""
        with contextlib.suppress(ConnectionError, http.client.HTTPException):
            assert centre.post("/v1/nodes", {"name": name, "url": f"http://127.0.0.1:{port}"}).status == 201

    names = [f"n{i}" for i in range(2 * KILLS - 1)]
    for i, name in enumerate(names):
        if i % 2 == 0:
            lab.wait_until("nothing is under way", lambda: receivers(centre)[0]["waiting"] == 0)
            receiver.does["/x"] = [kill]
        add(name, i + 1)
        if i % 2 == 0:
            centre.process.wait(20)
            centre.start()
    lab.wait_until("all are told", lambda: {e["node"] for e in receiver.events("/x") if e["kind"] == "node.added"} == set(names))
    lab.wait_until("all is taken", lambda: receivers(centre)[0]["waiting"] == 0)
    keys = [r.key for r in receiver.at("/x")]
    bodies = {}
    for r in receiver.at("/x"):
        bodies.setdefault(r.key, []).append(r.json["events"])
    assert len(keys) - len(bodies) == KILLS and all(all(e == x[0] for e in x) for x in bodies.values())
    ids = [e["id"] for e in receiver.events("/x")]
    assert ids == sorted(set(ids)), "each once, by its message's id, in order"
    assert {d["outcome"] for d in deliveries(centre)} == {"delivered"}


def test_a_command_that_fails_or_hangs_is_run_again(site):
    command = hooks.Command(site.path, "tell", "echo sorry >&2; exit 3")
    centre = site.centre(options=["--notify-command", command.path, "--notify-timeout", "400ms"])
    assert centre.tool("notifications", "test", check=False).returncode == 1
    lab.wait_until("it is said", lambda: receivers(centre)[0]["answer"] == "exit 3: sorry")
    children = site.path / "children"
    command.then(f"sleep 1000 & echo $! $$ > {children}.new; mv {children}.new {children}; wait")
    r = centre.tool("notifications", "test", check=False)
    assert r.returncode == 1 and "FAILED: not done within 400 ms, and killed" in r.stdout
    for pid in children.read_text().split():
        lab.wait_until("it and what it started have ended", lambda: proc.has_ended(pid))
    command.then("kill -9 $$")
    assert "FAILED: ended by signal 9" in centre.tool("notifications", "test", check=False).stdout
    command.then("head -c 100000 /dev/zero | tr '\\0' x")
    r = centre.tool("notifications", "test")
    assert f"{command.path}: taken: exit 0: xxx" in r.stdout and len(r.stdout) < 1000
    first, second, *_ = command.messages()
    assert first["id"] == second["id"] and first["events"] == second["events"]
    assert [e["kind"] for m in {m["id"]: m for m in command.messages()}.values() for e in m["events"]] == ["notify.test"] * 4


def test_a_stop_waits_for_no_receiver(site, receiver):
    receiver.does["/x"] = [hooks.hang(receiver)] * 3
    pid = site.path / "pid"
    command = hooks.Command(site.path, "tell", f"echo $$ > {pid}.new; mv {pid}.new {pid}; exec sleep 1000")
    options = ["--notify-url", receiver.url + "/x", "--notify-command", command.path, "--notify-timeout", "5m"]
    centre = site.centre(options=options)
    test(centre)
    lab.wait_until("both are at it", lambda: receiver.at("/x") and pid.exists())
    assert centre.tool("notifications", "test", "--timeout", "200ms", check=False).returncode == 5
    begun = time.monotonic()
    assert centre.stop() == 0
    assert time.monotonic() - begun < 4
    lab.wait_until("the command has ended", lambda: proc.has_ended(pid.read_text().strip()))
    receiver.does["/x"] = []
    command.then("exit 0")
    centre.start()
    lab.wait_until("what was under way is told", lambda: all(r["ok"] and r["waiting"] == 0 for r in receivers(centre)))
    assert [e["kind"] for e in receiver.events("/x")] == ["notify.test"] * 2
    assert not centre.events(kind="notify.failed")


def test_a_flood_is_few_messages(site, receiver):
    many = crowd.Crowd(200)
    centre = site.centre(*many.nodes, options=["--notify-url", receiver.url + "/x"])
    try:
        lab.wait_until("all are in step", lambda: centre.get("/v1/status").json["nodes"]["in_sync"] == 200, 30)
    finally:
        many.close()
    lab.wait_until("all are offline", lambda: centre.get("/v1/status").json["nodes"]["offline"] == 200, 30)
    lab.wait_until("each is told", lambda: len({e["node"] for e in receiver.events("/x") if e["state"] == "offline"}) == 200)
    messages = receiver.at("/x")
    assert len(messages) <= 8 and max(len(m.json["events"]) for m in messages) <= 100
    longest = max(messages, key=lambda m: len(m.json["events"]))
    assert longest.json["text"].endswith(f"and {len(longest.json['events']) - 20} more\n")


def test_other_receivers_need_a_restart_and_the_present_ones_go_on(site, receiver):
    config = site.path / "centre.conf"
    config.write_text(f"notify-url = {receiver.url}/old\n")
    centre = site.centre(options=["--config", config])
    config.write_text(f"notify-url = {receiver.url}/old {receiver.url}/new\nnotify-level = info\nkeep-events = 1000\n")
    centre.process.send_signal(signal.SIGHUP)
    lab.wait_until("it is said", lambda: "keep-events" in centre.log_text() and "notify-url" in centre.log_text())
    assert "/old" not in centre.log_text() and "/new" not in centre.log_text()
    shown = subprocess.run([*centre.argv(), "--print-config"], capture_output=True, text=True, timeout=20).stdout
    assert f"notify-url = {receiver.url}/*** {receiver.url}/***" in shown
    assert centre.tool("notifications", "test").stdout.count("taken: 204") == 1
    assert centre.stop() == 0
    centre.start()
    assert centre.tool("notifications", "test").stdout.count("taken: 204") == 2
    assert [len(receiver.at(p)) for p in ("/old", "/new")] == [2, 1]


def refused(site, *options):
    centre = lab.Centre(site.path, options=options, name="refused")
    r = subprocess.run(centre.argv(), capture_output=True, text=True, timeout=20)
    assert r.returncode != 0 and not (site.path / "refused.db").exists()
    return r.returncode, r.stderr


def test_what_is_no_receiver_is_refused(site):
    plain = site.path / "plain"
    plain.write_text("no program")
    loose = site.path / "loose"
    loose.write_text("secret")
    loose.chmod(0o644)
    url = "http://127.0.0.1:9/x"
    for options, words in [(("--notify-url", "ftp://h/"), "does not start with http"), (("--notify-url", "http://u:secret@h/"), "neither user"),
                           (("--notify-url", url, "--notify-url", url), "number 2): given twice"),
                           (("--notify-command", "bin/true"), "not an absolute path"), (("--notify-command", plain), "may execute"),
                           (("--notify-command", "/nowhere"), "may execute"), (("--notify-level", "debug"), "error warn info"),
                           (("--notify-timeout", "1ms"), "notify-timeout")]:
        code, text = refused(site, *options)
        assert code == 2 and words in text and "secret" not in text, (options, text)
    code, text = refused(site, "--notify-url", url, "--notify-secret-file", loose)
    assert code == 6 and "chmod" in text
    centre = site.centre()
    assert centre.post("/v1/notifications/test").code == "conflict"
    r = centre.tool("notifications", "test", check=False)
    assert r.returncode == 1 and "nobody to tell" in r.stderr
    assert "nobody is told" in centre.tool("notifications").stdout
