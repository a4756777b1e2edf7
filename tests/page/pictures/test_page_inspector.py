"""The inspector in a real browser: by keyboard alone, on narrow screens, and where something is missing."""

from __future__ import annotations

import pytest
import requests

from tests.support.processes.app_process import CAT
from tests.support.processes.browser import visiting
from tests.support.processes.web_process import web_process
from tests.support.processes.webapp_parts import NOWHERE
from webapp.worker.process import WORKER_COMMAND

pytestmark = pytest.mark.browser

PLAN = '{"sizes_px": [64, 32], "formats": ["jpeg"], "repeats": 6, "warmups": 2}'
OPEN = "/runs/{}?sel=64-jpeg-85"
COLOURS = """canvas => { // largest level of any colour of any pixel
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let largest = 0;
  for (let at = 0; at < data.length; at += 1) if (at % 4 < 3) largest = Math.max(largest, data[at]);
  return largest;
}"""
SAME_PICTURE = """async (image) => { // its difference from itself
  const { base } = document.documentElement.dataset;
  const { drawDifference } = await import(`${base}/static/js/pictures/difference_canvas.js`);
  const canvas = document.createElement("canvas");
  const size = { width: image.naturalWidth, height: image.naturalHeight };
  const words = drawDifference(canvas, image, image, size);
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return [words, data.every((level, at) => level === (at % 4 === 3 ? 255 : 0)), canvas.width];
}"""
# As on plain http, where there is no clipboard; `copied` is what went to it in the old way.
WITHOUT_CLIPBOARD = """
Object.defineProperty(navigator, "clipboard", { value: undefined });
addEventListener("copy", () => { window.copied = document.activeElement.value; });
"""


@pytest.fixture(scope="module")
def stored(app):
    """Id of a finished run that tests only look at."""
    run_id = app.post_run(CAT.read_bytes(), PLAN).json()["id"]
    app.finished(run_id)
    return run_id


def opened(visit, path):
    """The page with its inspector open and all pictures there."""
    page = visit.open(path)
    page.locator("#drawer .compare[data-loaded]").wait_for()
    return page


def tab_to(page, selector: str) -> None:
    """Press Tab until the element has the focus; fails when it can't be reached so."""
    for _ in range(120):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not lead to {selector}")


def test_a_variant_is_inspected_with_the_keyboard_alone(browser, app, stored):
    with visiting(browser, app.url) as visit:
        visit.context.add_init_script(WITHOUT_CLIPBOARD)
        page = visit.open(f"/runs/{stored}")
        page.locator(".plot .main-svg").first.wait_for()
        tab_to(page, "#row-64-jpeg-85 .row-button")
        page.keyboard.press("Enter")
        page.get_by_role("dialog", name="64 px JPEG").wait_for()
        page.locator("#drawer .compare[data-loaded]").wait_for()
        slide(page)
        blink(page)
        compare(page)
        zoom(page)
        see(page)
        copy(page, app, stored)
        go_on_and_close(page)


def slide(page):
    tab_to(page, "#drawer input.split")
    slider = page.locator("#drawer input.split")
    for key, value in (("ArrowRight", "51"), ("PageUp", "61"), ("PageDown", "51"), ("ArrowLeft", "50")):
        page.keyboard.press(key)
        assert slider.input_value() == value
    clip = "getComputedStyle(document.querySelector('#drawer .compare-picture img + img')).clipPath"
    page.keyboard.press("Home")
    assert slider.get_attribute("aria-valuetext") == "0 % the original, 100 % 64 px JPEG"
    assert "100%" not in page.evaluate(clip)
    page.keyboard.press("End")
    assert "100%" in page.evaluate(clip)  # cut off from the left: the original stands there
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.innerText") == "Half"
    assert slider.input_value() == "50"


def blink(page):
    tab_backwards_to(page, "input[name=compare-look]")
    page.keyboard.press("ArrowRight")
    assert "look=blink" in page.url
    picture = page.locator("#drawer .compare-picture")
    tab_to(page, "#drawer .compare-frame")
    page.keyboard.down(" ")
    assert picture.get_attribute("data-shows") == "before"
    assert page.locator("#drawer .compare-tags").inner_text() == "Original (451 px PNG) 451 × 300 px, 235 KB"
    page.keyboard.up(" ")
    assert picture.get_attribute("data-shows") == "after"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    for which in ("before", "after", "before"):
        page.locator(f"#drawer .compare-picture[data-shows={which}]").wait_for()
    page.keyboard.press("Enter")
    assert picture.get_attribute("data-shows") == "after"


def compare(page):
    tab_backwards_to(page, "input[name=compare-look]")
    page.keyboard.press("ArrowRight")
    page.locator("#drawer .compare-controls").get_by_text("Mean difference").wait_for()
    assert page.locator("#drawer canvas.difference").evaluate(COLOURS) > 50
    words, black, width = page.locator("#drawer .compare-picture img").first.evaluate(SAME_PICTURE)
    assert black and width == 451
    assert words.startswith("No difference: every pixel is the same.")


def tab_backwards_to(page, selector: str) -> None:
    for _ in range(30):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Shift+Tab")
    raise AssertionError(f"Shift+Tab does not lead to {selector}")


def zoom(page):
    tab_to(page, "input[name=compare-zoom]")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert "zoom=200" in page.url
    shown = page.locator("#drawer .compare-picture > *")
    sizes = shown.evaluate_all("all => all.map(each => each.clientWidth)")
    assert sizes[:2] == [902, 902]  # both sides locked to the original's pixels
    assert page.locator("#drawer .compare-picture img:visible").evaluate_all(
        "all => all.map(each => getComputedStyle(each).imageRendering)"
    ) == ["pixelated", "pixelated"]


def see(page):
    tab_to(page, ".seen button")
    name = page.evaluate("document.activeElement.innerText").removeprefix("Show for ")
    page.keyboard.press("Enter")
    page.locator(".seen canvas").wait_for()
    assert f"Seen by {name}: 224 × 224. Values as the model gets them" in page.locator(".seen").inner_text()
    assert page.locator(".seen img").evaluate_all("all => all.map(each => each.naturalWidth)") == [224, 224]
    assert page.locator(".seen canvas").evaluate(COLOURS) > 50


def copy(page, app, run_id):
    tab_to(page, "button[aria-label^='Copy as curl']")
    backend = page.evaluate("document.activeElement.ariaLabel").removeprefix("Copy as curl for ")
    page.keyboard.press("Enter")
    page.get_by_text("Copied.", exact=True).wait_for()
    wanted = {"variant": "64-jpeg-85", "backend": backend}
    made = requests.get(f"{app.url}/api/runs/{run_id}/copy/curl", params=wanted, timeout=30).text
    assert page.evaluate("window.copied") == made
    assert page.locator(".copied pre").inner_text().strip() == made.strip()
    assert page.evaluate("document.activeElement.ariaLabel").startswith("Copy as curl")


def go_on_and_close(page):
    tab_backwards_to(page, "#drawer-close")
    tab_to(page, "[data-step=next]")
    page.keyboard.press("Enter")
    page.get_by_role("dialog", name="32 px JPEG").wait_for()
    assert page.evaluate("document.activeElement.closest('dialog').id") == "drawer"
    assert "sel=32-jpeg-85" in page.url
    assert "look=difference" in page.url
    page.keyboard.press("Escape")
    page.locator("dialog[open]").wait_for(state="detached")
    page.locator("#row-32-jpeg-85 :focus").wait_for()  # the browser first gives it back to the row before
    assert "?" not in page.url


def test_figures_bars_and_bytes_of_a_variant(visit, app, stored):
    page = opened(visit, OPEN.format(stored))
    page.locator(".figure-card.strip .main-svg").first.wait_for()
    report = app.report(stored)
    there = [each["name"] for each in report["backends"] if each["state"] != "absent"]
    assert page.locator(".figure-card.strip").count() == len(there)
    captions = page.locator(".figure-card.strip figcaption p").all_inner_texts()
    assert all(each.startswith("6 samples, ") for each in captions)
    cells = {each["variant_id"]: each for each in report["cells"] if each["backend_name"] == there[0]}
    labels = {each["label"] for name in ("original", "64-jpeg-85") for each in cells[name]["top"]}
    card = page.locator(".cell-card").first
    assert card.locator(".answers li").count() == len(labels)
    assert card.locator(".bar .bar-ghost").count() == 5
    card.get_by_text("Show as table").click()
    assert card.locator(".plot-table tbody tr").count() == 2 + 6  # warm-ups and samples
    with page.expect_download() as download:
        card.get_by_text("CSV", exact=True).click()
    rows = download.value.path().read_bytes().decode().splitlines()
    assert rows[0] == 'Request,"Latency, ms",Counts,Outlier'
    assert len(rows) == 1 + 2 + 6


def test_the_original_has_nothing_to_be_compared_with(visit, stored):
    page = opened(visit, f"/runs/{stored}?sel=original")
    assert page.locator("input[name=compare-look]").count() == 0
    assert page.locator("input[name=compare-zoom]").count() == 4
    assert page.locator("#drawer .compare-picture img:visible").count() == 1
    assert page.locator(".bar-ghost").count() == 0


@pytest.mark.parametrize("width", [320, 390])
def test_on_a_narrow_screen_nothing_scrolls_sideways_and_every_target_is_large_enough(
    browser, app, stored, width
):
    with visiting(browser, app.url, viewport={"width": width, "height": 800}) as visit:
        page = opened(visit, OPEN.format(stored) + "&zoom=200")
        page.locator(".figure-card.strip .main-svg").first.wait_for()
        assert page.evaluate("document.querySelector('#drawer').scrollWidth") <= width
        small = page.locator("#drawer :is(button, a, summary, label.chip, input.split)").evaluate_all(
            """all => all.map(each => [each.innerText, each.getBoundingClientRect()])
              .filter(([, box]) => box.width && (box.width < 24 || box.height < 24))
              .map(([words]) => words)"""
        )
        assert small == []


def test_with_less_motion_nothing_blinks_by_itself(browser, app, stored):
    with visiting(browser, app.url, reduced_motion="reduce") as visit:
        page = opened(visit, OPEN.format(stored) + "&look=blink")
        assert page.get_by_role("button", name="Start blinking").is_disabled()
        assert "asks for less motion" in page.locator("#drawer .compare-controls").inner_text()
        page.get_by_role("button", name="Hold to see the original").focus()
        page.keyboard.down(" ")
        assert page.locator("#drawer .compare-picture").get_attribute("data-shows") == "before"
        page.keyboard.up(" ")
        assert page.locator("#drawer .compare-picture").get_attribute("data-shows") == "after"


def test_a_browser_that_changes_what_is_read_from_a_canvas_is_told_of_it(browser, app, stored):
    with visiting(browser, app.url) as visit:
        visit.context.add_init_script(
            """const plain = CanvasRenderingContext2D.prototype.getImageData;
            CanvasRenderingContext2D.prototype.getImageData = function (...box) {
              const found = plain.apply(this, box);
              found.data[0] ^= 1;
              return found;
            };"""
        )
        page = opened(visit, OPEN.format(stored) + "&look=difference")
        page.get_by_text("This browser changes pixels that a page reads").wait_for()


def test_while_a_run_goes_on_the_inspector_shows_what_there_is_and_asks_nobody(visit):
    page = visit.open("/?sample=cat&sizes=64,32&fmt=jpeg&repeat=400")
    page.locator("#photo-image[src]").wait_for()
    page.click("#run")
    page.locator("#row-64-jpeg-85 .row-button").click()
    page.locator("#drawer .compare[data-loaded]").wait_for()
    page.get_by_text("Measured so far:").first.wait_for()
    page.locator(".seen button").first.click()
    page.get_by_text("A run is in progress. A request now would disturb").wait_for()
    page.keyboard.press("Escape")
    page.locator("dialog[open]").wait_for(state="detached")
    page.click("#run")
    assert visit.wait_end() == "cancelled"


def test_a_run_that_was_removed_meanwhile_is_said_to_be_gone(visit, app):
    run_id = app.post_run(CAT.read_bytes(), PLAN).json()["id"]
    app.finished(run_id)
    page = visit.open(f"/runs/{run_id}")
    requests.delete(f"{app.url}/api/runs/{run_id}", timeout=30)
    page.locator("#row-64-jpeg-85 .row-button").click()
    page.get_by_text("The pictures of this variant are gone. Run ").wait_for()
    page.get_by_text("The plots can't be drawn. Run ").wait_for()


def test_a_cell_with_failures_only_says_why_and_can_still_be_copied(browser, tmp_path):
    servers = {"TF_SERVERS": f"Gone:{NOWHERE}"}
    with (
        web_process(tmp_path, worker_command=WORKER_COMMAND, **servers) as web,
        visiting(browser, web.url) as visit,
    ):
        run_id = web.post("cat.png", PLAN, CAT.read_bytes()).json()["id"]
        web.finished(run_id)
        page = opened(visit, OPEN.format(run_id))
        card = page.locator("section[aria-label=Gone]")
        card.get_by_text("No samples: 6 requests not sent.").wait_for()
        assert "Not sent: Gone had stopped answering." in card.inner_text()
        assert "Use at least 6 repeats" not in card.inner_text()
        page.get_by_role("button", name="Show for Gone").click()
        page.get_by_text("The backend did not return the model's input.").wait_for()
        card.get_by_role("button", name="Copy as locust for Gone").click()
        assert "import grpc" in card.locator("pre").inner_text()
