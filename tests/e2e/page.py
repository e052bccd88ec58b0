"""The page as a person sees it: a real Chromium, driven by what is shown, and whatever it complains of."""
import contextlib
import re
import tempfile
import time

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

import hostile
import lab

SHOTS = lab.TOP / "build" / "screenshots"
SIZE = (1280, 720)
SECONDS = 10.0
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
           "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
           "--force-color-profile=srgb", "--lang=en-US", f"--host-resolver-rules=MAP {hostile.NAMES} 127.0.0.1")

SEEN = """
const want = arguments[1];
const shown = e => e.checkVisibility({visibilityProperty: true}) && (want === null || e.textContent.includes(want));
return [...document.querySelectorAll(arguments[0])].filter(shown);
"""


class Browser:
    """One for all tests of a process; each test begins with begin() on an empty page and ends with end()."""

    def __init__(self):
        self.home = tempfile.TemporaryDirectory(prefix="tidemark-page-")
        options = webdriver.ChromeOptions()
        for o in (*OPTIONS, f"--user-data-dir={self.home.name}", "--window-size=%d,%d" % SIZE):
            options.add_argument(o)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        self.driver.set_page_load_timeout(30)
        self.forgiven, self.heard = [], []

    def quit(self):
        with contextlib.suppress(WebDriverException):
            self.driver.quit()
        self.home.cleanup()

    # A test's beginning and end.

    def begin(self):
        self.driver.get("about:blank")
        self.driver.execute_cdp_cmd("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "all"})
        self.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        self.driver.get_log("browser")
        self.forgiven, self.heard = [], []
        self.resize(*SIZE)
        self.prefer()

    def end(self, name, failed):
        if failed:
            self.shoot("failed-" + name)
        complaints = self.complaints()
        with contextlib.suppress(WebDriverException):
            self.driver.execute_script("sessionStorage.clear(); localStorage.clear();")
        self.driver.get("about:blank")  # ends its streams
        assert not complaints, "the browser complains:\n" + "\n".join(complaints)

    def forgive(self, pattern):
        """What of the console's errors this test brings about itself: a network error is one of them."""
        self.forgiven.append(pattern)

    def complaints(self):
        """Errors and warnings of the console, violations of the policy among them, that are not forgiven."""
        self.heard += [f"{m['level']} {m['source']}: {m['message']}" for m in self.driver.get_log("browser")
                       if m["level"] in ("SEVERE", "WARNING")]
        return [m for m in self.heard if not any(re.search(p, m) for p in self.forgiven)]

    # What the person has.

    def resize(self, width, height):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})

    def prefer(self, language="en", dark=False, still=True):
        """Before the page is opened: the language, dark or light, no moving about."""
        agent = self.driver.execute_script("return navigator.userAgent")
        self.driver.execute_cdp_cmd("Network.setUserAgentOverride", {"userAgent": agent, "acceptLanguage": language})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"}]})

    # What the person does.

    def open(self, url):
        self.driver.get(url)

    def all(self, css, text=None):
        """All that is shown of it (and holds the text), now."""
        return self.driver.execute_script(SEEN, css, text)

    def see(self, css, text=None, seconds=SECONDS):
        """The first that is shown of it (and holds the text), once there is one."""
        try:
            return lab.wait_until(f"{css} shows {text!r}", lambda: self.all(css, text), seconds)[0]
        except AssertionError as e:
            raise AssertionError(f"{e}; the page says: {self.text()[:2000]}") from None

    def gone(self, css, text=None, seconds=SECONDS):
        lab.wait_until(f"{css} no longer shows {text!r}", lambda: not self.all(css, text), seconds)

    def text(self, css="body"):
        return self.driver.execute_script("return document.querySelector(arguments[0])?.innerText ?? ''", css)

    def click(self, css, text=None, seconds=SECONDS):
        """Once it is there, and again where the page drew it anew in that instant."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.see(css, text, seconds).click()
            except StaleElementReferenceException:
                assert time.monotonic() < deadline, f"{css} {text!r} never stands still"

    def fill(self, css, value):
        """Replaces what the field holds, key by key."""
        field = self.see(css)
        field.clear()
        field.send_keys(value)
        return field

    def key(self, *keys):
        """To whatever has the focus; names of selenium's Keys, or letters."""
        self.driver.switch_to.active_element.send_keys(*(getattr(Keys, k, k) for k in keys))

    def focused(self):
        return self.driver.switch_to.active_element

    def run(self, script, *args):
        return self.driver.execute_script(script, *args)

    def find(self, css):
        """All of them, shown or not."""
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def shoot(self, name):
        """Keeps what is seen as build/screenshots/NAME.png."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(SHOTS / (re.sub(r"[^\w.-]+", "-", name) + ".png")))
