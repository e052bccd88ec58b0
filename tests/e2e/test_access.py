"""Who may do what at the centre: every route for every kind of who asks; tokens and sessions come, hold and end; who guesses is slowed and told of."""
import json
import re
import secrets
import subprocess

import pytest

import lab
import openapi
import pg
import sse
from access import ROLES, Guarded, ask, calls, comes_to_its_end


def test_every_route_for_everybody_who_may_ask(site):
    """Made from the table of routes: who is nobody gets 401 in the same bytes, whose role is too small 403 with what it takes, and nobody
    else either, by a token and by a cookie."""
    a = site.local("a")
    g = Guarded(site)
    node = g.ask("POST", "/v1/nodes", {"name": "a", "url": a.url}, token=g.secret).json["token"]
    tokens = {role: g.add(f"the-{role}", role) for role in ROLES}
    shows = {"none": {}, "bad": {"token": "tidemark_" + secrets.token_hex(32)}, "node": {"token": node}, "secret": {"token": g.secret}}
    shows |= {role: {"token": tokens[role]} for role in ROLES}
    shows |= {f"{role}'s cookie": {"cookie": g.sign_in(tokens[role])[1]} for role in ROLES}
    rank = {"secret": 3, **{who: 1 + ROLES.index(who.partition("'")[0]) for who in shows if who.partition("'")[0] in ROLES}}
    bytes_of_401, seen = set(), 0
    document = g.ask("GET", "/openapi.yaml", token=g.secret).body
    for n, (method, target, body, role) in enumerate(calls(document)):
        for who, shown in shows.items():
            r = g.ask(method, target, body, source=f"127.0.1.{n + 1}", **shown)
            said = (method, target, who, r.status, r.body)
            if role is None:
                assert r.status not in (401, 403), said
            elif who not in rank:
                assert r.status == 401 and r.headers["WWW-Authenticate"] == "Bearer", said
                bytes_of_401.add(r.body)
            elif rank[who] < 1 + ROLES.index(role):
                assert r.status == 403 and (r.json["needs"], r.json["has"]) == (role, ROLES[rank[who] - 1]), said
            else:
                assert r.status not in (401, 403) and (r.status != 429 or b"another copy" in r.body), said
            seen += 1
    assert len(bytes_of_401) == 1 and seen == len(shows) * len(openapi.routes("central"))
    assert [n["name"] for n in g.ask("GET", "/v1/nodes", token=g.secret).json["nodes"]] == ["a"]


def dump(store):
    """All that a store holds, as bytes."""
    if store.kind == "sqlite":
        return b"".join(f.read_bytes() for f in store.files())
    return subprocess.run(["pg_dump", "-d", store.url], capture_output=True, check=True, timeout=60).stdout


@pytest.mark.both_stores
def test_a_token_from_its_making_to_its_end(site):
    """Told once, stored only as a hash, listed with its use; it outlives a restart, and what it opened ends with it within seconds."""
    g = Guarded(site)
    r = g.tool(g.secret, "token", "add", "ann", "--role", "operator", "--expires", "90d")
    ann = r.stdout.strip()
    assert r.returncode == 0 and re.fullmatch("tidemark_[0-9a-f]{64}", ann) and "told this once" in r.stderr
    assert g.who(token=ann) == ("ann", "operator", "bearer")
    _, cookie = g.sign_in(ann)
    assert g.who(cookie=cookie) == ("ann", "operator", "cookie")
    boss = g.add("boss", "admin")
    assert g.ask("POST", "/v1/tokens", {"name": "bob", "role": "viewer"}, token=boss).json["created_by"] == "boss"

    def listed():
        return {t["name"]: t for t in g.ask("GET", "/v1/tokens", token=g.secret).json["tokens"]}

    assert list(listed()) == ["ann", "bob", "boss"] and not any("token" in t for t in listed().values())
    assert listed()["ann"]["last_used_at"].endswith(":00:00.000000Z") and listed()["bob"]["last_used_at"] is None
    shown = g.tool(g.secret, "token", "list").stdout
    assert re.search(r"^ann +operator ", shown, re.M) and ann not in shown
    lab.wait_until("its use is stored", lambda: stored_use(g.centre.store, "ann"))

    g.centre.stop()
    held = dump(g.centre.store)
    assert b"boss" in held
    for hidden in (ann, boss, ann.partition("_")[2], g.secret, cookie.partition("=")[2]):
        assert hidden.encode() not in held
    g.centre.start()
    assert g.who(token=ann) == ("ann", "operator", "bearer") and g.who(cookie=cookie) == ("ann", "operator", "cookie")
    assert listed()["ann"]["last_used_at"]

    follower = sse.Stream(g.centre.url + "/v1/events/stream?node=nobody", headers={"Cookie": cookie})
    follower.until(lambda m: m.kind == "status")
    assert g.tool(boss, "token", "rm", "ann").returncode == 0
    assert g.who(token=ann) == 401 and g.who(cookie=cookie) == 401
    comes_to_its_end(follower)
    again = g.add("ann", "operator")
    assert g.who(token=again)[0] == "ann" and g.who(token=ann) == 401 and g.who(cookie=cookie) == 401
    kinds = [(e["kind"], e["text"]) for e in g.ask("GET", "/v1/events", token=boss).json["events"]]
    assert ("token.added", "the token bob was added: viewer, by boss") in kinds and ("token.removed", "the token ann was removed by boss") in kinds
    for hidden in (ann, boss, again, g.secret):
        assert hidden not in g.centre.log.read_text()


def stored_use(store, name):
    if store.kind == "postgresql":
        return store.sql(f"SELECT last_used_at FROM tidemark_store.tokens WHERE name = '{name}'") != [""]
    return subprocess.run(["sqlite3", f"file:{store.path}?mode=ro", f"SELECT last_used_at FROM tokens WHERE name = '{name}'"],
                          capture_output=True, text=True, timeout=10).stdout.strip() != ""


def test_a_token_expires_and_its_session_with_it(site):
    """Also while nobody does anything about it; it stays in the list, as expired."""
    g = Guarded(site)
    short = g.add("short", "viewer", expires_s=2)
    r, cookie = g.sign_in(short)
    assert r.json["expires_at"] == g.ask("GET", "/v1/tokens", token=g.secret).json["tokens"][0]["expires_at"]
    assert int(re.search(r"Max-Age=(\d+)", r.headers["Set-Cookie"])[1]) <= 2
    follower = sse.Stream(g.centre.url + "/v1/events/stream", headers={"Authorization": f"Bearer {short}"})
    assert g.who(token=short)[0] == "short"
    lab.wait_until("expired", lambda: g.who(token=short) == 401)
    assert g.who(cookie=cookie) == 401
    comes_to_its_end(follower)
    (t,) = g.ask("GET", "/v1/tokens", token=g.secret).json["tokens"]
    assert t["expired"] is True and "(expired)" in g.tool(g.secret, "token", "list").stdout


def test_a_session_by_cookie(site):
    """Set so that no script reads it and no other site sends it; another secret ends it, Authorization goes before it, and what changes something wants
    an Origin."""
    g = Guarded(site)
    r, cookie = g.sign_in(g.secret)
    assert r.status == 200 and (r.json["name"], r.json["role"], r.json["by"]) == ("secret", "admin", "cookie")
    assert r.headers["Set-Cookie"].split("; ")[1:] == ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"]
    name = cookie.partition("=")[0]
    assert g.secret not in cookie and name == "tidemark_session_" + g.centre.url.rpartition(":")[2]
    _, viewer = g.sign_in(g.add("ann", "viewer"))
    assert g.who(cookie=f"a=b; {viewer}; c=d")[0] == "ann"
    for bad in (f"{viewer}; {cookie}", viewer[:-1] + ("0" if viewer[-1] != "0" else "1"), viewer.replace("ann", "secret"), f"{name}=", f"{name}=x"):
        assert g.who(cookie=bad) == 401, bad
    host = g.centre.url.partition("//")[2]
    two = lab.raw(g.centre.url, f"GET /v1/session HTTP/1.1\r\nHost: {host}\r\nCookie: {viewer}\r\nCookie: {cookie}\r\n\r\n".encode())
    assert two.startswith(b"HTTP/1.1 400 ")
    assert g.who(cookie=cookie, token="wrong") == 401 and g.who(cookie=viewer, token=g.secret)[0] == "secret"
    assert g.ask("POST", "/v1/tokens", {"name": "t", "role": "viewer"}, cookie=cookie, origin=False).status == 403
    for origin in ("null", "http://evil.example", g.centre.url.replace("http:", "https:") + "0"):
        assert g.ask("POST", "/v1/tokens", {"name": "t", "role": "viewer"}, cookie=cookie, origin=False, headers={"Origin": origin}).status == 403
    assert g.ask("POST", "/v1/tokens", {"name": "t", "role": "viewer"}, cookie=cookie).status == 201
    stream = sse.Stream(g.centre.url + "/v1/events/stream", headers={"Cookie": viewer})
    stream.until(lambda m: m.kind == "status")
    stream.close()
    out = g.ask("DELETE", "/v1/session", cookie=viewer)
    assert out.status == 200 and f"{name}=; " in out.headers["Set-Cookie"] and "Max-Age=0" in out.headers["Set-Cookie"]
    g.renew("b" * 40)
    g.centre.stop()
    g.centre.start()
    assert g.who(cookie=cookie) == 401 and g.who(cookie=viewer) == 401 and g.who(token=g.secret)[0] == "secret"


def test_who_guesses_is_slowed_and_told_of(site):
    """By address: sign-ins wait, also with the right token; calls get 429 in place of 401, and a good token always passes. One event a minute and address."""
    g = Guarded(site)
    ann = g.add("ann", "viewer")
    tried = "a-guess-of-the-secret"
    answers = [g.sign_in(tried, source="127.0.0.2")[0] for _ in range(12)]
    assert [r.status for r in answers] == [401] * 10 + [429] * 2
    assert len({r.body for r in answers[:10]}) == 1 and 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert g.sign_in(ann, source="127.0.0.2")[0].status == 429
    assert g.sign_in(ann, source="127.0.0.3")[0].status == 200 and g.who(token=ann, source="127.0.0.2")[0] == "ann"
    statuses = [g.who(token=tried, source="127.0.0.4") for _ in range(23)]
    assert statuses == [401] * 20 + [429] * 3
    assert g.who(token=ann, source="127.0.0.4")[0] == "ann" and g.who(token=tried, source="127.0.0.5") == 401 and g.who(source="127.0.0.4") == 401

    def told():
        return {e["text"].split()[0]: e for e in g.ask("GET", "/v1/events", token=ann).json["events"] if e["kind"] == "auth.failed"}

    events = lab.wait_until("they are told of", lambda: (lambda t: t if len(t) == 3 else None)(told()))
    assert sorted(events) == ["127.0.0.2", "127.0.0.4", "127.0.0.5"] and all(e["level"] == "warn" for e in events.values())
    assert "POST /v1/session" in events["127.0.0.2"]["text"] and "GET /v1/session" in events["127.0.0.4"]["text"]
    metrics = g.ask("GET", "/metrics", token=ann).body.decode()
    assert 'tidemark_auth_failures_total{by="sign_in"} 10\n' in metrics and 'tidemark_auth_failures_total{by="bearer"} 24\n' in metrics
    log = g.centre.log.read_text()
    assert log.count("auth.failed") == len(told()) == 3 and tried not in log


def test_a_centre_without_a_secret_asks_nobody(site):
    """Everybody is anyone, and a token is refused with what to do; a secret that comes later makes a stranger of anyone."""
    centre = site.centre()
    assert ask(centre, "GET", "/v1/session").json == {"name": "anyone", "role": "admin", "by": "none", "expires_at": None}
    r = centre.tool("token", "add", "ann", "--role", "viewer", check=False)
    assert r.returncode == 1 and "--secret-file" in r.stderr, r.stderr
    assert ask(centre, "POST", "/v1/session", {"token": "x"}).status == 409
    assert ask(centre, "GET", "/v1/tokens").json == {"tokens": [], "next": None}
    assert ask(centre, "GET", "/v1/status", token="whatever").status == 200


def test_the_tool_says_what_to_do(site):
    """401, 403 and a wrong command line each end in a sentence that helps."""
    g = Guarded(site)
    ann = g.add("ann", "viewer")
    none = g.centre.tool("status", check=False)
    assert none.returncode == 6 and "--token-file FILE with a token of this centre" in none.stderr
    few = g.tool(ann, "node", "rm", "a")
    assert few.returncode == 6 and "takes the role admin; ann has the role viewer" in few.stderr and "tidemark token add NAME --role admin" in few.stderr
    assert g.tool(g.secret, "token", "rm", "nobody").returncode == 1
    for wrong in (("token", "add", "x"), ("token", "add"), ("token", "rm"), ("token", "dance", "x"), ("token", "add", "x", "--role", "king")):
        assert g.tool(g.secret, *wrong).returncode == 2, wrong
    for name in ("secret", "anyone", "settings", "Ann", "a b"):
        r = g.tool(g.secret, "token", "add", name, "--role", "viewer")
        assert r.returncode == 1 and "name:" in r.stderr, r.stderr
    assert g.tool(g.secret, "token", "add", "ann", "--role", "admin").returncode == 1 and g.who(token=ann)[1] == "viewer"
    made = g.tool(g.secret, "token", "add", "bob", "--role", "viewer", "--json")
    assert g.who(token=json.loads(made.stdout)["token"]) == ("bob", "viewer", "bearer")


def test_tokens_hold_while_the_store_is_away(site, databases):
    """Looked up in memory: who may ask is known, and who may not; at a start without its store a centre knows its secret alone, and says so."""
    g = Guarded(site, store=databases())
    ann = g.add("ann", "viewer")
    _, cookie = g.sign_in(ann)
    store = g.centre.store

    def away(is_away):
        pg.sql(store.server, f'ALTER DATABASE "{store.name}" ALLOW_CONNECTIONS {"false" if is_away else "true"}')
        if is_away:
            pg.sql(store.server, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{store.name}'")

    away(True)
    lab.wait_until("the store is away", lambda: g.ask("GET", "/readyz").status == 503)
    assert g.who(token=ann)[0] == "ann" and g.who(cookie=cookie)[0] == "ann" and g.who(token="bad") == 401
    assert g.ask("DELETE", "/v1/tokens/ann", token=g.secret).status == 503
    assert g.ask("POST", "/v1/tokens", {"name": "bob", "role": "viewer"}, token=g.secret).status == 503
    assert g.who(token=ann)[0] == "ann"
    g.centre.stop()
    g.centre.spawn()
    g.centre.url = lab.wait_until("it waits", lambda: re.search(r"waiting.*? url=(\S+)", g.centre.log_text())).group(1)
    assert g.who(token=ann) == g.who(cookie=cookie) == g.who(token=g.secret) == 503 and g.who(token="bad") == 401
    away(False)
    g.centre.listens()
    lab.wait_until("it is known again", lambda: g.who(token=ann) == ("ann", "viewer", "bearer"))
    assert g.who(cookie=cookie)[0] == "ann"
