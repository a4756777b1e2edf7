"""What helps to decide, on the page of a finished run: prices, uplinks, factors, another run beside it."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.support.processes.app_process import CAT

pytestmark = pytest.mark.browser

PLAN = '{"sizes_px": [64, 32], "formats": ["jpeg"], "repeats": 6, "warmups": 1, "backend_names": ["1 CPU"]}'


@pytest.fixture(scope="module")
def two_runs(app):
    """Ids of an older and a newer run that tests only look at."""
    ids = [app.post_run(CAT.read_bytes(), PLAN, name).json()["id"] for name in ("older.png", "newer.png")]
    for each in ids:
        assert app.finished(each)["state"] == "done"
    return ids


def query(page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def section(page, key: str):
    return page.locator(f"#deciding [data-section={key}]")


def test_a_price_typed_into_a_finished_run_tells_its_costs_and_stays(visit, two_runs):
    older, newer = two_runs
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    page = visit.open(f"/runs/{newer}")
    cost = section(page, "cost")
    cost.locator(".conclusion", has_text="Enter hourly prices").wait_for(state="attached")
    cost.locator("summary").first.click()
    field = cost.get_by_label("1 CPU", exact=True)
    field.fill("dear")
    field.press("Tab")
    assert field.get_attribute("aria-invalid") == "true"
    assert "A price per hour must be a number" in cost.locator("#prices-hint").inner_text()
    assert cost.locator(".plot").count() == 0  # an invitation, not an empty chart
    field.fill("0,36")
    field.press("Tab")
    cost.locator(".plot.cost_by_size .main-svg").first.wait_for()
    assert field.get_attribute("aria-invalid") is None
    assert "for 1,000 predictions" in cost.locator(".lead").inner_text()
    assert "one request in flight" in cost.locator(".section-notes").inner_text()
    assert query(page)["price"] == ["1 CPU:0.36"]
    with_price = [urlsplit(url).path for url in asked if "price=" in url]
    assert set(with_price) == {f"/api/runs/{newer}/deciding"}
    cost.locator(".plot.cost_by_size").get_by_text("Show as table").click()
    told = requests.get(f"{visit.url}/api/runs/{newer}/deciding?price=1+CPU:0.36", timeout=30).json()
    table = told["sections"]["cost"]["figures"]["cost_by_size"]["meta"]["table"]
    assert cost.locator(".cost_by_size tbody tr").count() == len(table["rows"]) == 3
    page = visit.open(f"/runs/{older}")  # another run, without a word about prices in its address
    section(page, "cost").locator(".conclusion", has_text="for 1,000 predictions").wait_for(state="attached")
    assert query(page)["price"] == ["1 CPU:0.36"]


def test_the_uplink_is_chosen_kept_in_the_address_and_called_modelled(visit, two_runs):
    page = visit.open(f"/runs/{two_runs[1]}")
    uplink = section(page, "uplink")
    uplink.locator(".conclusion", has_text="modelled").wait_for(state="attached")
    uplink.locator("summary").first.click()
    uplink.locator(".plot.end_to_end .main-svg").first.wait_for()
    caption = uplink.locator(".end_to_end figcaption p")
    assert "at 10 Mbit/s" in caption.inner_text() and "modelled" in caption.inner_text()
    uplink.get_by_label("3G, 0.75 Mbit/s").check()
    uplink.get_by_text("uploading at 0.75 Mbit/s").wait_for()
    assert query(page)["uplink"] == ["3g"]
    own = uplink.get_by_label("Own uplink in Mbit/s")
    own.fill("fast")
    own.press("Enter")
    own.press("Tab")
    assert "An uplink must be from" in uplink.locator("#uplink-hint").inner_text()
    own.fill("22")
    own.press("Tab")
    uplink.get_by_text("uploading at 22 Mbit/s").wait_for()
    visit.reload()
    section(page, "uplink").locator("summary").first.click()
    section(page, "uplink").get_by_text("uploading at 22 Mbit/s").wait_for()
    assert section(page, "uplink").get_by_label("Own uplink in Mbit/s").input_value() == "22"


def test_what_moved_the_answer_follows_the_theme(visit, two_runs):
    page = visit.open(f"/runs/{two_runs[1]}")
    moved = section(page, "sensitivity")
    moved.locator("summary").first.click()
    moved.locator(".plot.sensitivity .main-svg").first.wait_for()
    assert moved.locator(".ytick").all_text_contents() == ["size"]
    ink = "getComputedStyle(document.querySelector('.plot.sensitivity .ytick text')).fill"
    before = page.evaluate(ink)
    page.select_option("#theme", "dark")
    visit.wait_until(f"{ink} !== '{before}'")


def test_a_run_is_compared_with_an_older_one_and_the_address_keeps_it(visit, two_runs):
    older, newer = two_runs
    page = visit.open(f"/runs/{newer}")
    page.locator(".plot .main-svg").first.wait_for()
    assert not page.locator("#compared").is_visible()
    page.click("#compare-with")
    drawer = page.locator("#drawer")
    entry = drawer.locator("li", has_text="older.png")
    entry.wait_for()
    assert drawer.locator("li", has_text="newer.png").count() == 0
    page.fill("#runs-search", "no-such-photo")
    drawer.get_by_text("No run matches “no-such-photo”").wait_for()
    page.fill("#runs-search", "older.png")
    entry.get_by_role("button", name="Compare with older.png").click()
    compared = page.locator("#compared")
    compared.locator(".main-svg").first.wait_for()
    assert not drawer.is_visible()
    assert compared.locator("h2").inner_text().startswith("Compared with older.png, ")
    assert compared.locator(".lead").inner_text().startswith("3 results compared: ")
    rows = compared.locator(".section-tables tbody tr")
    assert rows.first.locator("td").nth(3).inner_text()
    assert query(page)["compare"] == [older]
    visit.reload()
    page.locator("#compared .main-svg").first.wait_for()
    compared.get_by_role("button", name="Close").click()
    assert not compared.is_visible()
    assert "compare" not in query(page)
    assert page.evaluate("document.activeElement.id") == "compare-with"


def test_a_colleagues_exported_run_can_be_compared_with(visit, app, two_runs):
    """What dropping the report onto the page sends, then the chooser."""
    report = app.report(two_runs[0])
    file = {"file": ("theirs.json", json.dumps(report).encode())}
    made = requests.post(f"{app.url}/api/runs/import", files=file, timeout=60)
    assert made.status_code == 201, made.text
    shown = app.report(made.json()["id"])
    assert {key for key in report if shown[key] != report[key]} == {"run_id", "has_pictures"}
    page = visit.open(f"/runs/{two_runs[1]}")
    page.locator(".plot .main-svg").first.wait_for()
    page.click("#compare-with")
    rows = page.locator("#drawer li")
    rows.first.wait_for()
    rows.first.get_by_role("button").click()  # the newest: the import
    page.locator("#compared .lead", has_text="3 results compared").wait_for()
    assert query(page)["compare"] == [made.json()["id"]]


def test_a_run_to_compare_with_that_is_gone_is_said_in_its_place(visit, two_runs):
    page = visit.open(f"/runs/{two_runs[1]}?compare=nobody")
    words = page.locator("#compared .lead")
    words.filter(has_text="Run not found.").wait_for()
    assert page.locator("#compared").get_by_role("button", name="Another run").is_visible()


def test_nothing_moves_when_the_conclusions_arrive(visit, two_runs):
    """The same height before and after."""
    for width in (390, 320):  # on a wide page tabs have no conclusion beside their name
        visit.page.set_viewport_size({"width": width, "height": 800})
        page = visit.open(f"/runs/{two_runs[1]}")
        fold = section(page, "uplink")
        fold.locator(".conclusion", has_text="modelled").wait_for()
        full = fold.bounding_box()["height"]
        page.evaluate("document.querySelector('[data-section=uplink] .conclusion').textContent = ''")
        assert fold.bounding_box()["height"] == pytest.approx(full, abs=1)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_where_copies_are_made_changes_the_verdict_and_the_network_section_together(visit, two_runs):
    page = visit.open(f"/runs/{two_runs[1]}")
    visit.wait_end()
    page.locator("#copies input[value=client]").check()
    conclusion = "document.querySelector('[data-section=uplink] .conclusion').textContent"
    section_text = "document.querySelector('[data-section=uplink]').textContent"
    visit.wait_until("document.querySelector('#recommendation-title').textContent.includes('modelled')")
    visit.wait_until(f"{conclusion} !== ''")
    page.evaluate("document.querySelector('[data-section=uplink] input[value=\"3g\"]').click()")
    slow = f"/api/runs/{two_runs[1]}?copies=client&uplink=3g"
    told = requests.get(f"{visit.url}{slow}", timeout=30).json()["recommendation"]["sentence"]
    visit.wait_until(f"document.querySelector('#recommendation-title').textContent === {json.dumps(told)}")
    assert query(page)["copies"] == ["client"] and query(page)["uplink"] == ["3g"]
    page.evaluate("document.querySelector('[data-section=uplink]').open = true")
    visit.wait_until(f"{section_text}.includes('the fastest way with copies made by the client')")
    visit.reload()
    visit.wait_until(f"document.querySelector('#recommendation-title')?.textContent === {json.dumps(told)}")
