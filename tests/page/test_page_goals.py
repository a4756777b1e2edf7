"""Goals changed after the run: what would be served then, without measuring again."""

from __future__ import annotations

from html import unescape

import pytest
import requests

from experiment.export.report_json import report_dict, report_json
from tests.support.processes.app_process import CAT
from tests.support.records import sample_report
from tests.support.set_records import photos, summary

pytestmark = pytest.mark.browser

TITLE = "document.querySelector('#recommendation-title').textContent"
NO_P50 = "The p50 goal must be above 0 and at most 1,000,000 ms."
NO_SIZE = "The size goal must be from 0.001 to 1,000,000 KB."
NO_POINTS = "The points that may be lost must be a number from 0 to 100."
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
    assert page.locator("#recommendation .eyebrow").inner_text().lower() == "result with other goals"
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
    assert page.locator("#goals-problem").inner_text() == NO_P50
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


# What keeping the answer may cost


@pytest.fixture(scope="module")
def imported(app):
    """Id of the sample report: at 256 px its answer is the same, but 19 points less likely."""
    file = ("sample.json", report_json(report_dict(sample_report())).encode())
    return requests.post(f"{app.url}/api/runs/import", files={"file": file}, timeout=30).json()["id"]


def test_the_margin_of_the_probability_changes_what_is_recommended_and_stays_in_the_address(visit, imported):
    page = visit.open(f"/runs/{imported}")
    visit.wait_end()
    assert (
        page.locator("#recommendation-title").inner_text()
        == "For this photo: 512 px JPEG q85 on GPU (4.1 ms)."
    )
    page.locator(".why-not summary").click()
    assert page.locator(".why-not li").nth(1).inner_text() == (
        "Below this the answer gets less sure: at 256 px JPEG confidence drops by 19 points (5 allowed)."
    )
    assert page.get_attribute("#goal-margin", "placeholder") == "5"
    assert page.get_by_label("Probability falls by at most").input_value() == ""
    page.locator("#method-tab > summary").click()
    assert "its probability may fall by at most 5 points." in page.locator("#method").inner_text()

    page.fill("#goal-margin", "19,5")
    page.press("#goal-margin", "Enter")
    visit.wait_until(f"{TITLE}.includes('256 px')")
    assert "margin_points=19.5" in page.url
    href = page.locator(".exports a", has_text="JSON").get_attribute("href")
    exported = requests.get(visit.url + href, timeout=30).json()
    assert exported["plan"]["margin_points"] == 19.5
    assert exported["recommendation"]["sentence"] == page.locator("#recommendation-title").inner_text()
    html = requests.get(visit.url + href.replace("?", ".html?"), timeout=30).text
    assert exported["recommendation"]["next_lighter"] in unescape(html)
    assert "may fall by at most 19.5 points" in html

    visit.reload()
    assert visit.wait_end() == "done"
    assert page.locator("#goal-margin").input_value() == "19.5"
    assert "256 px" in page.locator("#recommendation-title").inner_text()

    page.fill("#goal-margin", "")  # the usual one again
    page.press("#goal-margin", "Tab")
    visit.wait_until(f"{TITLE}.includes('512 px')")
    assert not visit.complaints


def test_a_margin_of_0_can_be_asked_for_by_the_address_and_nonsense_can_not(visit, imported):
    page = visit.open(f"/runs/{imported}?margin_points=0")
    visit.wait_end()
    assert page.locator("#goal-margin").input_value() == "0"
    page.locator(".why-not summary").click()
    assert "(none allowed)" in page.locator(".why-not").inner_text()
    page.fill("#goal-margin", "101")
    page.press("#goal-margin", "Tab")
    visit.wait_until("document.querySelector('#goals-problem').textContent")
    assert page.locator("#goals-problem").inner_text() == NO_POINTS
    for nonsense in ("101", "-1", "%20", "all"):
        visit.open(f"/runs/{imported}?margin_points={nonsense}")
        visit.wait_end()
        assert page.locator("#recommendation .eyebrow").inner_text().lower() == "imported result"


def test_goals_of_an_address_that_the_server_would_refuse_hide_no_run(visit, imported):
    refused = ("max_p50_ms=Infinity", "max_p50_ms=1e9", "max_size_bytes=0.5", "max_size_bytes=1e10")
    for query in (*refused, "margin_points=0x65", "max_p50_ms=-0x1"):
        page = visit.open(f"/runs/{imported}?{query}")
        visit.wait_end()
        assert page.locator("#recommendation .eyebrow").inner_text().lower() == "imported result", query
    page = visit.open(f"/runs/{imported}?margin_points=0x14")  # a number all the same
    visit.wait_end()
    assert page.locator("#goal-margin").input_value() == "20"


@pytest.mark.parametrize(("field", "typed"), [("p50", "1000001"), ("size", "0.0001"), ("size", "1000001")])
def test_a_goal_beyond_what_a_plan_may_have_is_told_at_once_and_kept_from_the_address(
    visit, imported, field, typed
):
    page = visit.open(f"/runs/{imported}")
    visit.wait_end()
    page.fill(f"#goal-{field}", typed)
    page.press(f"#goal-{field}", "Tab")
    visit.wait_until("document.querySelector('#goals-problem').textContent")
    assert page.locator("#goals-problem").inner_text() == (NO_P50 if field == "p50" else NO_SIZE)
    assert page.url.endswith(f"/runs/{imported}")


def test_where_the_answer_may_change_there_is_no_margin(visit, imported):
    page = visit.open(f"/runs/{imported}")
    visit.wait_end()
    page.fill("#goal-margin", "much")  # not taken, and no hindrance once it no longer counts
    page.locator("#goal-keep").uncheck()
    visit.wait_until(f"{TITLE}.includes('128 px')")
    assert page.locator("#goal-margin").is_disabled()
    assert page.locator("#goals-problem").inner_text() == ""
    page.locator("#goal-keep").check()
    visit.wait_until(f"{TITLE}.includes('512 px')")
    assert page.locator("#goal-margin").is_enabled()


def test_the_margin_of_a_set_is_that_of_accuracy(visit, app):
    file = ("set.json", report_json(report_dict(summary(photos(both=300)))).encode())
    run_id = requests.post(f"{app.url}/api/runs/import", files={"file": file}, timeout=30).json()["id"]
    page = visit.open(f"/runs/{run_id}")
    visit.wait_end()
    assert page.get_by_label("Loses at most").get_attribute("placeholder") == "1"
    page.fill("#goal-margin", "7")
    page.press("#goal-margin", "Tab")
    visit.wait_until(
        "document.querySelector('.why-not').textContent.includes('within the margin of 7 points')"
    )


def test_the_form_sends_the_margin_with_the_plan(visit, app):
    page = visit.open("/?sample=1&sizes=128,64&fmt=jpeg&repeat=6")
    visit.open_plan()
    field = page.get_by_label("Probability may fall by")
    assert field.get_attribute("placeholder") == "5"
    field.fill("5 %")
    visit.wait_until("document.querySelector('#margin-note')?.textContent")
    assert page.locator("#margin-note").inner_text() == NO_POINTS
    page.locator("#keep").uncheck()
    assert field.is_disabled()
    assert page.locator("#margin-note").count() == 0
    page.locator("#keep").check()
    field.fill("2,5")
    page.click("#run-plan")
    assert visit.wait_end() == "done"
    run_id = page.url.rpartition("/runs/")[2].partition("?")[0]
    report = requests.get(f"{app.url}/api/runs/{run_id}", timeout=30).json()
    assert report["plan"]["margin_points"] == 2.5
    visit.reload()
    visit.wait_end()
    assert page.locator("#goal-margin").input_value() == "2.5"
