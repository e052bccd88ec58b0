"""The page in a real browser: what holds of all of its views, and of the tests of it."""
import pytest

import lab


def test_it_opens_without_a_complaint(site, browser):
    centre = site.centre(site.local("a"))
    centre.in_sync("a")
    browser.open(centre.url + "/")
    browser.see("h1")
    assert browser.run("return [innerWidth, innerHeight]") == [1280, 720]
    browser.shoot("page")


@pytest.mark.parametrize("what, script", [
    ("script", "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.head.append(s);"),
    ("style", "document.body.setAttribute('style', 'color: red')"),
    ("image", "document.body.insertAdjacentHTML('beforeend', '<img src=http://127.0.0.2:1/x>')"),
    ("handler", "document.body.insertAdjacentHTML('beforeend', '<p onclick=window.ran=1>x</p>')"),
    ("call", "fetch('http://127.0.0.2:1/').catch(() => {})"),
    ("error", "console.error('broken')"),
    ("exception", "setTimeout(() => { throw new Error('broken'); })"),
    ("rejection", "Promise.reject(new Error('broken'))"),
], ids=["script", "style", "image", "handler", "call", "error", "exception", "rejection"])
def test_nothing_inline_or_foreign_runs_and_no_complaint_is_missed(site, browser, what, script):
    browser.open(site.centre().url + "/")
    browser.see("h1")
    assert not browser.complaints()
    browser.run(script)
    lab.wait_until(f"a complaint of the {what}", browser.complaints)
    assert browser.run("return window.ran ?? null") is None
    browser.forgive("broken|Content Security Policy")
