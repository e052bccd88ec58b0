"""Signing in at the page: by a cookie that no script reads; who is in, what their role lets them see, and what happens when it ends."""
import re

import pytest

import lab
from access import Guarded

STORED = "return [sessionStorage.length, localStorage.length, document.cookie]"


@pytest.fixture
def guarded(site):
    g = Guarded(site, site.local("amber"))
    g.centre.tool("--token-file", str(g.file), "wait", "--in-sync", "--timeout", "20s")
    return g


def sign_in(browser, token):
    browser.see("dialog.signin[open]")
    browser.fill("dialog.signin input[type=password]", token + "\n")


def cookie_of(browser):
    return next((c for c in browser.driver.get_cookies() if c["name"].startswith("tidemark_session")), None)


def test_who_signs_in_stays_in_until_they_sign_out(guarded, browser):
    """At the place that was asked for, and over a reload; the page keeps nothing of the token."""
    g = guarded
    token = g.add("ann", "operator")
    browser.forgive("401")
    browser.open(g.centre.url + "/#/node/amber")
    assert browser.see("dialog.signin input[type=password]") == browser.focused()
    assert not browser.all(".account")
    browser.shoot("signin")
    browser.prefer(dark=True)
    browser.resize(390, 844)
    assert browser.run("return document.scrollingElement.scrollWidth") <= 390
    browser.shoot("signin-narrow-dark")
    browser.resize(1280, 720)
    browser.key("ESCAPE")
    browser.key("ESCAPE")
    sign_in(browser, "tidemark_" + "0" * 64)
    browser.see("dialog.signin .refused", "neither a token of this centre nor its secret")
    assert cookie_of(browser) is None and not browser.all(".node-reason .reason", "equal")
    sign_in(browser, token)
    browser.gone("dialog")
    browser.see(".node-state", "In sync")
    browser.see(".fresh", "live")
    browser.see(".account", "ann · operator")
    assert browser.driver.current_url.endswith("/#/node/amber")
    browser.driver.refresh()
    browser.see(".node-state", "In sync")
    assert browser.run(STORED) == [0, 0, ""]
    cookie = cookie_of(browser)
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict" and token not in cookie["value"]
    browser.shoot("signed-in")
    browser.click(".account")
    browser.see("dialog", "An operator sees everything")
    browser.see("dialog", "Signed in until")
    browser.shoot("account")
    browser.click("dialog button", "Sign out")
    browser.see("dialog.signin[open]")
    assert cookie_of(browser) is None and browser.run(STORED) == [0, 0, ""]
    assert "In sync" not in browser.text()


def test_a_session_that_ends_is_begun_anew_without_losing_the_place(guarded, browser):
    """The token ends while its owner types: what was typed is saved once they, or somebody else, are in again."""
    g = guarded
    browser.forgive("401|403")
    assert g.ask("PUT", "/v1/records/amber/r", '{"type":"t","body":1}', token=g.secret).status == 201
    browser.open(g.centre.url + "/#/record/amber/r")
    sign_in(browser, g.add("ann", "operator"))
    browser.click("button", "Edit")
    browser.fill("textarea.body", '{"typed": "by ann"}')
    assert g.ask("DELETE", "/v1/tokens/ann", token=g.secret).status == 200
    sign_in(browser, g.secret)
    browser.gone("dialog")
    browser.see(".account", "the secret · admin")
    browser.see(".fresh", "live")
    browser.click("button", "Save")
    browser.see(".outcome", "Saved")
    assert b"by ann" in g.ask("GET", "/v1/records/amber/r", token=g.secret).body
    # Another tab signs in as somebody who may do less: the next refusal tells.
    browser.run("location.hash = '#/node/amber'")
    browser.see(".do-rm")
    name, _, value = g.sign_in(g.add("vera", "viewer"))[1].partition("=")
    browser.driver.execute_cdp_cmd("Network.setCookie", {"url": g.centre.url, "name": name, "value": value, "httpOnly": True, "sameSite": "Strict"})
    browser.click(".do-pause")
    browser.see(".outcome", "It failed")
    browser.see(".account", "vera · viewer")
    browser.gone(".do .button")
    assert not g.ask("GET", "/v1/nodes/amber", token=g.secret).json["paused"]


def test_a_role_sees_what_it_may_do_and_a_sentence_for_the_rest(site, browser):
    """In each view that changes something, for each role: the calls behind the buttons are refused by the centre all the same (test_access.py)."""
    local = site.local("amber")
    g = Guarded(site, local)
    g.centre.stop()
    g.centre.store.refuse_poison(True)
    g.centre.start()
    local.write({"id": "r", "body": 1}, {"id": "bad", "body": "poison"})
    lab.wait_until("it is put aside", lambda: g.ask("GET", "/v1/quarantine", token=g.secret).json["quarantine"])
    browser.forgive("401")
    views = [("/node/amber", ".node-state", [".do-pull", ".do-verify", ".safe button"], [".do-rotate", ".do-rm"]),
             ("/record/amber/r", "pre.body", [".panel-head .button"], []), ("/quarantine", ".kept", [".kept .button"], [])]
    browser.open(g.centre.url + "/")
    for role, word in (("viewer", "вы вошли как наблюдатель"), ("operator", "signed in as an operator"), ("admin", None)):
        browser.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        browser.prefer(language="ru" if role == "viewer" else "en")
        browser.driver.refresh()
        sign_in(browser, g.add(f"the-{role}", role))
        browser.gone("dialog")
        for path, whole, operators, admins in views:
            browser.run("location.hash = arguments[0]", path)
            browser.see(whole)
            browser.see(".account", f"the-{role}")
            shown = {css: bool(browser.all(css)) for css in operators + admins}
            assert shown == {**dict.fromkeys(operators, role != "viewer"), **dict.fromkeys(admins, role == "admin")}, (role, path)
            said = " ".join(e.text for e in browser.all(".lacks")).lower()
            assert (word in said if word and (role == "viewer" or admins) else said == ""), (role, path, said)
            browser.shoot(f"role-{role}{path.replace('/', '-')}")


def test_it_says_why_nobody_is_let_in(guarded, browser):
    """Too many failures, with the wait counted down; a centre that is away; a browser that keeps no cookies."""
    g = guarded
    browser.forgive("4(01|29)|ERR_")
    for _ in range(9):
        assert g.sign_in("wrong")[0].status == 401
    browser.open(g.centre.url + "/")
    sign_in(browser, "wrong")
    browser.see(".refused", "neither a token")
    sign_in(browser, g.secret)
    browser.see(".refused", "Too many failed attempts")
    again = browser.see("dialog button", "Again in")
    assert not again.is_enabled() and re.fullmatch(r"Again in (1 min|[2-5]\d s)", again.text)
    browser.shoot("signin-wait")
    # The same with a shorter wait: when it is over, the form is as before.
    browser.driver.refresh()
    browser.see("dialog.signin[open]")
    browser.run("window.real = fetch; window.fetch = async () => new Response('{}', {status: 429, headers: {'Retry-After': '1'}})")
    sign_in(browser, g.secret)
    browser.see("dialog button:disabled", "Again in 1 s")
    browser.see("dialog button:enabled", "Sign in")
    browser.run("window.fetch = real")
    g.centre.stop()
    sign_in(browser, g.secret)
    browser.see(".refused", "The centre does not answer")
    g.centre.start()  # who failed before is forgotten
    browser.run("window.fetch = (path, o) => real(path, {...o, credentials: 'omit'})")
    sign_in(browser, g.secret)
    browser.see(".refused", "keeps no cookie")
    browser.run("window.fetch = real")
    sign_in(browser, g.secret)
    browser.see("h1", "The node is in step")


def test_what_people_did_is_picked_from_the_events(guarded, browser):
    """Who, from what to what: of all people, of one by a click at the name, and at once when somebody does something."""
    g = guarded
    ann = g.add("ann", "admin")

    def title(text, token):
        assert g.ask("PATCH", "/v1/nodes/amber", {"title": text}, token=token).status == 200

    title("<b>first", g.secret)
    title("second", ann)
    browser.forgive("401")
    browser.open(g.centre.url + "/#/events")
    sign_in(browser, g.secret)
    browser.see(".event-kind", "In sync")
    browser.click(".choice", "People's")
    browser.gone(".event-kind", "In sync")
    assert "paused: false" in browser.see(".event", "the settings").text
    newest = browser.see(".event", "second").text
    assert "ann" in newest and 'title: "<b>first" → "second"' in newest and "127.0.0.1" in browser.see(".event-who", "ann").get_attribute("title")
    browser.shoot("events-people")
    browser.click(".event-who", "ann")
    browser.gone(".event-who", "the s")
    assert len(browser.all(".event")) == 1 and browser.driver.current_url.endswith("?only=people&who=ann")
    title("by the secret", g.secret)
    title("third", ann)
    browser.see(".event", 'title: "by the secret" → "third"')
    assert [e.text for e in browser.all(".event-who")] == ["ann", "ann"]
    browser.resize(390, 844)
    assert browser.run("return document.scrollingElement.scrollWidth") <= 390
    browser.shoot("events-people-narrow")
