"""A quality tried in the browser before anything is sent, and photos that only the browser decodes."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect
from skimage.metrics import structural_similarity

from tests.support.odd_photos import encoded, photo
from tests.support.processes.app_process import ROOT
from tests.support.processes.axe import violations
from tests.support.processes.browser import Visit, node

PATIENCE_MS = 30_000
RESULT = re.compile(
    r"^q(\d+): ([\d.]+) (K?B) \(of 241 KB\), SSIM (\d\.\d{3}) against the lossless copy of this size$"
)

COMPARE = """
import { readFileSync } from "node:fs";
import { lumaOf, ssim } from "./static/js/browser_resize/ssim.js";
const { pairs } = JSON.parse(readFileSync(0, "utf8"));
const luma = (text) => lumaOf(Uint8ClampedArray.from(Buffer.from(text, "base64")));
console.log(JSON.stringify(pairs.map(([a, b, width, height]) => ssim(luma(a), luma(b), width, height))));
"""


def luma(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB"), np.float64) @ [0.299, 0.587, 0.114]


def test_ssim_is_that_of_scikit_image_with_the_window_and_constants_of_wang_and_others():
    first = photo(90, 61)
    others = [first, photo(90, 61, seed=2), first.rotate(180), Image.new("RGB", first.size, (90, 90, 90))]
    others += [Image.open(_file(encoded(first, "JPEG", quality=quality))) for quality in (90, 40, 5)]
    sides = [
        [base64.b64encode(each.convert("RGBA").tobytes()).decode() for each in (first, other)]
        for other in others
    ]
    pairs = [[*pair, *first.size] for pair in sides]
    command = [node(), "--input-type=module", "--eval", COMPARE]
    done = subprocess.run(
        command,
        input=json.dumps({"pairs": pairs}),
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=True,
    )
    wanted = [
        structural_similarity(
            luma(first),
            luma(other),
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for other in others
    ]
    assert json.loads(done.stdout) == pytest.approx(wanted, abs=1e-4)
    assert wanted[0] == 1 and min(wanted) < 0.3, "the pictures differ enough to tell"


def _file(data: bytes) -> io.BytesIO:
    return io.BytesIO(data)


WATCHED = """
window.asked = [];
window.answers = [];
const Real = Worker;
window.Worker = class extends Real {
  constructor(...options) {
    super(...options);
    this.addEventListener("message", ({ data }) => window.answers.push(data));
  }
  postMessage(message) {
    if (message.quality) window.asked.push(message.quality);
    super.postMessage(message);
  }
};
"""


def open_preview(visit: Visit):
    visit.page.add_init_script(WATCHED)
    page = visit.open("/?sample=cat&sizes=256,64&fmt=png")
    page.locator("#photo-image[src]").wait_for()
    visit.page.click("#edit-plan")
    page.get_by_text("Try a quality on this photo").click()
    return page


@pytest.mark.browser
def test_bytes_and_likeness_of_a_quality_are_shown_before_anything_is_sent(visit: Visit):
    sent: list[str] = []
    visit.page.on("request", lambda request: sent.append(request.method) if request.method != "GET" else None)
    page = open_preview(visit)
    result, slider = page.locator("#quality-result"), page.get_by_label("Quality 80")
    expect(result).to_have_text(RESULT, timeout=PATIENCE_MS)
    slider.focus()
    page.keyboard.press("Home")  # quality 1
    expect(result).to_have_text(re.compile("^q1:"), timeout=PATIENCE_MS)
    least = RESULT.match(result.inner_text())
    page.keyboard.press("End")
    expect(result).to_have_text(re.compile("^q100:"), timeout=PATIENCE_MS)
    most = RESULT.match(result.inner_text())
    assert least and most
    assert float(least[4]) < 0.8
    assert 0.97 < float(most[4]) <= 1
    size_bytes = page.evaluate("window.answers.findLast(({ quality }) => quality === 100).size_bytes")
    kilobytes = float(most[2])
    assert abs(size_bytes / 1000 - kilobytes) <= 0.5 and most[3] == "KB"
    page.get_by_label("WebP", exact=True).last.check()
    page.locator("#quality-size").select_option("64")
    expect(page.locator(".quality-pictures img").first).to_have_js_property(
        "naturalWidth", 64, timeout=PATIENCE_MS
    )
    expect(page.locator(".quality-pictures img").last).to_have_js_property(
        "naturalWidth", 64, timeout=PATIENCE_MS
    )
    assert violations(page) == []
    page.get_by_role("button", name="Add q100 to the plan").click()
    expect(page.get_by_role("button", name="q100 is in the plan")).to_be_disabled()
    assert page.locator("#webp-qualities input[value='100']").is_checked()
    assert page.locator("#formats input[value='webp']").is_checked()
    assert "POST" not in sent


@pytest.mark.browser
def test_the_newest_choice_is_computed_one_attempt_at_a_time_and_nothing_when_nobody_looks(visit: Visit):
    page = open_preview(visit)
    expect(page.locator("#quality-result")).to_have_text(RESULT, timeout=PATIENCE_MS)
    page.evaluate(
        """() => {
          const slider = document.getElementById("quality-slider");
          for (let quality = 20; quality <= 60; quality += 1) {
            slider.value = quality;
            slider.dispatchEvent(new Event("input", { bubbles: true }));
          }
        }"""
    )
    expect(page.locator("#quality-result")).to_have_text(re.compile("^q60:"), timeout=PATIENCE_MS)
    assert page.evaluate("window.asked") == [80, 20, 60]
    page.keyboard.press("Escape")
    expect(page.locator("#plan-drawer")).to_be_hidden()
    expect(page.locator("#quality-result")).to_have_text("", timeout=PATIENCE_MS)
