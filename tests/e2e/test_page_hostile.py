"""Hostile pages in the operator's browser: they change nothing and learn nothing; and what peers say stays text in the dashboard."""
import collections
import json
import urllib.parse

import hostile
import lab
import protocol1
import pytest

WAYS = 13  # in which a page can post (hostile.ATTACK)
SECRET = "a-secret-of-some-length-0123456789"
OWN = {"node", "name", "title", "url", "paused", "state", "epoch", "cursor", "head_seq", "records", "digest", "acknowledged", "conflicts", "quarantined"}


@pytest.fixture
def evil(site):
    """Made before the browser: whose tabs are gone before it is."""
    e = hostile.Site()
    yield e
    e.close()


@pytest.fixture
def door(site):
    """Makes doors, and closes them."""
    made = []

    def make(program):
        made.append(hostile.Door(program))
        return made[-1]

    yield make
    for d in made:
        d.close()


def only_own(what):
    """Without what goes on by itself: ages, rates, the last polls."""
    return {k: v for k, v in what.items() if k in OWN}


class Open:
    """A centre that has no secret."""
    headers = {}
    pages = ("another site", "another port", "nobody")
    knows_nothing = True

    def __init__(self, site):
        self.local = site.local("amber")
        self.program = site.centre(self.local, options=self.options(site))
        lab.wait_until("in step", lambda: self.get("/v1/nodes/amber")["state"] == "in_sync")
        self.local.write({"id": "kept", "body": {"n": 1}})
        lab.wait_until("pulled", lambda: self.get("/v1/nodes/amber")["records"] == 1)
        own = {"owner": "amber", "id": "planted", "type": "t", "body": 1}
        self.changes = [("POST", "/v1/records", own), ("POST", "/v1/nodes", {"name": "planted", "url": "http://127.0.0.1:9"}),
                        ("POST", "/v1/nodes/amber/pause", None), ("POST", "/v1/nodes/amber/rotate", None), ("POST", "/v1/notifications/test", None),
                        ("PUT", "/v1/records/amber/kept", {"type": "t", "body": 2}), ("DELETE", "/v1/records/amber/kept", None),
                        ("PATCH", "/v1/nodes/amber", {"title": "planted"}), ("DELETE", "/v1/nodes/amber", None), ("GET", "/v1/nodes/amber/pause", None)]
        self.reads = ["/v1/status", "/v1/records", "/v1/events/stream", "/metrics", "/page/app.js", "/page/style.css", "/page/favicon.svg"]

    def options(self, site):
        return []

    def get(self, path):
        r = self.program.get(path, headers=self.headers)
        assert r.status == 200, r.body
        return r.json

    def standing(self):
        return {"records": self.get("/v1/records?deleted=true")["records"], "nodes": [only_own(n) for n in self.get("/v1/nodes")["nodes"]],
                "events": self.get("/v1/events?moves=false")["events"], "local": self.local.records()}


class Secret(Open):
    """One that has one."""
    pages = ("another port",)
    headers = {"Authorization": f"Bearer {SECRET}"}

    def options(self, site):
        path = lab.private_file(site.path / "secret", SECRET)
        return ["--secret-file", str(path)]


class Local:
    """A local without tokens, before a hostile page that knows all that a centre knows of it.  With the epoch, a GET acknowledges records to
    it: only a browser that says who asks keeps that out.  No page can read an epoch."""
    headers = {}
    pages = ("another site", "another port")
    knows_nothing = False

    def __init__(self, site):
        self.program = site.local("amber")
        self.program.write({"id": "kept", "body": {"n": 1}})
        status = self.program.status()
        basis = f"centre={'c' * 32}&request={'d' * 32}&protocol=1&epoch={status['epoch']}&witness=0.{'0' * 32}"
        self.changes = [("POST", "/v1/records", {"id": "planted", "type": "t", "body": 1}), ("POST", f"/v1/apply?{basis}", {}),
                        ("POST", "/v1/epoch", {"centre": "c" * 32, "request": "d" * 32, "protocol": "1", "epoch": status["epoch"], "to": "e" * 32,
                                               "witness": f"1.{'0' * 32}"}),
                        ("PUT", "/v1/records/kept", {"type": "t", "body": 2}), ("DELETE", "/v1/records/kept", None),
                        ("GET", f"/v1/changes?{basis}&after=0&limit=9", None)]
        self.reads = ["/v1/status", "/v1/records", "/metrics"]

    def standing(self):
        return {"records": self.program.records(), "status": only_own(self.program.status())}


def attack(browser, door, page, target):
    """From one page; what came to the program, with its answers."""
    door.forget()
    browser.open(page)
    changes = [(method, path, "" if body is None else json.dumps(body)) for method, path, body in target.changes
               if method != "GET" or not door.silent or target.knows_nothing]
    learnt, late = browser.driver.execute_async_script(hostile.ATTACK, door.url, changes, target.reads)
    assert learnt == [] and late == 0
    wanted = {("POST" if m == "POST" else "GET" if m == "GET" else "OPTIONS", p.split("?")[0]) for m, p, _ in changes} | {("GET", p) for p in target.reads}
    lab.wait_until("all has come", lambda: wanted <= {(method, path) for method, path, _ in door.passed()})
    # Some are sent when the browser finds the time: none of them is to be taken for one of the next page's.
    posts = {path.split("?")[0]: WAYS for method, path, _ in target.changes if method == "POST"}
    lab.wait_until("each way to post was tried", lambda: posts == collections.Counter(path for method, path, _ in door.passed() if method == "POST"))
    return door.passed()


@pytest.mark.parametrize("kind", [Open, Secret, Local])
def test_a_hostile_page_changes_nothing_and_learns_nothing(site, evil, door, browser, kind):
    """Forms of each type, fetch, beacons, images, scripts, styles, streams, sockets: from another site, another port of this machine, and a
    page without an origin; from a browser that says who asks, and from one that does not."""
    target = kind(site)
    front, before = door(target.program), target.standing()
    browser.forgive("")  # each refusal is a complaint
    for silent, name in [(False, p) for p in target.pages] + [(True, "another port")]:
        front.silent = silent
        passed = attack(browser, front, evil.pages[name], target)
        assert {status for method, _, status in passed if method != "GET" or not silent} == {403}, (name, silent, passed)
        assert target.standing() == before, (name, silent)
    assert target.program.post("/v1/records", json.dumps(target.changes[0][2]), headers=target.headers).status == 201


def test_a_name_that_resolves_here_opens_nothing(site, door, browser):
    """DNS rebinding: a page is loaded from a hostile name; then that name is this machine's, and the program's port the page's own."""
    local = site.local("amber")
    local.write({"id": "kept", "body": 1})
    centre = site.centre(local)
    centre.in_sync()
    browser.forgive("403|Opener-Policy")
    for program, writes in ((centre, "/v1/records/amber/kept"), (local, "/v1/records/kept")):
        front, before = door(program), program.get("/v1/records").json
        front.lure = True
        browser.open(f"http://rebound.hostile.test:{front.port}/")
        front.lure = False
        seen = browser.driver.execute_async_script(r"""
            const [writes, done] = arguments, say = async ([method, path]) => {
                const answer = await fetch(path, {method});
                return [answer.status, /"code":"(\w+)"/.exec(await answer.text())?.[1]];
            };
            Promise.all([["GET", "/"], ["GET", "/v1/status"], ["GET", "/v1/records"], ["POST", "/v1/records"], ["DELETE", writes]].map(say)).then(done)""", writes)
        assert seen == [[403, "forbidden"]] * 5
        browser.open(f"http://rebound.hostile.test:{front.port}/v1/status")
        assert "forbidden" in browser.text() and "amber" not in browser.text()
        assert program.get("/v1/records").json == before


def test_the_dashboard_is_in_nobodys_frame_and_keeps_no_opener(site, evil, door, browser):
    """Framing, where the browser does not say that it frames; and a window that a hostile page opened is none of its own."""
    centre = site.centre(site.local("amber"))
    front = door(centre)
    front.silent = True
    browser.open(evil.pages["another site"])
    browser.forgive("frame-ancestors|403")
    browser.run("const f = document.createElement('iframe'); f.src = arguments[0]; document.body.append(f)", front.url + "/")
    lab.wait_until("its frame is refused", lambda: any("frame-ancestors" in m for m in browser.complaints() or browser.heard))
    browser.driver.switch_to.frame(0)
    assert not browser.find("header.top, link[href='/page/style.css']")
    browser.driver.switch_to.default_content()
    first = browser.driver.current_window_handle
    browser.run("window.opened = open(arguments[0])", front.url + "/")
    try:
        lab.wait_until("it is no window of theirs", lambda: browser.run("return window.opened.closed"))
        other = next(h for h in browser.driver.window_handles if h != first)
        browser.driver.switch_to.window(other)
        browser.see("h1")
        assert browser.run("return window.opener") is None
    finally:
        for tab in browser.driver.window_handles:
            if tab != first:
                browser.driver.switch_to.window(tab)
                browser.driver.close()
        browser.driver.switch_to.window(first)
    # A link from elsewhere is followed.
    front.silent = False
    browser.open(evil.pages["another site"])
    browser.run("const a = document.createElement('a'); a.href = arguments[0]; a.textContent = 'there'; document.body.append(a)", front.url + "/#/node/amber")
    browser.click("a", "there")
    browser.see(".node-state")


MARKUP = "\"'><img src=x onerror=window.ran=1><script>window.ran=1</script>"
TURNED = "\u202egpj.exe\u2066"
BODY = {"text": MARKUP, "url": "javascript:window.ran=1", "turned": TURNED, "long": "W" * 20000}
ID = "javascript:window.ran"  # a record may be called so

# Whatever the page holds that it did not make itself, and what does not fit it.
FOREIGN = r"""
const made = [...document.querySelectorAll("body img, body script, iframe, object, embed, base, meta[http-equiv], style")].map(e => e.outerHTML);
const linked = [...document.querySelectorAll("[href], [src], [action]")].flatMap(e => ["href", "src", "action"].map(n => e.getAttribute(n)))
    .filter(v => v !== null && !/^(#|\/(page|v1|openapi\.yaml|metrics)\b)/.test(v));
const handled = [...document.querySelectorAll("*")].flatMap(e => e.getAttributeNames().filter(n => n.startsWith("on") || n === "style"));
const turned = [document.title, document.body.innerText, ...[...document.querySelectorAll("[title], [aria-label]")].map(e => e.title + e.ariaLabel)]
    .filter(t => /[\u202a-\u202e\u2066-\u2069]/.test(t));
const wide = document.scrollingElement.scrollWidth > innerWidth ? [document.scrollingElement.scrollWidth] : [];
return [...made, ...linked, ...handled, ...turned, ...wide, ...(window.ran ? ["it ran"] : [])];
"""


class Mute(protocol1.Local):
    """Refuses in words of its own."""

    def changes(self, q):
        return self.refusal(q, MARKUP, 500)


@pytest.fixture
def liars(site):
    """A centre with peers whose every word is an attack: titles, versions, reasons, bodies; a conflict, and something in quarantine."""
    amber, liar, mute = site.local("amber"), protocol1.Local("liar", version="<img src=x onerror=ran()>"), Mute("mute")
    centre = lab.Centre(site.path, [amber, liar, mute])
    centre.start().stop()
    centre.store.refuse_poison(True)
    centre.port = 0  # another may have taken its own meanwhile
    site.adopt(centre)
    for name in ("amber", "liar", "mute"):
        title = MARKUP + TURNED + "W" * 150
        assert lab.call(f"{centre.url}/v1/nodes/{name}", "PATCH", json.dumps({"title": title})).status == 200
    amber.write({"id": ID, "body": 1})
    amber.write({"id": "bad", "body": ["poison", BODY]})
    liar.write(ID, json.dumps(BODY, ensure_ascii=False), "script")
    centre.in_sync("amber", "liar")
    centre.tool("node", "pause", "amber")
    amber.write({"id": ID, "body": BODY})
    assert lab.call(f"{centre.url}/v1/records/amber/{ID}", "PUT", json.dumps({"type": "t", "body": {**BODY, "more": MARKUP}})).status == 200
    centre.tool("node", "resume", "amber")
    centre.in_sync("amber")
    lab.wait_until("it has refused", lambda: "<img" in (centre.node("mute")["reason"] or ""))
    yield centre
    centre.stop()
    for peer in (liar, mute):
        peer.close()


def test_what_peers_say_stays_text(liars, browser):
    """Markup, addresses that run, letters that turn the order, and lines without an end, in every view and in the address itself."""
    centre, quoted = liars, urllib.parse.quote(MARKUP, safe="")
    conflict = centre.conflicts()[0]["id"]
    assert centre.get("/v1/quarantine").json["quarantine"]
    browser.forgive("40[04]")
    script = "<script>window.ran=1</script>"
    views = [("/", ".node-title", script), ("/", ".needs", "<img src=x onerror"), ("/node/mute", ".node-reason", "<img src=x onerror"),
             ("/node/liar", ".facts", "<img src=x onerror=ran()>"), ("/node/liar", "h1", r"\u202egpj.exe"), ("/events", ".event-text", script),
             ("/records", ".cell-body", script), (f"/record/liar/{ID}", "pre.body", script), (f"/record/liar/{ID}", "pre.body", r"\u202egpj.exe\u2066"),
             ("/conflicts", ".cell-id", ID), (f"/conflict/{conflict}", ".diff", script), ("/quarantine", "pre", script),
             (f"/node/{quoted}", ".none", script), (f"/record/{quoted}/{quoted}", "h1", script), (f"/conflict/{quoted}", ".none", script)]
    browser.open(centre.url + "/")
    for width in (1280, 390):
        browser.resize(width, 720)
        for view, css, text in views if width == 1280 else {v[0]: v for v in views}.values():
            browser.run("location.hash = arguments[0]", view)
            browser.see(css, text)
            assert browser.run(FOREIGN) == [], (view, width)
            if text == script:
                browser.shoot(f"hostile-{view.split('/')[1] or 'main'}-{width}")
    for path in ("/v1/records", "/v1/nodes", "/v1/events"):
        browser.open(centre.url + path)
        assert script in browser.text() or "u003cscript" in browser.text(), path
        assert browser.run("return [window.ran ?? null, document.scripts.length]") == [None, 0]
