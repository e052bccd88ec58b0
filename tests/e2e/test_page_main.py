"""The page's first view: is everything in step; if not who, since when, why, until when. As a person sees it."""
import datetime
import json
import re
import time

import crowd
import lab
import pytest

ROW = "table.nodes tbody tr"

IN_SIGHT = """
const e = arguments[0], r = e.getBoundingClientRect();
const x = Math.min(r.left + 4, r.right - 1), y = (r.top + r.bottom) / 2;
return r.width > 0 && r.top >= 0 && r.left >= 0 && r.bottom <= innerHeight && e.contains(document.elementFromPoint(x, y));
"""


def in_sight(browser, css, text):
    """Seen on the screen as it is: not scrolled away, not covered."""
    return browser.run(IN_SIGHT, browser.see(css, text))


def states(browser):
    return {r["name"]: r["state"] for r in browser.run(
        f"return [...document.querySelectorAll('{ROW}')].map(r => ({{name: r.querySelector('.node-name').textContent,"
        "state: r.querySelector('.state-word').textContent}))")}


def shows(browser, name, state, seconds=10.0):
    lab.wait_until(f"{name} is shown {state}: {states(browser)}", lambda: states(browser).get(name) == state, seconds)


@pytest.fixture
def three(site):
    locals_ = [site.local(n) for n in ("amber", "birch", "cedar")]
    centre = site.centre(*locals_)
    centre.in_sync()
    return centre, locals_


def test_that_all_is_in_step_is_said_at_a_glance(three, browser):
    centre, (amber, *_) = three
    amber.write(*({"body": {"n": n}} for n in range(1200)))
    centre.in_sync()
    browser.open(centre.url + "/")
    assert in_sight(browser, "h1", "All 3 nodes are in step")
    assert in_sight(browser, ".needs", "Nothing needs you")
    assert in_sight(browser, ".fresh", "live")
    browser.see(".sum-records", "1,200")
    assert states(browser) == {"amber": "In sync", "birch": "In sync", "cedar": "In sync"}
    lab.wait_until("amber's proof counts its age", lambda: re.match(r"= (now|\d s ago)", browser.text(f"{ROW} .proof")))
    assert re.match(r"Last \d+ polls: 0 failed; the newest: ok", browser.see(f"{ROW} svg.polls").get_attribute("aria-label"))
    assert re.search(r"[+−]?\d.*[µm]s ± \d", browser.text(f"{ROW} .cell-clock"))
    assert in_sight(browser, ".ticker .event", "was catching up")
    assert browser.run("return document.scrollingElement.scrollHeight <= innerHeight")
    browser.shoot("main")


@pytest.mark.parametrize("others", [2, 999])
def test_the_worst_node_is_seen_without_scrolling(site, browser, others):
    many = crowd.Crowd(others)
    lost = site.local("zuider")
    centre = site.centre(lost, *many.nodes, options=["--poll-interval", "2s"])
    try:
        lab.wait_until("all are in step", lambda: centre.get("/v1/status").json["nodes"]["in_sync"] == others + 1, 40)
        lost.kill()
        lab.wait_until("it is offline", lambda: centre.node("zuider")["state"] == "offline")
        browser.open(centre.url + "/")
        for place in (".need", f"{ROW}:first-child"):
            assert in_sight(browser, f"{place} .node-name", "zuider")
            assert in_sight(browser, f"{place} .next", "ext")
            assert browser.see(f"{place}", "onnection refused")
        assert in_sight(browser, ".need strong", "Offline for")
        assert in_sight(browser, ".need-text", "Connection refused")
        assert in_sight(browser, f"{ROW}:first-child .state-word", "Offline")
        assert in_sight(browser, f"{ROW}:first-child .reason", "Connection refused")
        assert in_sight(browser, "h1", f"{others} of {others + 1:,} nodes in step")
        assert in_sight(browser, ".tile.is-offline[aria-pressed=false]", "1")
        assert len(states(browser)) == min(others + 1, 50)
        browser.shoot(f"main-{others + 1}-nodes")
        if others > 50:
            browser.click(".nodes-panel .more")
            lab.wait_until("more rows", lambda: len(states(browser)) == 100)
            browser.fill(".filter", "N99")
            lab.wait_until("those that fit", lambda: set(states(browser)) == {"n99", *(f"n99{i}" for i in range(9))})
            assert float(browser.run("return document.documentElement.dataset.updateMs")) < 100
    finally:
        many.close()


def test_a_killed_node_is_shown_within_two_intervals_and_a_healed_one_within_one(site, browser):
    locals_ = [site.local("amber"), site.local("birch")]
    centre = site.centre(*locals_, options=["--poll-interval", "1s"])
    centre.in_sync()
    browser.open(centre.url + "/")
    shows(browser, "birch", "In sync")
    began = time.monotonic()
    locals_[1].kill()
    shows(browser, "birch", "Offline", 2.0 - (time.monotonic() - began))
    assert states(browser)["amber"] == "In sync"
    browser.see(".ticker .event", "Offline")
    browser.see(f"{ROW}:first-child .next", "next in")
    locals_[1].start()
    due = centre.node("birch")["next_attempt_at"]  # null: it is being asked right now
    wait = (datetime.datetime.fromisoformat(due.replace("Z", "+00:00")).timestamp() - time.time()) if due else 0.0
    shows(browser, "birch", "In sync", max(0.0, wait) + 1.0)
    browser.see("h1", "All 2 nodes are in step")


def test_without_the_centre_the_page_says_since_when_and_goes_on_when_it_is_back(three, browser):
    centre, _ = three
    browser.open(centre.url + "/")
    shows(browser, "amber", "In sync")
    browser.see(".fresh", "live")
    browser.forgive("ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|ERR_INCOMPLETE_CHUNKED_ENCODING")
    centre.kill()
    browser.see(".banner", "No answer from the centre for")
    browser.see(".banner", "Next attempt in")
    assert browser.run("return getComputedStyle(document.querySelector('main')).filter") == "grayscale(1)"
    assert states(browser)["amber"] == "In sync", "what was known last stays to be read"
    browser.shoot("lost")
    browser.click(".banner button", "Try now")
    browser.see(".banner", "Next attempt in")
    centre.start()
    browser.gone(".banner")
    browser.see(".fresh", "live")
    assert browser.run("return getComputedStyle(document.querySelector('main')).filter") == "none"


def test_without_a_stream_it_polls(three, browser):
    centre, (_, birch, _) = three
    browser.driver.execute_cdp_cmd("Network.enable", {})
    browser.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*/v1/events/stream*"]})
    browser.forgive("v1/events/stream.*ERR_BLOCKED_BY_CLIENT")
    try:
        browser.open(centre.url + "/")
        browser.see(".fresh", "polling")
        shows(browser, "birch", "In sync")
        birch.kill()
        shows(browser, "birch", "Offline")
        browser.see(".ticker .event", "Offline")
        assert not browser.all(".banner")
    finally:
        browser.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})


def test_tiles_and_text_filter_and_the_address_keeps_it(three, browser):
    centre, (_, birch, cedar) = three
    assert centre.post("/v1/nodes/cedar/pause").status == 202
    assert lab.call(centre.url + "/v1/nodes/birch", "PATCH", json.dumps({"title": "Harbour, north quay"})).status == 200
    browser.open(centre.url + "/")
    browser.click(".tile.is-paused", "1")
    lab.wait_until("only the paused one", lambda: states(browser) == {"cedar": "Paused"})
    assert browser.see(".tile.is-paused").get_attribute("aria-pressed") == "true"
    browser.see(".needs", "cedar")
    browser.see("h1", "2 of 3 nodes in step")
    assert browser.driver.current_url.endswith("#/?state=paused")
    browser.driver.refresh()
    lab.wait_until("only the paused one", lambda: states(browser) == {"cedar": "Paused"})
    browser.click(".tile.is-paused")
    lab.wait_until("all", lambda: len(states(browser)) == 3)
    browser.fill(".filter", "NORTH")
    lab.wait_until("by its title", lambda: states(browser) == {"birch": "In sync"})
    browser.fill(".filter", "nothing like it")
    browser.see(".shown", "No node fits")
    browser.driver.back()
    lab.wait_until("the filter before", lambda: states(browser) == {"cedar": "Paused"})


def test_it_is_used_by_the_keyboard_alone(three, browser):
    centre, _ = three
    browser.open(centre.url + "/")
    shows(browser, "cedar", "In sync")
    browser.key("/")
    assert browser.focused().get_attribute("id") == "filter"
    browser.key("b")
    lab.wait_until("filtered", lambda: list(states(browser)) == ["amber", "birch"])
    browser.key("ESCAPE")
    lab.wait_until("all again", lambda: len(states(browser)) == 3)
    browser.run(f"document.querySelector('{ROW} a').focus()")
    browser.key("ARROW_DOWN")
    assert browser.focused().text == "birch"
    assert browser.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    browser.key("ENTER")
    browser.see("h1", "birch")
    browser.key("ESCAPE")
    browser.see("h1", "All 3 nodes")
    browser.key("?")
    browser.see("dialog[open]", "filter the nodes")
    browser.key("ESCAPE")
    browser.gone("dialog")
    browser.key("e")
    browser.see("h1", "Events")


def test_names_and_titles_are_never_interpreted(three, browser):
    centre, _ = three
    evil = "<img src=x onerror=\"document.title='gotcha'\"><b>&amp;</b>"
    assert lab.call(centre.url + "/v1/nodes/amber", "PATCH", json.dumps({"title": evil})).status == 200
    browser.open(centre.url + "/")
    browser.see(".node-title", evil)
    browser.see(".ticker .event", evil)
    browser.open(centre.url + "/#/node/amber")
    browser.see("h1", evil)
    browser.see(".event", evil)
    browser.forgive("404")  # there is no such node
    browser.open(centre.url + "/#/node/" + "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")
    browser.see("h1, .none", "<img src=x onerror=alert(1)>")
    browser.open(centre.url + "/#/events?node=%3Cimg%20src%3Dx%3E&level=%3Cb%3E")
    browser.see("h1", "Events")
    assert browser.find("img") == [] and browser.find("b") == []
    assert "gotcha" not in browser.driver.title


def test_russian_by_the_browser_and_by_the_switch(three, browser):
    centre, (_, birch, _) = three
    browser.prefer(language="ru")
    browser.open(centre.url + "/")
    browser.see("h1", "Все узлы синхронны: 3")
    browser.see(".shown", "3 узла")
    assert browser.run("return document.documentElement.lang") == "ru"
    birch.kill()
    browser.see(".need", "Последний обмен не удался: соединение отклонено.")
    browser.see(f"{ROW}:first-child .state-word", "Недоступен")
    browser.shoot("main-russian")
    browser.click(".tool", "EN")
    browser.see("h1", "2 of 3 nodes in step")
    browser.driver.refresh()
    browser.see("h1", "2 of 3 nodes in step")
    words = browser.run("return import('/page/words.js').then(async w => { await w.setLanguage('ru');"
                        "return [1, 2, 5, 11, 21, 22, 111, 1004].map(n => w.t('nodes.shown', {n})); })")
    assert [w.split()[-1] for w in words] == ["узел", "узла", "узлов", "узлов", "узел", "узла", "узлов", "узла"]
    keys = browser.run("return Promise.all(['en', 'ru'].map(l => import(`/page/lang_${l}.js`).then(m => Object.keys(m[l]))))")
    assert set(keys[0]) <= set(keys[1]) and all(re.match(r"why\.|unwell\..*\.what$", k) for k in set(keys[1]) - set(keys[0]))


def test_a_node_that_is_not_well_is_marked_and_named_though_it_is_in_step(three, browser):
    centre, (amber, birch, cedar) = three
    cedar.write({"id": "r1", "body": "good"})
    centre.in_sync()
    cedar.stop()
    lab.sql(cedar.db, "UPDATE records SET body = '\"goof\"' WHERE id = 'r1'")
    cedar.start()
    centre.tool("verify", "cedar", check=False)
    lab.wait_until("it is not well", lambda: [u for u in centre.node("cedar")["unwell"] if u["level"] == "error"] and centre.node("cedar")["state"] == "in_sync")
    browser.open(centre.url + "/")
    browser.see("h1", "All 3 nodes are in step, 1 is not well")
    assert browser.all("h1.is-warn") and not browser.all("h1.is-in_sync")
    said = browser.run("return import('/page/words.js').then(w => w.unwellWords("
                       "{kind: 'clock_unsynchronised', text: 'nothing keeps its clock: nobody answers'}))")
    assert (said["head"], said["text"]) == ("Nothing keeps its clock.", "Nobody answers.")  # each word once
    assert in_sight(browser, f"{ROW}:first-child .mark", "Database damaged")
    assert list(states(browser)) == ["cedar", "amber", "birch"]
    assert in_sight(browser, ".needs h2", "Needs you: 1")
    need = in_sight(browser, ".need", "cedar") and browser.text(".need")
    assert "Database damaged." in need and "one is r1" in need and "wipe its database" in need, need
    browser.click(".tile.is-unwell", "1")
    lab.wait_until("only that one", lambda: list(states(browser)) == ["cedar"])
    browser.see(".ticker .event", "Not well")
    browser.shoot("main-unwell")
    browser.click(".need .node-name", "cedar")
    browser.see(".unwell .is-error", "one is r1")
    browser.click(".tool", "RU")
    browser.see(".unwell .is-error", "База повреждена.")
    browser.see(".unwell .is-error", "больше не дают их хеш")


CONTRAST = """
const s = getComputedStyle(document.documentElement), probe = document.createElement('canvas').getContext('2d');
const parse = c => { probe.fillStyle = c; return [1, 3, 5].map(i => parseInt(probe.fillStyle.slice(i, i + 2), 16) / 255); };
const lum = c => parse(c).map(x => x <= .04045 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4).reduce((a, x, i) => a + x * [.2126, .7152, .0722][i], 0);
const v = n => s.getPropertyValue('--' + n).trim();
const ratio = (a, b) => { const [x, y] = [lum(v(a)), lum(v(b))].sort((p, q) => q - p); return (x + .05) / (y + .05); };
const grounds = ['panel', 'ground', 'hover'], all = [];
for (const n of ['text', 'soft', 'link', 'good', 'busy', 'bad', 'odd', 'idle', 'warn'])
    for (const g of [...grounds, ...(v(n + '-ground') ? [n + '-ground'] : [])])
        all.push([n, g, ratio(n, g)]);
return all;
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_can_be_read_and_heard(three, browser, dark):
    centre, _ = three
    browser.prefer(dark=dark)
    browser.open(centre.url + "/")
    shows(browser, "amber", "In sync")
    assert [c for c in browser.run(CONTRAST) if c[2] < 4.5] == []
    unnamed = browser.run("return [...document.querySelectorAll('button, a[href], input, select, svg[role=img], section')]"
                          ".filter(e => !(e.ariaLabel || e.textContent.trim() || e.getAttribute('aria-labelledby') || e.labels?.length)).map(e => e.outerHTML)")
    assert unnamed == []
    assert browser.run("return ['header', 'main', 'nav'].map(t => document.querySelectorAll(t).length)") == [1, 1, 1]
    assert browser.run("return [...document.querySelectorAll('table.nodes th')].every(t => t.scope)")
    assert browser.find("[aria-live=polite]")
    browser.shoot("main-" + ("dark" if dark else "light"))
    browser.resize(390, 844)
    assert browser.run("return document.scrollingElement.scrollWidth") <= 390
    browser.shoot("main-narrow-" + ("dark" if dark else "light"))
