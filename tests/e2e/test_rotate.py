"""Tokens and secrets are changed while everything goes on: no exchange fails, whichever end is given the new one first."""
import re
import signal
import urllib.parse

import lab
import pytest

pytestmark = pytest.mark.both_stores
OPERATOR = "operator-of-the-centre"


class Pair:
    """A centre that polls every 10 ms and a local that generates, both with their tokens in files."""

    def __init__(self, site):
        self.secret, self.token, self.app = (site.path / x for x in ("secret", "token", "app"))
        self.put(self.secret, OPERATOR)
        self.put(self.app, "app-token-of-the-site")
        self.operator = OPERATOR
        self.centre = lab.Centre(site.path, [], options=["--secret-file", self.secret, "--poll-interval", "10ms"], store=site.store())
        site.adopt(self.centre)
        r = self.ask("/v1/nodes", "POST", '{"name":"shop","url":"http://127.0.0.1:9"}')
        self.first = r.json["token"]
        self.put(self.token, self.first)
        self.shop = lab.Local(site.path, "shop", options=["--token-file", self.token, "--app-token-file", self.app, "--generate", "300"])
        site.adopt(self.shop)
        assert self.ask("/v1/nodes/shop", "PATCH", f'{{"url":"{self.shop.url}"}}').status == 200
        self.until("in step", lambda n: n["state"] == "in_sync" and n["token_taken"] == "new")
        self.since = self.node()["polls"]["failed"]

    def put(self, file, *lines):
        lab.private_file(file, "".join(f"{x}\n" for x in lines))

    def ask(self, path, method="GET", body=None):
        r = lab.call(self.centre.url + path, method, body, headers={"Authorization": f"Bearer {self.operator}"})
        assert r.status < 300, r.body
        return r

    def node(self):
        return self.ask("/v1/nodes/shop").json

    def until(self, what, holds):
        return lab.wait_until(what, lambda: (lambda n: n if holds(n) else None)(self.node()))

    def rotate(self):
        return self.ask("/v1/nodes/shop/rotate", "POST").json["token"]

    def hangup(self, program):
        before = len(program.log_text())
        program.process.send_signal(signal.SIGHUP)
        lab.wait_until("reloaded", lambda: " reloaded " in program.log_text()[before:])

    def goes_on(self):
        """Until hundreds of records more have come, and a proof."""
        n = self.node()
        self.until("more records", lambda m: m["records"] > n["records"] + 50 and m["polls"]["ok"] > n["polls"]["ok"] + 20)

    def nothing_failed(self):
        n = self.node()
        assert n["polls"]["failed"] == self.since, n["polls"]
        words = [e["text"] for e in self.ask("/v1/events?limit=1000&node=shop").json["events"] if e["kind"] == "node.state"]
        assert not [w for w in words if w.startswith("offline") and "Connection refused" not in w], words
        assert n["state"] in ("in_sync", "catching_up"), n

    def old_token(self, n):
        return [u["text"] for u in n["unwell"] if u["kind"] == "token_old"]

    def refused(self, token, path="/v1/digest?"):
        return lab.call(self.shop.url + path, headers={"Authorization": f"Bearer {token}"}).status == 401


@pytest.fixture
def pair(site, store_kind, databases):
    site.store = lambda: databases() if store_kind == "postgres" else None
    return Pair(site)


def test_a_token_is_rotated_without_a_failed_exchange(pair):
    """The centre first, then the node's file with both, then with the new one alone; told while it goes on and when it is over."""
    second = pair.rotate()
    assert second != pair.first
    n = pair.until("the old one", lambda n: n["token_taken"] == "old")
    (text,) = pair.old_token(n)
    assert "still takes the token before its rotation" in text and "tidemark node token shop" in text
    assert "--token-file" in n["unblock"]
    pair.goes_on()
    r = pair.centre.tool("--token-file", str(pair.secret), "node", "shop")
    assert "still takes the token before its rotation" in r.stdout
    pair.put(pair.token, second, pair.first)
    pair.hangup(pair.shop)
    n = pair.until("the new one", lambda n: n["token_taken"] == "new")
    assert not pair.old_token(n)
    assert not pair.refused(pair.first) and not pair.refused(second)
    pair.put(pair.token, second)
    pair.hangup(pair.shop)
    assert pair.refused(pair.first) and not pair.refused(second)
    pair.goes_on()
    pair.nothing_failed()
    told = [e["text"] for e in pair.ask("/v1/events?limit=1000&node=shop").json["events"] if e["text"].startswith("token_old")]
    assert len(told) == 2 and "still takes" in told[0] + told[1] and "it is over" in told[0] + told[1], told
    for p in (pair.centre, pair.shop):
        assert not any(x in p.log.read_text() for x in (pair.first, second, OPERATOR))


def test_the_new_token_alone_is_taken_at_once(pair):
    """The node's file holds nothing but the new one from one moment to the next; and again, with a second rotation between."""
    for _ in range(2):
        now = pair.rotate()
        pair.put(pair.token, now)
        pair.hangup(pair.shop)
        pair.until("the new one", lambda n: n["token_taken"] == "new" and not pair.old_token(n))
        pair.goes_on()
    pair.nothing_failed()


def test_a_centre_that_is_killed_in_between_goes_on_with_either(pair):
    second = pair.rotate()
    pair.until("the old one", lambda n: n["token_taken"] == "old")
    pair.centre.kill()
    pair.centre.start()
    pair.until("the old one again", lambda n: n["token_taken"] == "old" and n["state"] == "in_sync")
    assert pair.node()["polls"]["failed"] == 0
    pair.put(pair.token, second, pair.first)
    pair.hangup(pair.shop)
    pair.centre.kill()
    pair.centre.start()
    pair.until("the new one", lambda n: n["token_taken"] == "new" and n["state"] == "in_sync")
    assert pair.node()["polls"]["failed"] == 0


def test_after_two_rotations_the_first_token_opens_nothing(pair):
    """The node is offline with 401, and two requests an attempt are all that it costs; the right token mends it."""
    pair.rotate()
    pair.until("the one before", lambda n: n["token_taken"] == "old")
    third = pair.rotate()
    n = pair.until("refused", lambda n: n["state"] == "offline")
    assert "401" in n["reason"] and "tidemark node token shop" in n["unblock"]
    pair.put(pair.token, third)
    pair.hangup(pair.shop)
    pair.ask("/v1/nodes/shop/pull", "POST")
    pair.until("mended", lambda n: n["state"] == "in_sync" and n["token_taken"] == "new")


def test_the_centres_secret_is_changed_without_a_failed_exchange(pair):
    """Both are the operator's while both stand in the file; nodes are moved to the new one's tokens one by one; then the old one is dead."""
    pair.put(pair.secret, "second-secret-of-the-centre", OPERATOR)
    pair.hangup(pair.centre)
    n = pair.until("the old secret's", lambda n: n["token_taken"] == "old")
    assert pair.old_token(n)
    for pair.operator in (OPERATOR, "second-secret-of-the-centre"):
        assert pair.node()["state"] in ("in_sync", "catching_up")
    assert pair.centre.tool("--token-file", str(pair.secret), "nodes").returncode == 0
    pair.goes_on()
    now = pair.ask("/v1/nodes/shop/token").json["token"]
    assert now != pair.first
    pair.put(pair.token, now, pair.first)
    pair.hangup(pair.shop)
    pair.until("the new secret's", lambda n: n["token_taken"] == "new")
    pair.put(pair.secret, "second-secret-of-the-centre")
    pair.hangup(pair.centre)
    assert lab.call(pair.centre.url + "/v1/nodes", headers={"Authorization": f"Bearer {OPERATOR}"}).status == 401
    pair.goes_on()
    pair.nothing_failed()
    said = re.findall(r"setting.changed.*", pair.centre.log_text())
    assert len(said) == 2 and "every node needs its new token" in said[0] and "not taken any more" in said[1], said


def test_applications_change_their_token_without_a_refused_call(pair):
    """The local takes both; a file that is wrong changes nothing."""
    def status(token):
        return lab.call(pair.shop.url + "/v1/status", headers={"Authorization": f"Bearer {token}"}).status

    pair.put(pair.app, "app2-token-of-the-site", "app-token-of-the-site")
    pair.hangup(pair.shop)
    assert (status("app-token-of-the-site"), status("app2-token-of-the-site"), status("app2-token-of-the-site\tapp-token-of-the-site"), status(pair.first)) == (200, 200, 401, 401)
    pair.put(pair.app, "app3-token-of-the-site", "app2-token-of-the-site", "app-token-of-the-site")
    pair.shop.process.send_signal(signal.SIGHUP)
    lab.wait_until("refused", lambda: "reload.failed" in pair.shop.log_text())
    assert "two, one a line" in pair.shop.log_text() and "app3-token-of-the-site" not in pair.shop.log_text()
    assert (status("app-token-of-the-site"), status("app2-token-of-the-site"), status("app3-token-of-the-site")) == (200, 200, 401)
    pair.put(pair.app, "app2-token-of-the-site")
    pair.hangup(pair.shop)
    assert (status("app-token-of-the-site"), status("app2-token-of-the-site")) == (401, 200)
    assert urllib.parse.urlsplit(pair.shop.url).port and pair.node()["state"] in ("in_sync", "catching_up")
