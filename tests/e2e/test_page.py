"""The page in a real browser: what holds of all of its views, and of the tests of it."""
import time

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


def test_many_tabs_do_not_wait_for_each_other(site, browser):
    """A browser has six connections to a centre: streams of tabs that nobody looks at would take them all."""
    centre, driver = site.centre(site.local("a")), browser.driver
    first = driver.current_window_handle
    try:
        browser.open(centre.url + "/")
        for _ in range(7):
            browser.see(".fresh.is-stream")
            driver.switch_to.new_window("tab")
            began = time.monotonic()
            browser.open(centre.url + "/")
            assert time.monotonic() - began < 10  # it would get a connection in the end
        browser.see(".fresh.is-stream")
        driver.switch_to.window(first)
        browser.see(".fresh.is-stream")
        assert centre.get("/v1/nodes/a").status == 200
    finally:
        for tab in driver.window_handles:
            if tab != first:
                driver.switch_to.window(tab)
                driver.close()
        driver.switch_to.window(first)
