"""A finished run is measured further on the page, in a real browser with real servers."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
import skimage
from playwright.sync_api import expect

from loadtest.cross_check.stub import running_stub
from tests.support.photo_sets import colour_server, photo
from tests.support.processes.app_process import running_app
from tests.support.processes.browser import PATIENCE_MS, SMALL, Visit, visiting

pytestmark = pytest.mark.browser

# An espresso by 95 %, whose answer changes with the size; the sample cat is a close call at any size.
COFFEE = Path(skimage.__file__).parent / "data" / "coffee.png"


def test_the_breaking_point_is_found_stays_after_a_reload_and_is_in_the_export(visit: Visit, app):
    page = visit.open("/?sizes=64,32&fmt=jpeg&repeat=6")
    page.set_input_files("#file", COFFEE)
    page.locator("#photo-image[src]").wait_for()
    page.click("#run")
    visit.wait_end()
    page.locator("#follow-up-search").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#follow-up-stop, .breaking li").first).to_be_visible(timeout=PATIENCE_MS)
    told = page.locator(".breaking li > p")
    expect(told.first).to_contain_text("down to", timeout=PATIENCE_MS)
    report = app.report(visit.run_id())
    words = [f"{each['backend_name']}: {each['sentence']}" for each in report["breaking_points"]]
    shown = told.all_inner_texts()
    assert words
    assert all(text.startswith(said) for text, said in zip(shown, words, strict=True))
    visit.wait_until("document.activeElement.id.startsWith('follow-up-')")  # it was not lost on the way
    visit.reload()
    expect(told).to_have_count(len(words), timeout=PATIENCE_MS)
    assert told.all_inner_texts() == shown
    page.locator(".breaking summary").first.click()
    rows = page.locator(".breaking li").first.locator("tbody tr")
    assert rows.count() == len(report["breaking_points"][0]["steps"])


def test_missing_repeats_are_added_can_be_stopped_and_survive_a_reload(visit: Visit, app):
    page = visit.open("/?sample=cat&sizes=64&fmt=jpeg&repeat=6")
    page.locator("#photo-image[src]").wait_for()
    page.click("#run")
    visit.wait_end()
    add = page.locator("#follow-up-repeats")
    expect(add).to_have_text(re.compile(r"Measure p90 \((58|59|6.) more repeats\)"), timeout=PATIENCE_MS)
    add.click()
    begun = page.locator("#follow-up-stop:enabled, #follow-ups:not(:has(#follow-up-repeats))")
    expect(begun.first).to_be_visible(timeout=PATIENCE_MS)
    visit.reload()  # it goes on without the page, and the page finds it again, or its end
    found = page.locator("#follow-up-stop, #follow-up-search:enabled")
    expect(found.first).to_be_visible(timeout=PATIENCE_MS)
    visit.wait_until("!document.querySelector('#follow-up-stop')")
    cells = [cell for cell in app.report(visit.run_id())["cells"] if cell["count"]]
    assert all(cell["count"] >= 64 for cell in cells)
    assert (add.count() == 0) == all(cell["p90_ms"] for cell in cells)  # else some were set apart
    page.locator("#row-64-jpeg-85 button").click()
    expect(page.locator("#drawer-body")).to_contain_text("p50", timeout=PATIENCE_MS)


def test_cells_that_failed_are_measured_again_with_more_time(browser, tmp_path):
    slow = [True]

    def guess(colour: str, side_px: int, number: int) -> str:
        if slow[0] and side_px == 32:
            time.sleep(4)
        return colour

    with (
        colour_server(guess) as address,
        running_app(tmp_path, TF_SERVERS=f"eye:{address}", TF_REQUEST_TIMEOUT="2") as app,
        visiting(browser, app.url) as visit,
    ):
        page = visit.open("/?sizes=32&fmt=png&repeat=1")
        red = {"name": "red.jpg", "mimeType": "image/jpeg", "buffer": photo("red", 1, 200)}
        page.set_input_files("#file", red)
        page.locator("#photo-image[src]").wait_for()
        page.click("#run")
        visit.wait_end()
        retry = page.locator("#follow-up-retry-0")
        expect(retry).to_have_text(re.compile(r"^Retry \d cells? on eye with 4 s$"), timeout=PATIENCE_MS)
        slow[0] = False
        retry.click()
        expect(page.locator("#problems")).to_contain_text("measured again", timeout=PATIENCE_MS)
        expect(retry).to_have_count(0)
        assert app.report(visit.run_id())["requests"]["failed"] == 0


def test_a_run_is_put_under_load_its_plot_grows_and_its_capacity_stays(browser, tmp_path):
    with (
        running_stub(service_ms=20, one_at_a_time=True) as stub,
        running_app(tmp_path, TF_SERVERS=f"stub:{stub.grpc.address}") as app,
        visiting(browser, app.url) as visit,
    ):
        page = visit.open("/?sample=cat&sizes=64&fmt=jpeg&repeat=6")
        page.click("#run")
        visit.wait_end()
        section = page.locator("#deciding [data-section=load]")
        section.locator("summary").first.click()
        page.fill("#load-limit", "nonsense")
        page.fill("#load-budget", "5")
        section.get_by_label("Original", exact=False).uncheck()
        expect(page.locator("#load-status")).to_have_text("1 pair of variant and backend, about 5 s.")
        page.click("#load-start")
        refused = "p99_ms must be a number from 0.1 to 60,000."
        expect(page.locator("#load-status")).to_contain_text(refused, timeout=PATIENCE_MS)
        page.fill("#load-limit", "400")
        page.locator("#load-start").press("Enter")
        expect(page.locator("#load-stop")).to_be_focused(timeout=PATIENCE_MS)
        expect(section.locator(".under_load .legendtext").first).to_be_visible(timeout=PATIENCE_MS)
        expect(page.locator("#load-start")).to_be_focused(timeout=PATIENCE_MS)
        (curve,) = app.report(visit.run_id())["load"]
        assert (curve["variant_id"], curve["limit_ms"], curve["budget_s"]) == ("64-jpeg-85", 400, 5)
        said = f"64 px JPEG on stub: {curve['sentence'].partition('. ')[0].rstrip('.')}."
        expect(section).to_contain_text(said, timeout=PATIENCE_MS)
        expect(section.locator(".section-warnings")).to_contain_text("the load generator shared")
        expect(page.locator("#variants")).to_contain_text("†")
        visit.reload()
        expect(section).to_contain_text(said, timeout=PATIENCE_MS)


def test_runs_are_found_by_words_and_an_empty_result_says_so(visit: Visit):
    page = visit.open(SMALL)
    page.click("#run")
    visit.wait_end()
    page.click("#runs-button")
    expect(page.locator(".runs li").first).to_be_visible(timeout=PATIENCE_MS)
    page.fill("#runs-search", "no-such-photo")
    none = "No run matches “no-such-photo”. Try fewer words, or part of one."
    expect(page.locator("#drawer-body")).to_contain_text(none, timeout=PATIENCE_MS)
    assert page.locator(".runs li").count() == 0
    page.fill("#runs-search", "CAT.png tiger")
    expect(page.locator(".runs li").first).to_contain_text("cat.png", timeout=PATIENCE_MS)
    page.fill("#runs-search", "")
    expect(page.locator(".runs li").first).to_be_visible(timeout=PATIENCE_MS)
