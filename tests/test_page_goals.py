"""Goals changed after the run: what would be served then, without measuring again."""

from __future__ import annotations

import pytest
import requests

from tests.app_process import CAT

pytestmark = pytest.mark.browser

TITLE = "document.querySelector('#recommendation-title').textContent"
TRADE_OFF = "document.querySelector('[data-name=trade_off] .plot-area')"


@pytest.fixture(scope="module")
def stored(app):
    """Id of a finished run that tests only look at."""
    plan = '{"sizes_px": [128, 64], "formats": ["png", "jpeg"], "repeats": 6, "max_size_bytes": 500000}'
    run_id = app.post_run(CAT.read_bytes(), plan).json()["id"]
    app.finished(run_id)
    return run_id


def test_other_goals_change_what_is_recommended_the_plot_the_exports_and_the_address(visit, stored):
    page = visit.open(f"/runs/{stored}")
    visit.wait_end()
    own = page.locator("#recommendation-title").inner_text()
    assert page.locator("#goal-size").input_value() == "500"
    assert page.locator("#goal-keep").is_checked()
    assert not page.locator("#goals-own").is_visible()

    page.fill("#goal-size", "0.01")  # 10 bytes
    page.press("#goal-size", "Enter")
    visit.wait_until(f"{TITLE}.startsWith('Nothing')")
    assert page.locator("#recommendation .eyebrow").inner_text().lower() == "result by other goals"
    assert "max_size_bytes=10" in page.url
    href = page.locator(".exports a", has_text="JSON").get_attribute("href")
    exported = requests.get(visit.url + href, timeout=30).json()
    assert exported["plan"]["max_size_bytes"] == 10
    assert exported["recommendation"]["sentence"] == page.locator("#recommendation-title").inner_text()

    visit.reload()
    assert visit.wait_end() == "done"
    visit.wait_until(f"{TITLE}.startsWith('Nothing')")
    assert page.locator("#goal-size").input_value() == "0.01"

    page.locator("#goals-own").click()
    visit.wait_until(f"{TITLE} === {own!r}")
    assert "max_size_bytes" not in page.url
    assert page.locator("#goal-size").input_value() == "500"
    assert (
        requests.get(f"{visit.url}/api/runs/{stored}", timeout=30).json()["plan"]["max_size_bytes"] == 500_000
    )
    assert not visit.complaints


def test_a_goal_is_drawn_into_the_trade_off(visit, stored):
    page = visit.open(f"/runs/{stored}")
    visit.wait_end()
    page.fill("#goal-p50", "1,5")
    page.press("#goal-p50", "Tab")
    visit.wait_until(f"JSON.stringify({TRADE_OFF}.layout?.annotations || []).includes('over your 1.5 ms')")
    assert "max_p50_ms=1.5" in page.url


def test_what_is_no_number_is_told_beside_the_fields_and_changes_nothing(visit, stored):
    page = visit.open(f"/runs/{stored}")
    visit.wait_end()
    before = page.locator("#recommendation-title").inner_text()
    page.fill("#goal-p50", "fast")
    page.press("#goal-p50", "Tab")
    visit.wait_until("document.querySelector('#goals-problem').textContent")
    assert page.locator("#goals-problem").inner_text() == "The p50 goal is a number of milliseconds above 0."
    assert page.locator("#recommendation-title").inner_text() == before
    assert "max_p50_ms" not in page.url


def test_an_address_with_a_goal_that_is_none_shows_the_runs_own(visit, stored):
    page = visit.open(f"/runs/{stored}?max_p50_ms=fast&keep_top1=perhaps")
    assert visit.wait_end() == "done"
    assert page.locator("#recommendation .eyebrow").inner_text().lower() == "result"


def test_the_api_refuses_such_a_goal_and_tells_forms_apart_by_their_goals(app, stored):
    address = f"{app.url}/api/runs/{stored}"
    refused = requests.get(f"{address}?max_p50_ms=fast", timeout=30)
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_query")
    assert refused.json()["detail"] == "max_p50_ms must be a number, or none for no such goal."
    own, other = (requests.get(address + query, timeout=30) for query in ("", "?max_size_bytes=10"))
    assert own.headers["ETag"] != other.headers["ETag"]
    assert requests.get(f"{address}.html?max_size_bytes=10", timeout=30).text.count("Nothing") >= 1
