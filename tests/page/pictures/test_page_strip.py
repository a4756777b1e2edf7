"""The filmstrip, the stage and what pointers do to pictures, in a real browser on real runs."""

from __future__ import annotations

import re

import pytest
import requests
from playwright.sync_api import expect

from tests.support.processes.app_process import CAT
from tests.support.processes.browser import PATIENCE_MS, visiting

pytestmark = pytest.mark.browser

PLAN = '{"sizes_px": [256, 128, 64], "formats": ["jpeg", "png"], "repeats": 6, "warmups": 1}'
LONG = '{"sizes_px": [256, 128, 64], "formats": ["jpeg"], "repeats": 60, "warmups": 1}'
KEYS = "all => all.map(each => each.dataset.key)"
# What a reader sees of the strip from its first frame on, and how far anything in it moved by itself.
WATCH_STRIP = """
window.states = [];
window.elements = new Set();
window.moved = 0;
new MutationObserver(() => {
  const all = [...document.querySelectorAll(".frame")];
  all.forEach((each) => elements.add(each));
  const busy = !document.querySelector("progress.done");
  const answers = all.filter((each) => /[0-9] %/.test(each.querySelector(".frame-sure")?.textContent)).length;
  const now = { frames: all.length, pictures: document.querySelectorAll(".frame img").length, answers, busy };
  if (all.length && JSON.stringify(now) !== JSON.stringify(states.at(-1))) states.push(now);
}).observe(document, { subtree: true, childList: true, characterData: true });
new PerformanceObserver((list) => {
  for (const { sources, value } of list.getEntries()) { // what stands above may push the whole strip down
    const inStrip = sources.filter(({ node }) => node?.closest?.(".frames"));
    const isSeen = ({ previousRect, currentRect }) => previousRect.width && currentRect.width;
    if (inStrip.some((each) => isSeen(each) && each.previousRect.x !== each.currentRect.x)) moved += value;
  }
}).observe({ type: "layout-shift", buffered: true });
"""


@pytest.fixture(scope="module")
def searched(app):
    """Id of a finished run, whose breaking point was searched too; tests only look at it."""
    run_id = app.post_run(CAT.read_bytes(), PLAN).json()["id"]
    app.finished(run_id)
    begun = requests.post(f"{app.url}/api/runs/{run_id}/breaking-point", json={}, timeout=30).json()
    with requests.get(app.url + begun["events_url"], stream=True, timeout=120) as events:
        assert any(line == b"event: end" for line in events.iter_lines())
    return run_id


def strip_of(visit, run_id: str):
    """The page of a run, and its frames."""
    page = visit.open(f"/runs/{run_id}")
    page.locator(".frame img").first.wait_for()
    return page, page.locator(".frame")


def test_the_strip_shows_each_size_with_its_answer_and_says_where_that_changes(visit, app, searched):
    page, frames = strip_of(visit, searched)
    report = app.report(searched)
    best = report["recommendation"]
    shown = best["variant_id"].split("-", 1)[1]  # "jpeg-85"
    cells = {
        each["variant_id"]: each for each in report["cells"] if each["backend_name"] == best["backend_name"]
    }
    wanted = ["original", *(f"{size}-{shown}" for size in (256, 128, 64))]
    keys = frames.evaluate_all(KEYS)
    assert [key for key in keys if not key.startswith("step-")] == wanted
    kept = [cells[key]["same_top1"] for key in wanted[1:]]
    assert False in kept, "choose another photo: nothing breaks here"
    flips = page.locator(".frame.flips").first
    assert flips.get_attribute("data-kept") == "false"
    assert flips.locator(".frame-flip").inner_text() == "✕ answer changes here"
    assert "answer changes here" in flips.get_attribute("aria-label")
    top = cells["64-" + shown]["top"][0]
    said = page.locator(f"[data-key='64-{shown}']").get_attribute("aria-label")
    assert f"{top['label'].split(',')[0]} {top['score'] * 100:.0f} %" in said
    assert said.startswith("64 px ")
    picked = page.locator(".frame.picked")
    assert picked.get_attribute("data-key") == best["variant_id"]
    assert picked.locator(".frame-flip").inner_text() == "◉ recommended"
    assert page.locator(f"[data-key='64-{shown}'] img").evaluate(
        "img => [img.naturalWidth, img.className]"
    ) == [
        64,
        "",
    ]


def test_arrow_keys_walk_along_the_strip_and_enter_opens_the_inspector(visit, searched):
    page, frames = strip_of(visit, searched)
    keys = frames.evaluate_all(KEYS)
    assert page.locator(".frame[tabindex='0']").count() == 1
    page.locator(".frame[tabindex='0']").focus()
    second = page.locator("#stage select[data-pair=b]")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.key") == keys[1]
    assert page.locator(".frame[aria-selected='true']").evaluate_all(KEYS) == [keys[1]]
    assert second.input_value() == keys[1]
    page.keyboard.press("End")
    assert second.input_value() == keys[-1]
    page.keyboard.press("ArrowRight")
    assert second.input_value() == keys[-1]
    page.keyboard.press("Enter")
    page.get_by_role("dialog", name=re.compile("^64 px")).wait_for()
    page.keyboard.press("Escape")
    page.locator("dialog[open]").wait_for(state="detached")
    page.locator(f".frame[data-key='{keys[-1]}']:focus").wait_for()


def test_another_way_of_making_is_another_row_of_the_same_frames(visit, searched):
    page, frames = strip_of(visit, searched)
    page.select_option("#strip-making", "JPEG q85")
    jpeg = [key for key in frames.evaluate_all(KEYS) if not key.startswith("step-")]
    page.select_option("#strip-making", "PNG")
    png = [key for key in frames.evaluate_all(KEYS) if not key.startswith("step-")]
    assert jpeg == ["original", "256-jpeg-85", "128-jpeg-85", "64-jpeg-85"]
    assert png == ["original", "256-png", "128-png", "64-png"]


def test_while_a_run_goes_on_frames_fill_and_nothing_in_the_strip_moves(visit, app):
    visit.page.add_init_script(WATCH_STRIP)
    run_id = app.post_run(CAT.read_bytes(), LONG).json()["id"]
    page = visit.open(f"/runs/{run_id}")
    assert visit.wait_end() == "done"
    states = page.evaluate("states")
    assert {each["frames"] for each in states} == {4}
    assert [each["answers"] for each in states] == sorted(each["answers"] for each in states)
    assert any(each["busy"] and each["pictures"] == 4 for each in states)
    assert any(each["busy"] and each["answers"] for each in states)
    assert page.evaluate("elements.size") == 4
    assert page.evaluate("moved") < 0.05


def test_steps_of_a_search_join_the_strip_as_they_are_asked(visit, app):
    run_id = app.post_run(CAT.read_bytes(), PLAN.replace("64", "96")).json()["id"]
    app.finished(run_id)
    page, frames = strip_of(visit, run_id)
    asked = {"quality": 85, "kept": False, "label": "golf ball", "score": 0.2, "size_bytes": 900}
    steps = [{"backend_name": "1 CPU", "step": {**asked, "size_px": size_px}} for size_px in (48, 24)]
    before = frames.evaluate_all(KEYS)
    page.evaluate(
        """async (steps) => {
          const { base } = document.documentElement.dataset;
          const { state, update } = await import(`${base}/static/js/state.js`);
          for (const step of steps) update({ live: { ...state.live, steps: [...state.live.steps, step] } });
        }""",
        steps,
    )
    assert frames.evaluate_all(KEYS) == [*before, "step-48-85", "step-24-85"]
    assert "golf ball 20 %" in page.locator("[data-key=step-24-85]").get_attribute("aria-label")


def test_the_stage_compares_any_two_and_shows_what_the_model_sees_without_a_click(visit, app, searched):
    page, _ = strip_of(visit, searched)
    page.locator(".seen-pair canvas").wait_for()
    assert page.locator(".seen-pair img").evaluate_all("all => all.map(each => each.naturalWidth)") == [
        224,
        224,
    ]
    page.select_option("#stage select[data-pair=a]", "128-png")
    page.select_option("#stage select[data-pair=b]", "128-jpeg-85")
    sources = "all => all.map(each => each.getAttribute('src').split('/').pop())"
    images = page.locator("#stage .compare-picture img")
    assert images.evaluate_all(sources) == ["128-png", "128-jpeg-85"]
    page.locator("#stage .chip", has_text="Difference").click()
    page.locator("#stage .compare-controls").get_by_text("Mean difference").wait_for()
    page.locator("#stage .chip", has_text="Blink").click()
    page.locator("#stage").get_by_role("button", name="Start blinking").click()
    for which in ("before", "after"):
        page.locator(f"#stage .compare-picture[data-shows={which}]").wait_for()
    page.locator("#stage").get_by_role("button", name="Stop blinking").click()
    assert page.locator("#stage .compare-picture").get_attribute("data-shows") == "after"


def scale(page) -> float:
    """Shown pixels for each pixel of the picture in the inspector."""
    return page.locator("#drawer .compare-picture").evaluate("each => each.clientWidth") / 451


def test_in_the_inspector_two_formats_of_one_size_are_compared_and_the_address_keeps_it(visit, searched):
    page = visit.open(f"/runs/{searched}?sel=128-jpeg-85")
    page.locator("#drawer .compare[data-loaded]").wait_for()
    page.select_option("#drawer select[data-pair=a]", "128-png")
    assert page.evaluate("document.activeElement.dataset.pair") == "b"
    expect(page.locator("#drawer .compare-tags")).to_contain_text("128 px PNG")
    visit.reload()
    page.locator("#drawer .compare[data-loaded]").wait_for()
    assert page.locator("#drawer select").evaluate_all("all => all.map(each => each.value)")[:2] == [
        "128-png",
        "128-jpeg-85",
    ]
    places = "all => all.map(each => JSON.stringify(each.getBoundingClientRect()))"
    buttons = page.locator("#drawer [data-step]")
    before = buttons.evaluate_all(places)
    page.locator("#drawer [data-step=next]").click()
    page.get_by_role("dialog", name="128 px PNG").wait_for()
    assert buttons.evaluate_all(places) == before
    page.keyboard.press("Escape")
    page.locator("dialog[open]").wait_for(state="detached")
    assert "?" not in page.url


def test_the_wheel_zooms_where_it_is_asked_to_and_a_drag_moves_the_picture(visit, searched):
    page = visit.open(f"/runs/{searched}?sel=64-jpeg-85")
    page.locator("#drawer .compare[data-loaded]").wait_for()
    frame = page.locator("#drawer .compare-frame")
    frame.scroll_into_view_if_needed()
    fitted = scale(page)
    box = frame.bounding_box()
    x, y = box["x"] + box["width"] / 4, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.wheel(0, -100)  # nobody clicked: the panel scrolls
    page.wait_for_timeout(100)
    assert scale(page) == fitted
    page.keyboard.down("Control")
    for _ in range(6):
        page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    visit.wait_until(f"document.querySelector('#drawer .compare-picture').clientWidth > {2 * fitted * 451}")
    split = page.locator("#drawer input.split").input_value()
    left = frame.evaluate("each => each.scrollLeft")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 60, y, steps=3)
    page.mouse.up()
    assert frame.evaluate("each => each.scrollLeft") == left + 60
    assert page.locator("#drawer input.split").input_value() == split
    line = page.locator("#drawer .split-line").bounding_box()
    page.mouse.move(line["x"] + 1, y)
    page.mouse.down()
    page.mouse.move(line["x"] + 81, y, steps=3)
    page.mouse.up()
    assert int(page.locator("#drawer input.split").input_value()) > int(split)
    page.keyboard.press("0")
    assert scale(page) == fitted


def test_two_fingers_zoom_the_picture_and_not_the_page(browser, app, searched):
    with visiting(browser, app.url, viewport={"width": 390, "height": 844}, has_touch=True) as visit:
        page = visit.open(f"/runs/{searched}?sel=64-jpeg-85")
        page.locator("#drawer .compare[data-loaded]").wait_for()
        page.locator("#drawer .compare-frame").scroll_into_view_if_needed()
        fitted = scale(page)
        box = page.locator("#drawer .compare-frame").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        touch = visit.context.new_cdp_session(page)

        def fingers(kind: str, apart: float) -> None:
            points = [{"x": x - apart, "y": y, "id": 0}, {"x": x + apart, "y": y, "id": 1}]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points if apart else []})

        fingers("touchStart", 20)
        for apart in (30, 45, 60):
            fingers("touchMove", apart)
        fingers("touchEnd", 0)
        visit.wait_until(
            f"document.querySelector('#drawer .compare-picture').clientWidth >= {2.5 * fitted * 451}"
        )
        assert page.evaluate("visualViewport.scale") == 1
        assert page.locator("#drawer").evaluate("each => each.scrollWidth") <= 390


@pytest.mark.parametrize("width", [1280, 390, 320])
def test_stage_and_strip_keep_to_their_room(browser, app, searched, width):
    with visiting(browser, app.url, viewport={"width": width, "height": 800}) as visit:
        page, _ = strip_of(visit, searched)
        page.locator("#stage .compare[data-loaded]").wait_for(timeout=PATIENCE_MS)
        heights = page.locator("#stage, #strip").evaluate_all("all => all.map(each => each.offsetHeight)")
        assert heights[0] <= {1280: 380, 390: 220, 320: 170}[width]
        assert heights[1] <= 170
        within = "all => all.every(each => each.getBoundingClientRect().right <= innerWidth)"
        assert page.locator("#stage, #strip, #stage .compare-frame, .frames").evaluate_all(within)
        picture = page.locator("#stage .compare-picture").bounding_box()
        assert picture["height"] >= 60


def test_an_imported_report_shows_its_small_pictures_in_strip_stage_and_inspector(visit, app, searched):
    exported = requests.get(f"{app.url}/api/runs/{searched}.json", timeout=30).content
    imported = requests.post(
        f"{app.url}/api/runs/import", files={"file": ("run.json", exported)}, timeout=60
    ).json()
    page, frames = strip_of(visit, imported["id"])
    assert page.locator(".frame img").count() == frames.count()
    assert page.locator("#stage").get_by_text("Small pictures from the report.").is_visible()
    page.locator("#stage .compare[data-loaded]").wait_for()
    page.select_option("#stage select[data-pair=b]", "64-jpeg-85")
    page.locator("#row-64-jpeg-85 .row-button").click()
    page.locator("#drawer .compare[data-loaded]").wait_for()
    sources = page.locator("#drawer .compare-picture img").evaluate_all("all => all.map(each => each.src)")
    assert all(f"/api/runs/{imported['id']}/thumbs/" in source for source in sources)
    assert page.locator("#drawer .seen, #drawer .copy-as").count() == 0
    assert page.locator(".seen-pair:visible").count() == 0
