"""The page's records: found, shown byte for byte, changed and deleted only in the version that was shown."""
import json

import pytest

import lab

EVIL = "<img src=x onerror=window.ran=1>"
# What a browser would write differently: a number of twenty digits, 1.50, names that look like numbers, spaces, an escape.
BODY = '{"n": 12345678901234567890, "price":1.50,  "10":"ten","2":[], "e":"\\u0041<b>\\"}]"}'

HOLD_READS = """
const real = window.fetch, held = [];
window.fetch = (path, o) => o?.method === "GET" ? new Promise(go => held.push(() => go(real(path, o)))) : real(path, o);
window.release = () => { window.fetch = real; held.forEach(go => go()); };
"""


@pytest.fixture
def centre(site):
    a, b = site.local("a"), site.local("b")
    centre = site.centre(a, b)
    centre.a = a
    centre.in_sync("a", "b")
    return centre


def put(centre, key, body, type="t"):
    r = lab.call(f"{centre.url}/v1/records/{key}", "PUT", f'{{"type":"{type}","body":{body}}}')
    assert r.status in (200, 201), r.body
    return r.json


def body_of(program, path):
    """As it is written in the answer."""
    text = program.get(f"/v1/records/{path}").body.decode()
    return text[text.index('"body":') + len('"body":'):text.index(',"hash":')]


def rows(browser):
    return browser.run("return [...document.querySelectorAll('.records tbody tr')].map(r => [...r.children].map(c => c.textContent))")


def test_records_are_found_by_node_type_and_key_and_turned_page_by_page(centre, browser):
    for owner, n, type in (("a", 130, "reading"), ("b", 3, "alarm")):
        drafts = [{"owner": owner, "id": f"r{i:03}", "type": type, "body": {"i": i}} for i in range(n)]
        assert centre.post("/v1/records", drafts).status == 201
    put(centre, "b/evil", json.dumps(EVIL), "alarm")
    browser.open(centre.url + "/#/records")
    browser.see(".records tbody tr")
    lab.wait_until("a page of records", lambda: len(rows(browser)) == 100)
    assert [*rows(browser)[0][:3], rows(browser)[0][4]] == ["a", "r000", "reading", '{"i": 0}']
    browser.click("button.more")
    lab.wait_until("all of them", lambda: len(rows(browser)) == 134)
    browser.gone("button.more")
    assert [r[1] for r in rows(browser)] == sorted((r[1] for r in rows(browser)[:130])) + ["evil", "r000", "r001", "r002"]
    browser.fill("input[aria-label=Node]", "b")
    lab.wait_until("those of b", lambda: [r[0] for r in rows(browser)] == ["b"] * 4)
    assert browser.run("return location.hash") == "#/records?owner=b"
    assert browser.see(".cell-body", EVIL) and not browser.find("main img")
    browser.fill("input[aria-label=Type]", "reading")
    browser.see(".none", "No record fits")
    browser.fill("input[aria-label=Type]", "A!")
    browser.see(".none", "Refused: a type is 1 to 32 of")
    browser.fill("input[aria-label=Type]", "alarm")  # a good question after a refused one
    lab.wait_until("alarms of b", lambda: len(rows(browser)) == 4)
    # a new one appears, a deleted one goes, and is there when asked for
    put(centre, "b/new", "1", "alarm")
    assert lab.call(f"{centre.url}/v1/records/b/r001", "DELETE").status == 200
    lab.wait_until("the list follows", lambda: [r[1] for r in rows(browser)] == ["evil", "new", "r000", "r002"])
    browser.click(".check")
    browser.see(".is-deleted .cell-id", "r001")
    browser.fill("input[name=key]", "r002")
    browser.key("ENTER")
    browser.see("h1", "b / r002")
    assert browser.run("return window.ran ?? null") is None
    browser.forgive("400")


def test_a_body_is_shown_as_people_read_it_and_as_it_is_stored(centre, browser):
    record = put(centre, "a/x", BODY)
    browser.open(centre.url + "/#/record/a/x")
    browser.see("pre.body", '"price": 1.50')
    assert browser.text("pre.body") == "\n".join([
        "{", '  "n": 12345678901234567890,', '  "price": 1.50,', '  "10": "ten",', '  "2": [],', '  "e": "\\u0041<b>\\"}]"', "}"])
    assert browser.see(".facts", record["hash"]) and browser.see(".shown", f"{len(BODY)} bytes")
    browser.click(".choice", "As stored")
    assert browser.run("return document.querySelector('pre.body').textContent") == BODY
    browser.shoot("record")
    # what is changed meanwhile is shown, without a reload
    put(centre, "a/x", '"other"')
    browser.see("pre.body", '"other"')


def test_an_edit_writes_the_bytes_typed_and_only_over_the_version_shown(centre, browser):
    put(centre, "a/x", BODY)
    browser.open(centre.url + "/#/record/a/x")
    browser.click("button", "Edit")
    assert browser.see("textarea").get_attribute("value") == BODY
    browser.click("button", "Save")
    browser.see(".is-failed", "Nothing was changed")
    browser.fill("textarea", '{"a": 1,')
    browser.click("button", "Save")
    browser.see(".is-failed", "Not JSON")
    browser.fill("textarea", '1, "owner": "b"')  # not one value
    browser.click("button", "Save")
    browser.see(".is-failed", "Not JSON")
    browser.fill("textarea", "[" * 65 + "]" * 65)  # the server looks closer
    browser.click("button", "Save")
    browser.see(".is-failed", "Refused, nothing was changed")
    assert body_of(centre, "a/x") == BODY
    browser.fill("textarea", '{"a":  1.00}')
    browser.key("ESCAPE")  # leaves nothing
    browser.click("button", "Save")
    browser.see(".is-ok", "It is pushed to a")
    assert body_of(centre, "a/x") == '{"a":  1.00}'
    centre.in_sync("a")
    assert body_of(centre.a, "x") == '{"a":  1.00}'
    browser.forgive("400")


def test_who_comes_second_is_told_and_decides(centre, browser):
    put(centre, "a/x", '"first"')
    browser.open(centre.url + "/#/record/a/x")
    browser.click("button", "Edit")
    browser.fill("textarea", '"mine"')
    # it is seen while typing
    put(centre, "a/x", '"theirs"')
    browser.see(".is-moved", "Meanwhile the record was changed")
    assert browser.see("textarea").get_attribute("value") == '"mine"'
    browser.click("button", "Take the present version")
    assert browser.see("textarea").get_attribute("value") == '"theirs"'
    browser.fill("textarea", '"mine again"')
    # it is not seen: the answer to a save is slower than another's write
    browser.run(HOLD_READS)
    put(centre, "a/x", '"theirs again"')
    browser.click("button", "Save")
    lab.wait_until("the save was refused", lambda: any("412" in m for m in browser.complaints()))
    browser.forgive("412")
    assert body_of(centre, "a/x") == '"theirs again"'
    browser.run("window.release()")
    browser.see(".is-moved", "Meanwhile the record was changed")
    browser.click("button", "Save over the present version")
    browser.see(".is-ok", "It is pushed to a")
    assert body_of(centre, "a/x") == '"mine again"'


def test_a_delete_asks_and_takes_only_the_version_shown(centre, browser):
    put(centre, "a/x", '"first"')
    browser.open(centre.url + "/#/record/a/x")
    browser.click("button", "Delete")
    browser.click("dialog button", "Cancel")
    browser.gone("dialog")
    assert centre.get("/v1/records/a/x").status == 200
    browser.click("button", "Delete")
    browser.see("dialog", "Delete x?")
    put(centre, "a/x", '"theirs"')
    browser.click("dialog button", "Delete")
    browser.see(".is-failed", "Nothing was deleted: the record was changed meanwhile")
    browser.forgive("412|404")
    browser.see("pre.body", "theirs")
    browser.click("button", "Delete")
    browser.click("dialog button", "Delete")
    browser.see(".none", "This record has been deleted")
    assert centre.get("/v1/records/a/x").status == 404
    browser.gone("pre.body")
    browser.open(centre.url + "/#/record/a/never")
    browser.see(".none", "There is no such record")
    browser.open(centre.url + "/#/record/a/%3Cimg%20src=x%20onerror=window.ran=1%3E")
    browser.see("h1", "a / <img")
    browser.see(".none", "an id is 1 to 64 of")
    browser.open(centre.url + "/#/record/a/%")
    browser.see("h1", "a / %")
    assert browser.run("return window.ran ?? null") is None and not browser.find("main img")
    browser.forgive("400")


def test_a_rare_type_is_found_among_many_records(centre, browser):
    """Behind a page of the API that has none of them."""
    drafts = [{"owner": "a", "id": f"r{i:05}", "type": "often", "body": i} for i in range(10000)]
    assert centre.post("/v1/records", drafts).status == 201
    put(centre, "b/x", "1", "rare")
    browser.open(centre.url + "/#/records?type=rare")
    lab.wait_until("the one", lambda: [r[1] for r in rows(browser)] == ["x"])
    browser.gone("button.more")
    browser.fill("input[aria-label=Type]", "never")
    browser.see(".none", "No record fits")
