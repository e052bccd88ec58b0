"""A node's view: its buttons do what the commands do and say how it ended; charts, exchanges, its events. And all events, by pages."""
import json
import re

import lab
import pytest


@pytest.fixture
def amber(site):
    """A node and its centre, in step."""
    local = site.local("amber")
    centre = site.centre(local)
    local.write(*({"body": {"n": n}} for n in range(40)))
    centre.in_sync()
    return centre, local


def does(browser, verb, outcome):
    browser.click(f".buttons .do-{verb}")
    return browser.see(".outcome", outcome)


def test_its_buttons_do_what_the_commands_do(amber, browser):
    centre, local = amber
    browser.open(centre.url + "/#/node/amber")
    browser.see(".node-state", "In sync")
    assert "is-ok" in does(browser, "pull", "Pulled: both ends are equal at position 40.").get_attribute("class")
    does(browser, "push", "Pushed: both ends are equal")
    does(browser, "verify", "Verified: both ends counted, and are equal at position 40.")
    assert not browser.all(".do-resume")
    does(browser, "pause", "Paused.")
    browser.see(".node-state", "Paused")
    assert centre.node("amber")["paused"] is True and not browser.all(".do-pause")
    does(browser, "resume", "Resumed.")
    browser.see(".node-state", "In sync")
    assert centre.node("amber")["paused"] is False
    browser.click(".safe button", "Ask now")
    browser.see(".safe", "Yes.")
    browser.forgive("409")  # it is refused
    browser.click(".do-rotate")
    browser.click("dialog button", "Make it")
    browser.see(".outcome", "has no secret")
    browser.see(".event", "Paused")
    browser.see(".event", "Resumed")


def test_it_is_removed_only_when_its_name_was_typed(amber, browser):
    centre, _ = amber
    browser.open(centre.url + "/#/node/amber")
    browser.click(".do-rm")
    assert not browser.see("dialog button", "Remove").is_enabled()
    browser.fill("dialog input", "ambe")
    assert not browser.see("dialog button", "Remove").is_enabled()
    browser.fill("dialog input", "amber")
    assert browser.see("dialog button", "Remove").is_enabled()
    browser.click("dialog button", "Cancel")
    browser.gone("dialog")
    assert centre.node("amber")["state"] == "in_sync"
    browser.click(".do-rm")
    browser.fill("dialog input", "amber")
    browser.click("dialog button", "Remove")
    browser.see("h1", "No nodes yet")
    assert centre.get("/v1/nodes").json["nodes"] == []
    browser.forgive("404")
    browser.driver.back()
    browser.see(".none", "There is no node amber.")


def test_a_button_that_cannot_do_it_says_why(amber, browser):
    centre, local = amber
    local.kill()
    lab.wait_until("it is offline", lambda: centre.node("amber")["state"] == "offline")
    browser.open(centre.url + "/#/node/amber")
    browser.see(".node-state", "Offline")
    browser.see(".node-reason", "Connection refused")
    browser.see(".node-reason .next", "ext attempt in")
    assert "is-failed" in does(browser, "pull", "onnection refused").get_attribute("class")
    browser.click(".safe button", "Ask now")
    browser.see(".safe strong", "Not known.", 20)
    browser.see(".outlook", "start tidemark-local")
    browser.click("summary", "What is known")
    browser.see(".known", "onnection refused")
    browser.shoot("node-offline")


def test_charts_and_positions_follow_what_it_does(amber, browser):
    centre, local = amber
    browser.open(centre.url + "/#/node/amber")
    browser.see(".node-state", "In sync")

    def drawn(css):
        return browser.run(f"return document.querySelector('{css}')?.getAttribute('d') ?? ''")

    def positions():
        return browser.run("return document.querySelector('svg.track').getAttribute('aria-label')")

    lab.wait_until("three samples of each", lambda: all(
        len(re.findall("[ML]", drawn(f".charts .line-{n}"))) >= 3 for n in ("pull", "push", "clock")))
    assert drawn(".charts .band").endswith("Z")
    assert re.search(r"now [+−]?\d.*[µm]s", browser.see("svg.chart[aria-label^=Clock]").get_attribute("aria-label"))
    assert "its end: 40, read by the centre: 40, proven equal: 40" in positions()
    local.write(*({"body": n} for n in range(7)))
    lab.wait_until("its log went on", lambda: "its end: 47, read by the centre: 47" in positions())
    browser.see(".exchanges tr.is-moved", "ok")
    browser.see(".event", "Pulled")
    local.kill()
    browser.see(".exchanges tr.is-failed", "connection refused")
    for link in browser.find("a.raw[href^='/v1/']"):
        assert "amber" in centre.get(link.get_attribute("href").removeprefix(centre.url)).body.decode()
    browser.shoot("node")


def test_events_come_by_pages_and_new_ones_by_themselves(amber, browser):
    centre, local = amber
    local.kill()
    lab.wait_until("it is offline", lambda: centre.events("amber", "node.state")[-1]["text"].startswith("offline"))
    for n in range(205):
        assert lab.call(centre.url + "/v1/nodes/amber", "PATCH", json.dumps({"title": f"title {n}"})).status == 200
    browser.open(centre.url + "/#/events")
    browser.see(".event", "title 204")
    browser.see(".event:first-child", "title 204")
    browser.click("button.more", "Older")
    browser.see(".event-kind", "Pulled")
    browser.click(".choice", "Changes")
    browser.gone(".event-kind", "Pulled")
    lab.wait_until("a page", lambda: len(browser.find(".event")) == 200)
    browser.click("button.more", "Older")
    browser.see(".none", "That was all")
    seen = browser.text(".events")
    assert all(f"title {n}" in seen for n in (0, 100, 204)) and "Added" in seen
    assert lab.call(centre.url + "/v1/nodes/amber", "PATCH", json.dumps({"title": "the newest"})).status == 200
    lab.wait_until("it is seen at once", lambda: "the newest" in browser.text(".event"))
    browser.run("const s = document.querySelector('select'); s.value = 'warn'; s.dispatchEvent(new Event('change'))")
    lab.wait_until("the bad ones", lambda: browser.find(".event") and all("Offline" in e.text for e in browser.find(".event")))
    browser.fill("#filter", "nobody\n")
    browser.see(".none", "Nothing happened lately")
    assert "node=nobody" in browser.driver.current_url and "only=changes" in browser.driver.current_url
