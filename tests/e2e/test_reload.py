"""SIGHUP: both programs read their settings again while they work. What may change changes and is told by name; what needs a
restart keeps its value and is told; what does not hold together changes nothing."""
import os
import pty
import re
import signal
import threading

import pytest

import lab


class Configured:
    """A program whose settings are in a file that is rewritten."""

    def __init__(self, program, settings, **environment):
        self.program, self.file = program, program.directory / f"{program.name}.conf"
        self.settings = settings
        self.write()
        program.options += ["--config", self.file]
        program.environment = environment

    def write(self, **changes):
        for name, value in changes.items():
            name = name.replace("_", "-")
            self.settings.pop(name, None)
            if value is not None:
                self.settings[name] = value
        self.file.write_text("".join(f"{k} = {v}\n" for k, v in self.settings.items()))

    def hangup(self):
        """Signals, and returns the lines from it to its end."""
        before = self.program.log_text()
        self.program.process.send_signal(signal.SIGHUP)
        return lab.wait_until("reloaded", lambda: (lambda new: new if re.search(r" reload(ed|\.failed) |\"reload", new) else None)(
            self.program.log_text()[len(before):]))

    def reload(self, **changes):
        self.write(**changes)
        return self.hangup()

    def told(self, **changes):
        """Reloads; {option: (before, after)}, and how many were refused."""
        text = self.reload(**changes)
        assert "reload.failed" not in text, text
        value = r'("(?:[^"\\]|\\.)*"|\S+)'
        found = {o: (b.strip('"'), a.strip('"'))
                 for o, b, a in re.findall(rf"setting\.changed option=(\S+) before={value} after={value}", text)}
        return found, int(re.search(r" reloaded changed=\d+ refused=(\d+)", text)[1])


@pytest.fixture
def pair(site):
    """A centre and a local, each with its settings in a file."""
    shop = lab.Local(site.path, "shop-1")
    s = Configured(shop, {"generate": "0"})
    site.adopt(shop)
    centre = lab.Centre(site.path, [])
    centre.argv = lambda: [lab.BIN / "tidemark-central", "--store", centre.store.url, "--listen", f"127.0.0.1:{centre.port}",
                           *centre.options]
    c = Configured(centre, {"poll-interval": "500ms", "node": f"shop-1={shop.url}"})
    site.adopt(centre)
    centre.in_sync("shop-1")
    return c, s


def test_what_did_not_change_is_not_told(pair):
    for p in pair:
        assert p.told() == ({}, 0)


def test_the_log_changes(pair):
    """Level and format are others from the reload's own lines on."""
    for p in pair:
        assert p.told(log_level="debug") == ({"log-level": ("info", "debug")}, 0)
        assert '"event":"reloaded"' in p.reload(log_format="json")
        assert p.program.process.poll() is None
        assert p.told(log_level=None, log_format="logfmt")[0] == {"log-level": ("debug", "info"), "log-format": ("json", "logfmt")}


def test_nodes_are_added_and_a_shorter_interval_is_not_waited_for(pair, site):
    centre, shop = pair
    other = site.local("shop-2")
    assert centre.told(poll_interval="1h")[0] == {"poll-interval": ("500ms", "1h")}
    found, _ = centre.told(node=f"shop-1={shop.program.url} shop-2={other.url}")
    assert found["node"][1].endswith(f"shop-2={other.url}")
    centre.program.in_sync("shop-1", "shop-2")
    polls = centre.program.node("shop-1")["polls"]["ok"]
    centre.reload(poll_interval="200ms")
    lab.wait_until("polled often", lambda: centre.program.node("shop-1")["polls"]["ok"] > polls + 5, 10)
    # one that is no longer named stays, and what was changed through the API is not changed back
    centre.program.post("/v1/nodes/shop-1/pause")
    centre.told(node=f"shop-1={shop.program.url}")
    assert {n["name"]: n["state"] for n in centre.program.nodes()} == {"shop-1": "paused", "shop-2": "in_sync"}


def test_networks_come_and_go(site):
    """Also from under a connection that is open."""
    shop = site.local("shop-1")
    secret = lab.private_file(site.path / "secret", "operator-of-the-centre\n")
    centre = lab.Centre(site.path, [])
    centre.argv = lambda: [lab.BIN / "tidemark-central", "--store", centre.store.url, "--listen", f"0.0.0.0:{centre.port}", "--allow-plain-http",
                           *centre.options]
    c = Configured(centre, {"poll-interval": "200ms", "allow-network": "127.0.0.0/8", "secret-file": str(secret)})
    site.adopt(centre)
    centre.url = centre.url.replace("0.0.0.0", "127.0.0.1")
    operator = {"Authorization": "Bearer operator-of-the-centre"}

    def node():
        return lab.call(centre.url + "/v1/nodes/shop-1", headers=operator).json

    r = lab.call(centre.url + "/v1/nodes", "POST", f'{{"name":"shop-1","url":"{shop.url}"}}', headers=operator)
    assert r.status == 201, r.body
    lab.wait_until("in sync", lambda: node()["state"] == "in_sync")
    assert c.told(allow_network="10.0.0.0/8")[0] == {"allow-network": ("127.0.0.0/8", "10.0.0.0/8")}
    n = lab.wait_until("offline", lambda: (lambda x: x if x["state"] == "offline" else None)(node()))
    assert "in no allowed network" in n["reason"]
    r = lab.call(centre.url + "/v1/nodes", "POST", '{"name":"b","url":"http://127.0.0.1:9"}', headers=operator)
    assert r.status == 400 and "in no allowed network" in r.json["detail"], r.body
    c.told(allow_network="10.0.0.0/8 127.0.0.0/8")
    lab.wait_until("in sync again", lambda: node()["state"] == "in_sync", 5)  # without its backoff


def test_secrets_are_read_again_and_never_logged(site):
    secret, token, app = (site.path / x for x in ("secret", "token", "app"))
    for f, text in ((secret, "first-secret-of-the-centre"), (app, "first-app-of-the-site")):
        lab.private_file(f, text)
    centre = lab.Centre(site.path, [], options=["--secret-file", secret])
    site.adopt(centre)

    def operator(text):
        return {"Authorization": f"Bearer {text}"}

    def token_of(text):
        return lab.call(centre.url + "/v1/nodes/shop-1/token", headers=operator(text)).json["token"]

    assert lab.call(centre.url + "/v1/nodes", "POST", '{"name":"shop-1","url":"http://127.0.0.1:9"}', headers=operator("first-secret-of-the-centre")).status == 201
    lab.private_file(token, token_of("first-secret-of-the-centre"))
    shop = lab.Local(site.path, "shop-1", options=["--token-file", token, "--app-token-file", app])
    site.adopt(shop)
    assert lab.call(centre.url + "/v1/nodes/shop-1", "PATCH", f'{{"url":"{shop.url}"}}', headers=operator("first-secret-of-the-centre")).status == 200

    def state(text):
        return lab.call(centre.url + "/v1/nodes/shop-1", headers=operator(text)).json["state"]

    lab.wait_until("in sync", lambda: state("first-secret-of-the-centre") == "in_sync")
    c, s = Configured(centre, {}), Configured(shop, {})
    secret.write_text("second-secret-of-the-centre")
    assert "changed=1 refused=0" in c.hangup()
    assert lab.call(centre.url + "/v1/nodes", headers=operator("first-secret-of-the-centre")).status == 401
    lab.wait_until("a wrong token", lambda: state("second-secret-of-the-centre") == "offline")
    token.write_text(token_of("second-secret-of-the-centre"))
    app.write_text("second-app-of-the-site")
    assert "changed=2 refused=0" in s.hangup()
    centre.tool("--token-file", secret, "pull", "shop-1")
    assert lab.call(shop.url + "/v1/status", headers=operator("first-app-of-the-site")).status == 401
    assert lab.call(shop.url + "/v1/status", headers=operator("second-app-of-the-site")).status == 200
    # one that is taken away, or that everybody may read, changes nothing
    app.unlink()
    assert "reload.failed" in s.hangup() and lab.call(shop.url + "/v1/status", headers=operator("second-app-of-the-site")).status == 200
    secret.write_text("third-secret-of-the-centre")
    secret.chmod(0o644)
    assert "readable by everybody" in c.hangup() and state("second-secret-of-the-centre") == "in_sync"
    secret.chmod(0o600)
    assert "changed=1 refused=0" in c.hangup() and lab.call(centre.url + "/v1/nodes", headers=operator("second-secret-of-the-centre")).status == 401
    for p in (centre, shop):
        assert not re.search("(first|second|third)-(secret|app)", p.log.read_text()) and token.read_text() not in p.log.read_text()


def test_the_generator_starts_changes_and_stops(pair):
    _, shop = pair

    def written():
        return shop.program.status()["generator"]["written"]

    assert shop.program.status()["generator"] == {"rate": 0, "written": 0}
    assert shop.told(generate="500")[0] == {"generate": ("0", "500")}
    lab.wait_until("records", lambda: written() > 100)
    assert shop.program.status()["generator"]["rate"] == 500
    shop.told(generate="0")
    after = lab.wait_until("none more", lambda: (lambda n: n if n == written() else None)(written()))
    shop.told(generate="0", generate_burst="10")
    assert shop.program.status()["generator"]["rate"] == 0 and written() >= after


def test_conflicts_are_decided_by_the_new_policy(pair):
    centre, shop = pair
    shop.program.write({"id": "x", "body": 1})
    centre.program.in_sync()
    assert centre.told(conflict="centre")[0] == {"conflict": ("owner", "centre")}
    centre.program.post("/v1/nodes/shop-1/pause")
    lab.call(centre.program.url + "/v1/records/shop-1/x", "PUT", '{"type":"t","body":"centre"}')
    shop.program.write({"id": "x", "body": "site"})
    centre.program.post("/v1/nodes/shop-1/resume")
    centre.program.in_sync()
    assert centre.program.get("/v1/records/shop-1/x").json["body"] == "centre"
    (lost,) = centre.program.conflicts()
    assert "site" in str(lost)


def test_the_clocks_keeper_is_asked_by_another_program(pair):
    for p in pair:
        said = p.program.directory / f"{p.program.name}.asked"
        spy = p.program.directory / f"{p.program.name}-chronyc"
        spy.write_text(f"#!/bin/sh\ntouch {said}\n")
        spy.chmod(0o755)
        assert p.told(chronyc=spy)[0] == {"chronyc": ("chronyc", str(spy))}
        lab.wait_until("asked", said.exists)
        assert p.told(chronyc='""')[1] == 0


def test_what_needs_a_restart_is_refused_by_name_and_the_rest_is_taken(pair, tmp_path):
    centre, shop = pair
    text = centre.reload(store=f"sqlite:{tmp_path}/other.db", listen="127.0.0.1:1", poll_interval="2s")
    # both are given as flags, which a file does not change: nothing was asked for
    assert "refused=0" in text and "option=poll-interval" in text
    for p, changes in ((centre, {"store": f"sqlite:{tmp_path}/other.db", "listen": "10.0.0.1:1"}), (shop, {"db": "other", "node": "b"})):
        argv = p.program.argv()
        p.program.stop()
        flags = {f"--{k}" for k in changes}
        kept, dropped = [argv[0]], {}
        for flag, value in zip(argv[1::2], argv[2::2]):
            if flag in flags:
                dropped[flag[2:]] = value
            else:
                kept += [flag, value]
        p.write(**dropped)
        p.program.argv = lambda kept=kept: kept
        p.program.start()
        text = p.reload(log_level="debug", **changes)
        for name, value in changes.items():
            assert re.search(rf"warn setting\.refused option={name} reason=\"it needs a restart\" now=\S+ wanted={re.escape(value)}", text), text
        assert "setting.changed option=log-level" in text and f"changed=1 refused={len(changes)}" in text
        assert p.told(log_level=None)[1] == len(changes)  # and again, as long as the file says so
        p.write(**dropped)
        assert p.told() == ({}, 0)
    assert not (tmp_path / "other.db").exists()


@pytest.mark.parametrize("wrong, why", [
    ("poll-interval = never", "is not a duration"), ("pol-interval = 1s", "did you mean"), ("node = shop-9", "give NAME=URL"),
    ("node = shop-9=http://10.0.0.1:7101", "in no allowed network"), ("log-level = loud", "none of"), ("nonsense", "key = value"),
])
def test_a_bad_file_changes_nothing(pair, wrong, why):
    centre, _ = pair
    good = centre.file.read_text()
    centre.file.write_text(good.replace("500ms", "2s") + "log-level = debug\n" + wrong + "\n")
    text = centre.hangup()
    assert "error reload.failed" in text and why in text, text
    assert not re.search(r"setting\.", text)
    # the running settings are those from before, and the next good file counts from there
    assert [n["name"] for n in centre.program.nodes()] == ["shop-1"]
    centre.file.write_text(good)
    assert centre.told() == ({}, 0)
    assert centre.told(poll_interval="2s")[0] == {"poll-interval": ("500ms", "2s")}


def test_a_secret_is_taken_away_by_a_restart_alone(pair, tmp_path):
    """A file that lost the line would open the program to everybody on the machine."""
    secret = lab.private_file(tmp_path / "secret", "secret-of-the-pair\n")
    centre, shop = pair
    for p, names in ((centre, ["secret_file"]), (shop, ["token_file", "app_token_file"])):
        assert "reload.failed" not in p.reload(**dict.fromkeys(names, str(secret)))
        assert p.program.get("/v1/status").status == 401
        for name in names:
            refused = p.reload(**{name: None})
            assert "reload.failed" in refused and "only a restart takes it away" in refused
            assert p.program.get("/v1/status").status == 401
            p.write(**{name: str(secret)})
        assert p.told(log_level="debug")[0] == {"log-level": ("info", "debug")}
        p.write(**dict.fromkeys(names))
        assert p.program.stop() == 0
        p.program.start()
        assert p.program.get("/v1/status").status == 200
    centre.program.in_sync("shop-1")


def test_a_bad_file_at_a_local_and_one_that_is_gone(pair):
    for p in pair:
        good = p.file.read_text()
        p.file.write_text(good + "log-level = loud\n")
        assert "reload.failed" in p.hangup()
        p.file.unlink()
        assert "No such file" in p.hangup()
        p.file.write_text(good)
        assert p.told() == ({}, 0)
    assert pair[1].program.status()["node"] == "shop-1"


def test_a_terminal_that_is_closed_is_a_stop(site):
    """Nobody is left to reload for."""
    shop = lab.Local(site.path, "shop-1")
    child, terminal = pty.fork()
    if child == 0:
        log = os.open(shop.log, os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(log, 2)
        os.execv(shop.argv()[0], [str(a) for a in shop.argv()])
    ended = []
    try:
        lab.wait_until("listening", lambda: shop.log.exists() and "listening" in shop.log.read_text())
        os.close(terminal)
        ended.append(lab.wait_until("its end", lambda: (lambda r: r if r[0] else None)(os.waitpid(child, os.WNOHANG))))
        assert ended[0][1] == 0 and " stopping" in shop.log.read_text(), ended
    finally:
        if not ended:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def test_settings_change_while_thousands_of_exchanges_run(site):
    """Every kind of setting, some hundred times, while nodes are polled without rest, records are written and read, tokens change."""
    wanted = int(os.environ.get("TIDEMARK_EXCHANGES", "2000"))
    secret = lab.private_file(site.path / "secret", "secret-number-none")
    shops = []
    for i in range(4):
        shop = lab.Local(site.path, f"shop-{i}")
        shops.append(Configured(shop, {"generate": "50"}))
        site.adopt(shop)
    centre = lab.Centre(site.path, [s.program for s in shops])
    c = Configured(centre, {})
    centre.argv = (lambda argv: lambda: [a for a in argv() if a not in ("--poll-interval", "500ms")])(centre.argv)
    c.write(poll_interval="10ms")
    site.adopt(centre)
    failed, done = [], threading.Event()

    def clients():
        n = 0
        try:
            while not done.is_set():
                n += 1
                assert centre.get("/v1/nodes").status in (200, 401)
                assert centre.get("/metrics").status in (200, 401)
                assert shops[n % 4].program.post("/v1/records", {"id": f"r{n % 50}", "type": "t", "body": n}).status == 201
                shops[n % 4].program.get("/v1/status")
        except Exception as e:  # shown by the test
            failed.append(e)

    threads = [threading.Thread(target=clients) for _ in range(3)]
    for t in threads:
        t.start()
    try:
        i = exchanges = 0
        while exchanges < wanted:
            i += 1
            secret.write_text(f"secret-number-{i:04}")
            c.told(poll_interval=f"{10 + i % 3 * 20}ms", conflict=("owner", "centre")[i % 2], keep_events=str(1000 + i),
                   allow_network=f"10.0.0.0/{8 + i % 8}", log_level=("info", "warn", "info")[i % 2 * 2],
                   secret_file=str(secret) if i > 3 else None)
            shops[i % 4].told(generate=str(i % 3 * 100), generate_burst=str(i % 2 * 5))
            nodes = lab.call(centre.url + "/v1/nodes", headers={"Authorization": f"Bearer secret-number-{i:04}"}).json["nodes"]
            exchanges = sum(n["polls"]["ok"] for n in nodes)
    finally:
        done.set()
        for t in threads:
            t.join()
    assert not failed, failed
    c.write(secret_file=None)
    assert centre.stop() == 0
    centre.start()
    for s in shops:
        s.told(generate="0", generate_burst="0")
    centre.in_sync()
    for s in shops:
        lab.same_records(s.program, centre)
        assert s.program.stop() == 0
    assert centre.stop() == 0
