"""Chromium that watches the page (conftest.py offers `browser` and `visit`), and Node for its scripts."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tools import chromium

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

SMALL = "/?sample=cat&sizes=64,32&fmt=jpeg&repeat=6"  # prepares 3 variants: a second or two
PATIENCE_MS = 60_000  # other work may share the machine; nothing here judges speed

OLDEST_NODE = (20, 19)  # the first that reads static/js as modules without being told

# Told through the console, where a page can't hide it from the test.
WATCH_POLICY = """
addEventListener("securitypolicyviolation", (event) =>
  console.error("POLICY", event.violatedDirective, event.blockedURI, event.sourceFile, event.lineNumber));
"""
WATCH_SHIFTS = """
window.shift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One Chromium for all tests; skips where there is none."""
    path = chromium.find()
    if path is None:
        pytest.skip(f"No Chromium found. {chromium.HOW_TO_GET_ONE}")
    from playwright.sync_api import sync_playwright  # only where a browser test runs

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=list(chromium.FLAGS))
        yield launched
        launched.close()


class Visit:
    """A page with a memory of its own, and what must never happen on it."""

    def __init__(self, context: BrowserContext, url: str):
        self.context = context
        self.url = url
        self.foreign: list[str] = []
        self.complaints: list[str] = []
        self.page: Page = context.new_page()
        self.page.on("request", self._on_request)
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script error: {error}"))

    def _on_request(self, request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https"} and parts.netloc != urlsplit(self.url).netloc:
            self.foreign.append(request.url)

    def _on_console(self, message: Any) -> None:
        if message.text.startswith("POLICY"):
            self.complaints.append(message.text)

    def open(self, path: str = "/") -> Page:
        """Load an address of the app and wait until the page has set itself up."""
        self.page.goto(self.url + path)
        self.wait_ready()
        return self.page

    def open_plan(self) -> Page:
        """The plan's drawer, where a run's settings stand."""
        self.page.click("#edit-plan")
        self.page.locator("#plan-drawer[open]").wait_for()
        return self.page

    def close_plan(self) -> None:
        """Back to the photo and Run."""
        self.page.click("#plan-close")
        self.page.locator("#plan-drawer[open]").wait_for(state="detached")

    def reload(self) -> None:
        """Load the same address again."""
        self.page.reload()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Return when every handler is in place."""
        self.page.wait_for_selector("html[data-ready]", state="attached")

    def wait_until(self, expression: str) -> None:
        """Return when a JavaScript expression is true. Playwright's own way needs eval: forbidden here."""
        deadline = time.monotonic() + PATIENCE_MS / 1000
        while not self.page.evaluate(expression):
            assert time.monotonic() < deadline, f"never true: {expression}"
            self.page.wait_for_timeout(50)

    def wait_end(self) -> str:
        """Return when the run has ended: "done", "cancelled" or "failed"."""
        self.page.wait_for_selector("#progress:is(.done, .cancelled, .failed)", state="attached")
        self.page.wait_for_selector(".plot .main-svg")
        return self.page.locator("#progress").get_attribute("class") or ""

    def run_id(self) -> str:
        """Of the run that the address names."""
        return urlsplit(self.page.url).path.rsplit("/runs/")[-1]


@contextmanager
def visiting(browser: Any, url: str, **options: Any) -> Iterator[Visit]:
    """A visit whose page asked no other server and broke no rule of its policy."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(WATCH_POLICY)
    visit = Visit(context, url)
    try:
        yield visit
        assert visit.foreign == []
        assert visit.complaints == []
    finally:
        context.close()


@pytest.fixture
def visit(browser: Any, app: Any) -> Iterator[Visit]:
    """A visit of the shared app."""
    with visiting(browser, app.url) as visit:
        yield visit


def node() -> str:
    """Path of a Node that can run the tests; skips where there is none."""
    path = shutil.which("node")
    if path is None:
        pytest.skip(
            "Node is not installed. The page's unit tests need Node 20.19 or newer; the page does not."
        )
    version = subprocess.check_output([path, "--version"], text=True)
    if tuple(map(int, version.strip().lstrip("v").split(".")[:2])) < OLDEST_NODE:
        pytest.skip(f"Node is {version.strip()}; the page's unit tests need 20.19 or newer.")
    return path
