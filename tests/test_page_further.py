"""A finished run is measured further on the page, in a real browser with real servers."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser import PATIENCE_MS, SMALL, Visit

pytestmark = pytest.mark.browser


def test_the_breaking_point_is_found_stays_after_a_reload_and_is_in_the_export(visit: Visit, app):
    page = visit.open(SMALL)
    page.click("#run")
    visit.wait_end()
    page.click("#further-search")
    expect(page.locator("#further-stop, .breaking li").first).to_be_visible(timeout=PATIENCE_MS)
    told = page.locator(".breaking li > p")
    expect(told.first).to_contain_text("down to", timeout=PATIENCE_MS)
    report = app.report(visit.run_id())
    words = [f"{each['backend_name']}: {each['sentence']}" for each in report["breaking_points"]]
    shown = told.all_inner_texts()
    assert words
    assert all(text.startswith(said) for text, said in zip(shown, words, strict=True))
    visit.reload()
    expect(told).to_have_count(len(words), timeout=PATIENCE_MS)
    assert told.all_inner_texts() == shown
    page.locator(".breaking summary").first.click()
    rows = page.locator(".breaking li").first.locator("tbody tr")
    assert rows.count() == len(report["breaking_points"][0]["steps"])


def test_missing_repeats_are_added_can_be_stopped_and_survive_a_reload(visit: Visit, app):
    page = visit.open("/?sample=cat&sizes=64&fmt=jpeg&repeat=6")
    page.click("#run")
    visit.wait_end()
    add = page.locator("#further-repeats")
    expect(add).to_have_text("Add 58 more to see p90", timeout=PATIENCE_MS)
    add.click()
    begun = page.locator("#further-stop:enabled, #further:not(:has(#further-repeats))")
    expect(begun.first).to_be_visible(timeout=PATIENCE_MS)
    visit.reload()  # it goes on without the page, and the page finds it again, or its end
    expect(page.locator("#further-stop, #further-search:enabled").first).to_be_visible(timeout=PATIENCE_MS)
    expect(add).to_have_count(0, timeout=PATIENCE_MS)
    assert all(cell["p90_ms"] for cell in app.report(visit.run_id())["cells"] if cell["count"])
    page.locator("#row-64-jpeg-85 button").click()
    expect(page.locator("#drawer-body")).to_contain_text("p90", timeout=PATIENCE_MS)


def test_runs_are_found_by_words_and_an_empty_result_says_so(visit: Visit):
    page = visit.open(SMALL)
    page.click("#run")
    visit.wait_end()
    page.click("#runs-button")
    expect(page.locator(".runs li").first).to_be_visible(timeout=PATIENCE_MS)
    page.fill("#runs-search", "no-such-photo")
    none = "No run fits “no-such-photo”. Try fewer words, or part of one."
    expect(page.locator("#drawer-body")).to_contain_text(none, timeout=PATIENCE_MS)
    assert page.locator(".runs li").count() == 0
    page.fill("#runs-search", "CAT.png serve")
    expect(page.locator(".runs li").first).to_contain_text("cat.png", timeout=PATIENCE_MS)
    page.fill("#runs-search", "")
    expect(page.locator(".runs li").first).to_be_visible(timeout=PATIENCE_MS)
