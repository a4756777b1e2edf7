"""The page in a real browser while a run goes on, before it begins, and after its settings changed."""

from __future__ import annotations

import json
import re

import pytest
import requests

from tests.support.processes.app_process import CAT, free_port, running_app
from tests.support.processes.browser import SMALL, WATCH_SHIFTS, visiting

pytestmark = pytest.mark.browser

LONG = "/?sample=cat&sizes=64,32&fmt=jpeg&repeat=400"
MOST_SHIFT = 0.1  # what the web calls good

# Every state of the results that a reader could see, as they come. Warm-ups leave no cell filled.
CELLS = "[...document.querySelectorAll('#variants td.first')].filter((td) => /[0-9]/.test(td.textContent))"
WATCH_RESULTS = """
window.seen = [];
new MutationObserver(() => {
  const filled = CELLS;
  const now = {
    filled: filled.length,
    times: filled.map((td) => td.textContent).join(),
    headline: document.querySelector("#recommendation-title")?.textContent || "",
    busy: document.querySelector("#run")?.textContent === "Cancel",
  };
  const last = window.seen.at(-1);
  if (JSON.stringify(now) !== JSON.stringify(last)) window.seen.push(now);
}).observe(document, { subtree: true, childList: true, characterData: true });
""".replace("CELLS", CELLS)
COLOUR = "getComputedStyle(document.querySelector('.plot .xtick text')).fill"


def test_results_grow_while_the_run_goes_on(visit):
    visit.page.add_init_script(WATCH_RESULTS)
    page = visit.open(LONG)
    page.locator("#photo-image[src]").wait_for()
    # A slow start of the plots must not slow what follows.
    page.route("**/plotly-basic.min.js", lambda route: (page.wait_for_timeout(2000), route.continue_()))
    page.click("#run")
    visit.wait_until("new Set(seen.filter(s => s.busy && s.filled).map(s => s.times)).size >= 3")
    page.keyboard.press("Escape")
    visit.wait_end()
    counted = page.evaluate("seen.filter(s => s.filled)")
    assert not [each for each in counted if "no answer" in each["headline"] or "Warming" in each["headline"]]


def test_a_theme_chosen_in_mid_run_leaves_table_and_plots_of_one_moment(visit):
    page = visit.open(LONG)
    page.locator("#photo-image[src]").wait_for()
    page.click("#run")
    visit.wait_until(f"{CELLS}.length > 0")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.locator("#plots").scroll_into_view_if_needed()  # plots out of sight wait for the end
    page.locator(".plot .xtick text").first.wait_for()
    light = page.evaluate(COLOUR)
    page.select_option("#theme", "dark")
    visit.wait_until(f"{COLOUR} !== {json.dumps(light)}")
    figures = next(index for index, url in enumerate(asked) if "theme=dark" in url)
    assert any(url.endswith(visit.run_id()) for url in asked[:figures])
    page.keyboard.press("Escape")
    assert visit.wait_end() == "cancelled"


def test_while_only_warm_ups_were_answered_the_page_says_so(visit):
    visit.page.route("**/api/runs/*", without_cells)
    page = visit.open(LONG)
    page.locator("#photo-image[src]").wait_for()
    page.click("#run")
    page.get_by_role("heading", name="Warming up…").wait_for()
    page.keyboard.press("Escape")
    visit.wait_end()


def without_cells(route):
    """The run's report as it was before the first request that counts."""
    if route.request.method != "GET":
        return route.continue_()
    answer = route.fetch()
    return route.fulfill(response=answer, json={**answer.json(), "cells": []})


def test_a_run_that_waits_promises_nothing_and_stops_without_results(visit, app):
    plan = '{"sizes_px": [64, 32], "repeats": 400}'
    first = app.post_run(CAT.read_bytes(), plan).json()["id"]
    page = visit.open(SMALL)
    page.locator("#photo-image[src]").wait_for()
    page.click("#run")
    page.get_by_text("This run is queued.").wait_for()
    visit.reload()
    page.get_by_text("This run is queued.").wait_for()
    page.locator("#progress-text", has_text="yours is next").wait_for()
    page.click("#run")
    page.get_by_text("Stopped before the first request. Nothing was measured.").first.wait_for()
    assert "about a second" not in page.locator("main").inner_text()
    assert "kept." not in page.locator("#progress-text").inner_text()
    requests.delete(f"{app.url}/api/runs/{first}", timeout=30)
    app.finished(first)


@pytest.mark.parametrize(
    ("field", "value"), [("#repeats", "5000"), ("#max-p50", "fast"), ("#max-size", "-1"), ("#warmups", "-1")]
)
def test_a_field_that_makes_no_sense_is_marked_and_gets_the_focus(visit, field, value):
    page = visit.open(SMALL)
    page.locator("#photo-image[src]").wait_for()
    visit.open_plan()
    page.evaluate("document.querySelector('.more').open = true")
    page.fill(field, value)
    visit.close_plan()
    page.click("#run")  # which opens the plan again
    page.locator("#plan-drawer[open]").wait_for()
    assert page.locator(field).get_attribute("aria-invalid") == "true"
    told = page.locator(field).get_attribute("aria-describedby").split()[-1]
    assert re.search(" must be .* [0-9]", page.locator(f"#{told}").inner_text())
    visit.wait_until(f"'#' + document.activeElement.id === '{field}'")
    page.fill(field, "50")
    assert page.locator(field).get_attribute("aria-invalid") == "false"
    assert page.locator(f"#{told}").count() == 0


def test_changed_settings_are_told_from_the_results_below_them(visit):
    page = visit.open(SMALL)
    page.locator("#photo-image[src]").wait_for()
    page.click("#run")
    assert visit.wait_end() == "done"
    hint = page.get_by_text("These results are from earlier settings.")
    assert not hint.is_visible()
    visit.open_plan()
    page.fill("#repeats", "40")
    visit.close_plan()
    assert hint.is_visible()
    assert page.locator("#progress-text").is_visible()
    visit.open_plan()
    page.fill("#repeats", "6")
    visit.close_plan()
    assert not hint.is_visible()


def test_a_true_label_that_the_model_does_not_know_is_said_before_the_run(visit):
    page = visit.open(SMALL)
    hint = page.get_by_text("The model does not know this label")
    visit.open_plan()
    page.fill("#true-label", "no such thing")
    assert hint.is_visible()
    page.fill("#true-label", page.locator("#labels option").first.get_attribute("value").upper())
    assert not hint.is_visible()


def test_an_unknown_true_label_is_asked_about_before_anything_is_sent(visit, app):
    page = visit.open(SMALL)
    page.locator("#photo-image[src]").wait_for()
    known = page.locator("#labels option").first.get_attribute("value").split(",")[0]
    sent: list[str] = []
    page.on("request", lambda asked: asked.method == "POST" and sent.append(asked.url))
    visit.open_plan()
    page.fill("#true-label", f"{known}b")
    page.click("#run-plan")
    question = page.locator("#run-notice .notice")
    question.wait_for()
    assert f"The model does not know “{known}b”." in question.inner_text()
    assert sent == []
    question.get_by_role("button", name=f"Use “{known}”").click()
    assert visit.wait_end() == "done"
    assert app.report(visit.run_id())["source"]["true_label"] == known
    visit.open_plan()
    page.fill("#true-label", "no such thing at all")
    page.click("#run-plan")
    first = visit.run_id()
    question.get_by_role("button", name="Run anyway").click()
    visit.wait_until(f"!location.pathname.endsWith('{first}')")
    assert app.finished(visit.run_id())["source"]["true_label"] == "no such thing at all"


def test_a_size_or_quality_that_was_added_can_be_taken_away_again(visit):
    page = visit.open(SMALL)
    page.locator("#photo-image[src]").wait_for()
    visit.open_plan()
    page.fill("#other-size", "5000")
    page.click("#add-size")
    chip = page.get_by_label("5000", exact=True)
    assert chip.is_disabled()
    assert "5000 skipped: larger than the original (451 px)." in page.locator("#sizes-hint").inner_text()
    page.get_by_role("button", name="Remove 5000").click()
    assert chip.count() == 0
    assert page.evaluate("document.activeElement.id") == "other-size"
    page.fill("#jpeg-quality", "3")
    page.locator("#jpeg-qualities .add button").click()
    page.get_by_role("button", name="Remove JPEG quality 3").click()
    assert page.locator("#jpeg-qualities input[value='3']").count() == 0
    assert page.locator("#sizes .removable").count() == 0  # what the page offers stays


def test_a_backend_that_does_not_answer_is_left_out_and_nothing_is_sent_to_it(browser, app, tmp_path):
    known = app.backends()["1 CPU"]
    servers = f"Alive:{known['address']}?model={known['model']};Gone:127.0.0.1:{free_port()}"
    with running_app(tmp_path, TF_SERVERS=servers) as half_dead, visiting(browser, half_dead.url) as visit:
        page = visit.open(SMALL)
        page.locator("#photo-image[src]").wait_for()
        assert page.locator("#run").inner_text() == "Run 3 variants × 1 backend"
        assert "Left out: Gone." in page.locator("#estimate").inner_text()
        page.click("#run")
        assert visit.wait_end() == "done"
        assert "27 requests, 0 failed." in page.locator("#progress-text").inner_text()


@pytest.mark.parametrize("width", [390, 1280])
def test_a_stored_run_opens_without_moving_what_is_read(browser, app, width):
    run_id = app.post_run(CAT.read_bytes(), '{"sizes_px": [64, 32], "repeats": 6}').json()["id"]
    app.finished(run_id)
    with visiting(browser, app.url, viewport={"width": width, "height": 800}) as visit:
        visit.page.add_init_script(WATCH_SHIFTS)
        page = visit.open(f"/runs/{run_id}")
        page.locator(".plot .main-svg").first.wait_for()
        page.wait_for_timeout(300)
        assert page.evaluate("shift") < MOST_SHIFT


def test_the_inspector_walks_in_the_order_of_the_table(visit, app):
    run_id = app.post_run(CAT.read_bytes(), '{"sizes_px": [64, 32], "repeats": 6}').json()["id"]
    app.finished(run_id)
    page = visit.open(f"/runs/{run_id}?sort=bytes")
    rows = page.locator("#variants tbody tr")
    rows.first.click()
    second = rows.nth(1).get_attribute("id").removeprefix("row-")
    page.locator("#drawer").get_by_role("button", name="Next").click()
    assert f"sel={second}" in page.url


def test_printing_opens_what_is_folded_and_folds_it_again(visit, app):
    run_id = app.post_run(CAT.read_bytes(), '{"sizes_px": [64, 32], "repeats": 6}').json()["id"]
    app.finished(run_id)
    page = visit.open(f"/runs/{run_id}")
    page.locator("#method-tab summary").wait_for()
    folded = "#method-tab[open], #problems[open], #variants-tab[open]"
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(folded).count() == 3
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator(folded).evaluate_all("all => all.map(each => each.id)") == ["variants-tab"]
    assert "heartbeat" not in page.locator("#environment").text_content()
