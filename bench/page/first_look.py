"""From a photo that is chosen on the page to its first picture and first answer, in Chromium.

Target: both within 2 s on a quiet machine, for the sample and for a photo of 10 megapixels.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import requests

from bench.support.errors import CannotRun
from bench.support.photo import ten_megapixels
from bench.support.processes import free_port
from tools import chromium

ROOT = Path(__file__).resolve().parents[2]
CAT = ROOT / "static" / "samples" / "cat.png"
TRIES = 5
START_LIMIT_S = 180.0

# As an init script of Playwright. Times are of performance.now(), in ms.
WATCH = """
window.seenAt = {};
const note = (what) => (window.seenAt[what] ??= performance.now());
addEventListener("change", (event) => event.target.id === "file" && note("chosen"), true);
const look = () => {
  const frames = [...document.querySelectorAll("#frames .frame")];
  if (window.seenAt.chosen && document.querySelector("main form.busy, progress.done")) {
    if (frames.some((frame) => frame.querySelector("img")?.naturalWidth)) note("picture");
    if (frames.some((frame) => frame.querySelector(".frame-answer")?.textContent)) note("answer");
    if (document.querySelector("progress.done")) note("done");
  }
  requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
# What it has seen: {chosen, picture, answer, done}, each as soon as it was there.
SEEN = "window.seenAt"


def bench() -> list[str]:
    """The lines to print."""
    path = chromium.find()
    if path is None:
        raise CannotRun(f"No Chromium found. {chromium.HOW_TO_GET_ONE}")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  only where a browser is there

    photos = {"sample, 0.1 MP": CAT.read_bytes(), "10 MP": ten_megapixels()}
    with tempfile.TemporaryDirectory() as folder, _app(folder) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(chromium.FLAGS))
        lines = [
            _line(name, [_seen(browser, url, data) for _ in range(TRIES)]) for name, data in photos.items()
        ]
        browser.close()
    return lines


def _seen(browser: Any, url: str, photo: bytes) -> dict[str, float]:
    """Times in ms of one page that is given the photo."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.add_init_script(WATCH + "localStorage.setItem('pixelcost.auto-full', 'false');")
    page.goto(url)
    page.wait_for_selector("html[data-ready]", state="attached")
    page.set_input_files("#file", {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": photo})
    page.wait_for_selector("progress.done", state="attached", timeout=120_000)
    page.wait_for_timeout(100)
    seen: dict[str, float] = page.evaluate(SEEN)
    page.close()
    return seen


def _line(name: str, tries: list[dict[str, float]]) -> str:
    picture_s, answer_s, done_s = (
        median(each[what] - each["chosen"] for each in tries) / 1000 for what in ("picture", "answer", "done")
    )
    return (
        f"photo to first picture / answer / end of preview  {name:<15} {picture_s:.2f} / {answer_s:.2f} / "
        f"{done_s:.2f} s   (target < 2 s for the first two, median of {TRIES})"
    )


@contextmanager
def _app(folder: str) -> Iterator[str]:
    """The app with its embedded model servers; its address."""
    port = free_port()
    environ = os.environ | {"PORT": str(port), "PIXELCOST_DATA_DIR": folder}
    with subprocess.Popen(
        [sys.executable, "-m", "webapp"],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            _wait_ready(f"http://127.0.0.1:{port}", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def _wait_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if requests.get(f"{url}/readyz", timeout=2).ok:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.5)
    raise CannotRun(f"The app was not ready within {START_LIMIT_S:.0f} s.")
