"""How results are looked at: chosen on the page, kept in the address, and taken away from each plot."""

from __future__ import annotations

import csv
import io

import pytest
import requests

from tests.support.processes.app_process import CAT

pytestmark = pytest.mark.browser

TITLE = "document.querySelector('[data-name={}] .plot-area').layout?.{}axis.title.text"


@pytest.fixture(scope="module")
def stored(app):
    """Id of a finished run that tests only look at."""
    plan = '{"sizes_px": [128, 64], "formats": ["png", "jpeg"], "repeats": 6}'
    run_id = app.post_run(CAT.read_bytes(), plan).json()["id"]
    app.finished(run_id)
    return run_id


def test_what_is_chosen_stands_in_the_address_and_comes_back_with_it(visit, stored):
    page = visit.open(f"/runs/{stored}")
    visit.wait_end()
    page.select_option("#over-what", "bytes")
    visit.wait_until(f"{TITLE.format('trade_off', 'x')} === 'Size, KB'")
    page.select_option("#show-latency", "slowest")
    page.fill("#find", "jpeg")
    assert page.locator("#show-latency option[disabled]").all_inner_texts() == [
        "p90 (from 64 samples)",
        "p99 (from 662 samples)",
    ]
    shown = page.locator("#variants tbody tr:visible")
    assert shown.count() == 2
    assert page.locator("#found").inner_text() == "2 of 5 shown"
    page.locator("th[data-key=bytes] button").click()
    for words in ("x=bytes", "y=slowest", "find=jpeg", "sort=bytes"):
        assert words in page.url
    visit.reload()
    visit.wait_until(f"{TITLE.format('trade_off', 'x')} === 'Size, KB'")
    assert page.locator("#over-what").input_value() == "bytes"
    assert page.locator("#show-latency").input_value() == "slowest"
    assert page.locator("#find").input_value() == "jpeg"
    assert shown.count() == 2
    assert (
        "Points are the slowest of all samples." in page.locator("[data-name=latency_by_size]").inner_text()
    )


def test_an_address_that_asks_for_nonsense_shows_the_usual(visit, stored):
    page = visit.open(f"/runs/{stored}?x=weather&y=p50.5&sort=nothing")
    assert visit.wait_end() == "done"
    visit.wait_until(f"{TITLE.format('trade_off', 'x')} === 'p50 latency, ms'")
    assert page.locator("#variants tbody tr:visible").count() == 5


def test_a_plot_gives_its_numbers_as_csv_and_a_link_that_leads_back_to_it(visit, stored):
    page = visit.open(f"/runs/{stored}?x=bytes")
    visit.wait_end()
    plot = page.locator("#plot-trade_off")
    with page.expect_download() as download:
        plot.get_by_role("button", name="CSV").click()
    columns, *rows = csv.reader(io.StringIO(download.value.path().read_text("utf-8")))
    figure = requests.get(f"{visit.url}/api/runs/{stored}/figures?x=bytes", timeout=30).json()["trade_off"]
    assert columns == figure["meta"]["table"]["columns"]
    assert len(rows) == len(figure["meta"]["table"]["rows"])
    page.evaluate(
        "navigator.clipboard.writeText = async (text) => { window.copied = text }"
    )  # a headless browser has no clipboard that can be read
    page.locator("#plot-where_time_goes").get_by_role("button", name="Link").click()
    visit.wait_until("window.copied")
    link = page.evaluate("copied")
    assert link == f"{visit.url}/runs/{stored}?x=bytes#plot-where_time_goes"
    page.goto("about:blank")
    visit.open(link.removeprefix(visit.url))
    visit.wait_until(
        "Math.abs(document.querySelector('#plot-where_time_goes').getBoundingClientRect().top) < 400"
    )


def test_where_the_time_goes_shows_few_bars_and_all_when_asked(visit, app):
    plan = '{"sizes_px": [96, 64, 48, 32], "formats": ["jpeg"], "repeats": 2, "backend_names": ["1 CPU"]}'
    run_id = app.post_run(CAT.read_bytes(), plan).json()["id"]
    app.finished(run_id)
    page = visit.open(f"/runs/{run_id}")
    plot = page.locator("#plot-where_time_goes")
    plot.get_by_role("button", name="Show all").click()
    visit.wait_until("document.querySelectorAll('#plot-where_time_goes tbody tr').length === 5")
    assert "bars=all" in page.url
    plot.get_by_role("button", name="Show fewer").click()
    visit.wait_until("document.querySelectorAll('#plot-where_time_goes tbody tr').length === 4")


@pytest.mark.parametrize(("query", "what"), [("x=hours", "x must be"), ("y=p95", "y must be")])
def test_the_figures_refuse_what_they_do_not_know(app, stored, query, what):
    answer = requests.get(f"{app.url}/api/runs/{stored}/figures?{query}", timeout=30)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(what)
