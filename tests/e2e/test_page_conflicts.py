"""The page's conflicts and quarantine: both versions side by side, the other made the present one; what could not be taken."""
import json
import re

import pytest

import lab

EVIL = "<img src=x onerror=window.ran=1>"


@pytest.fixture
def centre(site):
    centre = site.adopt(lab.Centre(site.path, [site.local("a"), site.local("b")]))
    centre.a, centre.b = centre.locals
    centre.in_sync("a", "b")
    return centre


def both_change(centre, id, base, at_local, at_centre):
    """The local's change wins, as it owns the record; the centre's is kept. None: a delete."""
    a, path = centre.a, f"{centre.url}/v1/records/a/{id}"
    a.write({"id": id, "body": base})
    centre.in_sync("a")
    centre.tool("node", "pause", "a")
    a.write({"id": id, "body": at_local})
    assert lab.call(path, "PUT", json.dumps({"type": "t", "body": at_centre})).status == 200
    centre.tool("node", "resume", "a")
    centre.in_sync("a")
    return centre.conflicts()[-1]["id"]


def diff(browser):
    """What is marked: of each row that differs its two sides."""
    return browser.run("return [...document.querySelectorAll('.diff tr.is-changed')].map(r => [r.children[1].textContent, r.children[3].textContent])")


def test_both_versions_are_side_by_side_and_the_kept_one_can_be_the_present_one(centre, browser):
    base = {"name": "pump", "limits": {"low": 1, "high": 10}, "log": list(range(20)), "unit": "bar"}
    first = both_change(centre, "other", 1, 2, 3)
    id = both_change(centre, "pump", base, {**base, "unit": "kPa", "limits": {"low": 1, "high": 12}}, {**base, "limits": {"low": 1, "high": 11}, "note": EVIL})
    browser.open(centre.url + "/")
    browser.see("h1")
    browser.key("c")
    browser.see(".conflicts tbody tr")
    assert browser.run("return [...document.querySelectorAll('.conflicts tbody tr')].map(r => r.children[2].textContent)") == ["pump", "other"]
    browser.see(".cell-why", "lost a conflict: both ends had changed it")
    browser.shoot("conflicts")
    browser.fill("input[aria-label=Node]", "b")
    browser.see(".none", "No conflict")
    browser.fill("input[aria-label=Node]", "a")
    browser.click("a", "Compare")
    browser.see("h1", f"Conflict {id} a / pump")
    assert diff(browser) == [['    "high": 11', '    "high": 12'], ['  "unit": "bar",', '  "unit": "kPa"'], [f'  "note": "{EVIL}"', ""]]
    assert browser.run("return [...document.querySelectorAll('mark')].map(m => m.textContent)") == ["1", "2", "bar\",", "kPa\"", f'  "note": "{EVIL}"']
    assert browser.see(".diff-said", "3 lines differ") and not browser.find("main img")
    browser.click(".diff-fold button")
    browser.see(".diff-line", "    10,")
    browser.shoot("conflict")
    # asked first, and not done by a no
    browser.click("button", "Make the kept version the present one")
    browser.see("dialog", "a/pump gets the kept content")
    browser.click("dialog button", "Cancel")
    browser.gone("dialog")
    assert centre.get("/v1/records/a/pump").json["body"]["unit"] == "kPa"
    browser.click("button", "Make the kept version the present one")
    browser.click("dialog button", "Make the kept version the present one")
    browser.see(".is-ok", "Done. It is pushed to a")
    browser.see("thead th:last-child", "the centre (write ")
    browser.see(".conflict-equal", "The present version has this content already")
    browser.see(".diff-said", "do not differ")
    assert browser.see("button", "Make the kept version").get_property("disabled")
    centre.in_sync("a")
    assert centre.a.get("/v1/records/pump").json["body"]["note"] == EVIL
    browser.open(f"{centre.url}/#/conflict/{first}")
    browser.see("h1", "a / other")
    assert diff(browser) == [["3", "2"]]
    # the record goes: that is a version too
    assert lab.call(f"{centre.url}/v1/records/a/other", "DELETE").status == 200
    lab.wait_until("deleted beside it", lambda: diff(browser) == [["3", "deleted"]])
    browser.open(f"{centre.url}/#/conflict/999")
    browser.see(".none", "There is no conflict 999")
    browser.open(f"{centre.url}/#/conflict/x")
    browser.see(".none", "There is no conflict x")
    assert browser.run("return window.ran ?? null") is None
    browser.forgive("404")


UNNAMED = """
return [...document.querySelectorAll('button, a[href], input, select, textarea, section, table')]
    .filter(e => !(e.ariaLabel || e.textContent.trim() || e.getAttribute('aria-labelledby') || e.labels?.length)).map(e => e.outerHTML)
"""


def test_every_view_fits_a_phone_and_speaks_russian(centre, browser):
    id = both_change(centre, "x", {"long": "word" * 50}, "at the node", {"long": "text" * 50})
    browser.prefer(language="ru", dark=True)
    browser.resize(390, 844)
    for view, shows in (("records", "Содержимое"), ("record/a/x", "Как хранится"), ("conflicts", "проиграла в конфликте"),
                        (f"conflict/{id}", "Отличаются 3 строки"), ("quarantine", "Карантин пуст")):
        browser.open("about:blank")
        browser.open(f"{centre.url}/#/{view}")
        browser.see("main", shows)
        assert browser.run("return document.scrollingElement.scrollWidth") <= 390, view
        assert browser.run(UNNAMED) == [], view
        assert not re.search(r"\b(list|act|records?|conflicts?|diff|quarantine)\.[a-z_]", browser.text()), browser.text()
        browser.shoot(f"russian-{view.split('/')[0]}")


def test_conflicts_are_listed_from_either_end(centre):
    for wrong in ("order=", "order=best"):
        assert centre.get(f"/v1/conflicts?{wrong}").code == "bad_request"
    assert centre.get("/v1/conflicts?order=oldest").json == centre.get("/v1/conflicts?order=newest").json == {"conflicts": [], "next": None}


def test_what_is_in_quarantine_is_shown_tried_again_and_given_up(centre, browser):
    centre.stop()
    centre.store.refuse_poison(True)
    centre.start()
    centre.a.write({"id": "x", "body": "poison"}, {"id": "y", "body": ["poison", EVIL]})
    centre.in_sync("a")
    centre.b.write({"id": "z", "body": "poison" + "." * 3000})
    centre.in_sync("b")
    browser.open(centre.url + "/")
    browser.click(".needs a", "3 records in quarantine")
    lab.wait_until("all three", lambda: len(browser.all(".kept")) == 3)
    browser.see(".kept", "no poison here")
    browser.see("pre", EVIL)
    assert not browser.find("main img") and browser.run("return window.ran ?? null") is None
    browser.shoot("quarantine")
    # long lines are shown when asked for
    browser.click(".kept .link", "All of it")
    assert "." * 3000 in browser.run("return document.querySelector('.kept:last-child pre').textContent")
    # what is still refused stays, and says so; so does what its node still holds
    browser.click(".kept:first-child button", "Try again")
    browser.see(".outcome.is-failed", "a/x: Refused, nothing was changed: still refused")
    browser.see(".kept:first-child", "tried again once")
    browser.click(".kept:first-child button", "Give up")
    browser.see("dialog", "Its node still has this version")
    browser.click("dialog button", "Give up")
    browser.see(".outcome.is-failed", "still holds this version")
    browser.forgive("409")
    assert len(centre.get("/v1/quarantine").json["quarantine"]) == 3
    # given up for ever when nobody holds it any more
    centre.b.stop()
    centre.b.wipe()
    centre.b.start()
    centre.in_sync("b")
    browser.see(".kept:last-child", "only kept here")
    browser.click(".kept:last-child button", "Give up")
    browser.see("dialog", "This is the last copy")
    browser.click("dialog button", "Cancel")
    browser.gone("dialog")
    assert len(centre.get("/v1/quarantine").json["quarantine"]) == 3
    browser.click(".kept:last-child button", "Give up")
    browser.click("dialog button", "Give up")
    browser.see(".outcome.is-ok", "b/z has been given up")
    lab.wait_until("two are left", lambda: len(browser.all(".kept")) == 2)
    # the cause is gone
    centre.stop()
    centre.store.refuse_poison(False)
    centre.start()
    browser.forgive("ERR_|Failed to load|network")
    browser.gone(".banner", seconds=20)
    browser.click(".kept:first-child button", "Try again")
    browser.see(".outcome.is-ok", "a/x has been taken")
    centre.in_sync("a")
    assert centre.get("/v1/records/a/x").json["body"] == "poison"
