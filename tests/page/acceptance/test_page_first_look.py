"""What one sees who drops a photo: pictures and answers at once, the result in the window in every state."""

from __future__ import annotations

import io
import json

import pytest
import requests

from bench.page.first_look import SEEN, WATCH
from bench.support.photo import ten_megapixels
from tests.support.odd_photos import encoded, photo
from tests.support.processes.app_process import CAT
from tests.support.processes.axe import violations

pytestmark = pytest.mark.browser

WINDOWS = ((1280, 800), (390, 844), (320, 640))
VERDICT = ("#recommendation-title", "#stage")
NUMBERS = (*VERDICT, "#figures li")
HIDDEN = """
(selectors) => selectors.flatMap((selector) => {
  const found = [...document.querySelectorAll(selector)];
  const isIn = ({ top, bottom, height }) => height > 0 && top >= 0 && bottom <= innerHeight;
  const out = found.filter((each) => !isIn(each.getBoundingClientRect()));
  return found.length ? out.map(() => selector) : [`no ${selector}`];
})
"""
SIDEWAYS = "document.documentElement.scrollWidth - innerWidth"


def assert_in_sight(page, *selectors: str) -> None:
    """In each window without scrolling, and never wider than it; axe finds nothing on the phone's."""
    for width, height in WINDOWS:
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(100)
        page.evaluate("scrollTo(0, 0)")
        assert page.evaluate(SIDEWAYS) <= 0, f"{width} px"
        assert page.evaluate(HIDDEN, list(selectors)) == [], f"{width} px"
    page.set_viewport_size({"width": 390, "height": 844})
    assert violations(page) == []


def never_by_itself(page) -> None:
    """As somebody who has switched off the full measurement after a preview."""
    page.add_init_script("localStorage.setItem('pixelcost.auto-full', 'false')")


@pytest.mark.parametrize("size", ["sample", "ten megapixels"])
def test_a_chosen_photo_shows_a_picture_and_an_answer_before_its_preview_ends(visit, size):
    never_by_itself(visit.page)
    visit.page.add_init_script(WATCH)
    page = visit.open()
    data = CAT.read_bytes() if size == "sample" else ten_megapixels()
    page.set_input_files("#file", {"name": "cat.jpg", "mimeType": "image/jpeg", "buffer": data})
    assert visit.wait_end() == "done"
    seen = page.evaluate(SEEN)
    assert seen["chosen"] < seen["picture"] < seen["done"]
    assert seen["chosen"] < seen["answer"] < seen["done"]
    assert page.locator("#run").inner_text().startswith("Measure fully")
    assert_in_sight(page, *NUMBERS)


def test_what_a_preview_lacks_is_measured_by_itself_as_part_of_the_same_run(visit, app):
    page = visit.open("/?sizes=64&fmt=jpeg&repeat=8")
    page.set_input_files("#file", CAT)
    assert visit.wait_end() == "done"
    visit.wait_until("/^Run /.test(document.querySelector('#run').innerText)")
    report = app.report(visit.run_id())
    assert report["plan"]["repeats"] == 8
    assert [addition["repeats"] for addition in report["additions"]] == [2]
    assert {cell["count"] for cell in report["cells"] if cell["count"]} == {8}


def test_another_photo_takes_the_place_of_a_preview_under_way(visit, app):
    page = visit.open("/?sizes=64,32&fmt=jpeg,png&repeat=400")
    page.set_input_files("#file", CAT)
    page.locator("#follow-up-stop:enabled").wait_for()  # the full measurement, which takes a while
    first = visit.run_id()
    other = {"name": "other.png", "mimeType": "image/png", "buffer": encoded(photo(120, 80), "PNG")}
    page.set_input_files("#file", other)
    visit.wait_until(f"location.pathname.startsWith('/runs/') && !location.pathname.endsWith('{first}')")
    assert page.locator("#photo-name").inner_text() == "other.png"
    page.locator("#follow-up-stop:enabled").wait_for()
    page.click("#run")  # Stop
    visit.wait_until("!document.querySelector('#follow-up-stop')")
    told = requests.get(f"{app.url}/api/runs/{first}/follow-ups", timeout=30).json()["follow_ups"]
    assert [each["state"] for each in told] == ["cancelled"]


def test_nothing_starts_by_itself_where_that_is_switched_off(visit):
    page = visit.open()
    started: list[str] = []
    page.on("request", lambda sent: sent.method == "POST" and started.append(sent.url))
    visit.open_plan()
    page.get_by_label("Start a preview when a photo is chosen").uncheck()
    visit.close_plan()
    visit.reload()
    page.set_input_files("#file", CAT)
    page.locator("#photo-name", has_text="cat.png").wait_for()
    page.wait_for_timeout(300)
    assert (started, page.locator("#run").inner_text()[:4]) == ([], "Run ")


def test_a_run_under_way_and_its_end_are_in_the_window(visit):
    page = visit.open("/?sample=cat&sizes=128,64&fmt=jpeg&repeat=500")
    page.locator("#photo-image[src]").wait_for()
    page.click("#run")
    page.locator("#figures li").first.wait_for()
    assert_in_sight(page, *VERDICT, "#run", "#progress-text")
    page.set_viewport_size({"width": 1280, "height": 800})
    page.click("#run")
    assert visit.wait_end() == "cancelled"
    assert_in_sight(page, *NUMBERS)


def test_a_photo_that_fails_says_so_in_the_window(visit):
    page = visit.open()
    broken = {"name": "cut.png", "mimeType": "image/png", "buffer": CAT.read_bytes()[:-2000]}
    page.set_input_files("#file", broken)
    page.locator("#run-notice .notice").wait_for()
    assert_in_sight(page, "#run-notice .notice", "#run")


def test_the_result_of_a_set_and_of_an_import_is_in_the_window(visit, app):
    images = [("file", (f"{n}.png", encoded(photo(90 + n, 70), "PNG"))) for n in range(3)]
    plan = {"plan": json.dumps({"sizes_px": [64], "formats": ["jpeg"], "repeats": 1})}
    sent = requests.post(f"{app.url}/api/runs?photos=many", files=images, data=plan, timeout=60).json()
    assert app.finished(sent["id"])["state"] == "done"
    page = visit.open(f"/runs/{sent['id']}")
    visit.wait_end()
    assert_in_sight(page, "#recommendation-title")
    alone = app.post_run(CAT.read_bytes(), '{"sizes_px": [64], "repeats": 6}').json()["id"]
    app.finished(alone)
    exported = requests.get(f"{app.url}/api/runs/{alone}.json", timeout=60).content
    files = {"file": ("report.json", io.BytesIO(exported), "application/json")}
    imported = requests.post(f"{app.url}/api/runs/import", files=files, timeout=60).json()
    page = visit.open(f"/runs/{imported['id']}")
    visit.wait_end()
    assert_in_sight(page, *NUMBERS)


def test_the_empty_page_shows_the_sample_run_under_the_drop_zone(visit):
    page = visit.open()
    page.locator("#figures li").first.wait_for()
    page.locator("#frames .frame img").first.wait_for()
    assert "sample" in page.locator("#recommendation .eyebrow").inner_text().lower()
    for width, height in WINDOWS:
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate(SIDEWAYS) <= 0, f"{width} px"
        assert page.evaluate(HIDDEN, ["#choose"]) == []
    assert violations(page) == []


def test_a_link_that_asks_for_what_this_version_does_not_know_says_what_is_left_out(visit):
    page = visit.open("/?sample=cat&sizes=64,9&fmt=jpeg,jxl&q=85,900")
    words = page.locator("#notice .notice").inner_text()
    assert "size 9, format jxl, JPEG quality 900" in words
    visit.open_plan()
    boxes = page.locator("#formats input:checked, #sizes input:checked, #jpeg-qualities input:checked")
    assert boxes.evaluate_all("all => all.map(each => each.value)") == ["64", "jpeg", "85"]


def test_presets_set_the_plan_and_a_saved_plan_comes_back_by_name_and_by_link(visit):
    page = visit.open("/?sample=cat")
    visit.open_plan()
    page.get_by_role("button", name="Compression sweep").click()
    ticked = "all => all.map(each => each.value)"
    assert page.locator("#jpeg-qualities input:checked").evaluate_all(ticked) == [
        "95",
        "85",
        "70",
        "50",
        "30",
    ]
    page.get_by_label("Save as").fill("ours")
    page.get_by_label("Save as").press("Enter")
    page.get_by_role("button", name="Default").click()
    assert page.locator("#jpeg-qualities input:checked").evaluate_all(ticked) == ["85"]
    visit.reload()
    visit.open_plan()
    page.get_by_role("button", name="ours", exact=True).click()
    assert page.locator("#jpeg-qualities input:checked").evaluate_all(ticked) == [
        "95",
        "85",
        "70",
        "50",
        "30",
    ]
    page.get_by_role("button", name="Remove the plan ours").click()
    assert page.get_by_role("button", name="ours", exact=True).count() == 0
