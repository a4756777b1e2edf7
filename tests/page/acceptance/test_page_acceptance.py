"""A first visit from end to end with the defaults, and what must hold all the way."""

from __future__ import annotations

import pytest
import requests

from tests.support.processes.browser import WATCH_SHIFTS, visiting

pytestmark = pytest.mark.browser

LONGEST_S = 300  # a laptop needs less than 60; a machine that is shared must not fail here
MOST_SHIFT = 0.05  # a line that wraps, nothing more; the web calls 0.1 good
HELPERS = {"best trade-offs", "recommended"}  # traces that show points of others again

# What plotly.js has drawn: the points of every trace but those that repeat others.
PLOTTED = """
(name) => document.querySelector(`[data-name="${name}"] .plot-area`).data.map((trace) => ({
  type: trace.type, mode: trace.mode || "", name: trace.name || "",
  points: trace.x.map((x, index) => [x, trace.y[index]]),
}))
"""
ALL_DRAWN = "[...document.querySelectorAll('.plot-area')].every((area) => area.data?.length)"
SHOWN = """
(name) => {
  const table = document.querySelector(`[data-name="${name}"] .plot-table table`);
  const texts = (row) => [...row.cells].map((cell) => cell.textContent);
  return { columns: texts(table.tHead.rows[0]), rows: [...table.tBodies[0].rows].map(texts) };
}
"""


def test_the_cat_with_all_defaults_from_the_first_click_to_every_table(visit, app):
    visit.page.add_init_script(WATCH_SHIFTS)
    page = visit.open()
    page.set_default_timeout(LONGEST_S * 1000)
    page.click("#sample")  # which starts a preview
    page.locator("#photo-image[src]").wait_for()
    page.wait_for_timeout(600)  # what a click moves is no shift; what follows by itself is
    page.evaluate("shift = 0")
    assert visit.wait_end() == "done"
    assert page.evaluate("shift") < MOST_SHIFT
    visit.wait_until(
        "/^Run /.test(document.querySelector('#run').innerText)"
    )  # and then the rest of the plan
    report = app.report(visit.run_id())
    assert report["requests"]["failed"] == 0
    assert report["recommendation"]["variant_id"]
    cells = page.locator("#variants").inner_text()
    visit.reload()  # nothing is drawn anew while it is read
    visit.wait_until(ALL_DRAWN)
    assert page.locator("#variants").inner_text() == cells
    for name in ("trade_off", "latency_by_size", "agreement_by_size"):
        assert points_of(page, name) == rows_of(page, name)
    bars, rows = bars_of(page), rows_of(page, "where_time_goes")
    totals = [total for *_, total in rows]  # which the table rounds once, and the bars stage by stage
    assert [sum(stages) for stages in bars] == pytest.approx(totals, abs=0.05)
    assert len(requests.get(f"{app.url}/api/runs/{report['run_id']}.html", timeout=60).content) < 1_600_000


def points_of(page, name: str) -> list[tuple[float, float]]:
    """x and y of everything that is drawn once."""
    traces = [each for each in page.evaluate(PLOTTED, name) if each["name"] not in HELPERS]
    drawn = [(x, y) for each in traces for x, y in each["points"] if x is not None and y is not None]
    return sorted((round(x, 2), round(y, 2)) for x, y in drawn)


# Which columns hold x and y.
AXES = {"trade_off": (3, 4), "latency_by_size": (2, 3), "agreement_by_size": (2, 3)}


def rows_of(page, name: str) -> list[tuple[float, ...]]:
    """The same out of the table on the page; of the time's stages the totals."""
    rows = page.evaluate(SHOWN, name)["rows"]
    if name == "where_time_goes":
        return [(float(row[-1]),) for row in rows]
    x, y = AXES[name]
    return sorted((round(float(row[x]), 2), round(float(row[y]), 2)) for row in rows if row[y] != "–")


def bars_of(page) -> list[list[float]]:
    """The parts of each bar, from top to bottom."""
    bars: dict[tuple[int, str], list[float]] = {}
    axes = page.evaluate(
        "document.querySelector('[data-name=where_time_goes] .plot-area').data.map(t => t.yaxis)"
    )
    for axis, trace in zip(axes, page.evaluate(PLOTTED, "where_time_goes"), strict=True):
        if trace["type"] == "bar":
            for x, y in trace["points"]:
                bars.setdefault((axis, y), []).append(x or 0.0)
    return [bars[key] for key in sorted(bars, key=lambda key: key[0])]


COVERED = """
(() => {
  const focused = document.activeElement;
  const foot = document.querySelector(".plan-foot").getBoundingClientRect();
  const { top, bottom, width } = (focused.closest(".chip, label") || focused).getBoundingClientRect();
  if (!focused.closest("#plan-drawer") || !width || focused.closest(".plan-foot")) return "";
  return top >= foot.top && bottom <= foot.bottom ? focused.outerHTML : "";
})()
"""
OUTSIDE = """
(() => {
  const { right } = document.querySelector("#plan-drawer").getBoundingClientRect();
  return [...document.querySelectorAll("#plan :is(select, input, .chip)")]
    .filter((each) => each.getBoundingClientRect().right > right)
    .map((each) => each.id || each.textContent.trim());
})()
"""


@pytest.mark.parametrize("width", [320, 390])
def test_on_a_narrow_screen_the_plan_fits_and_hides_nothing_that_has_the_focus(browser, app, width):
    with visiting(browser, app.url, viewport={"width": width, "height": 640}) as visit:
        page = visit.open("/?sample=cat&sizes=64&fmt=jpeg")
        page.locator("#photo-image[src]").wait_for()
        visit.open_plan()
        page.locator("#setup > .more > summary").click()
        assert page.evaluate(OUTSIDE) == []
        page.locator("#plan-close").focus()
        for _ in range(45):
            page.keyboard.press("Tab")
            assert page.evaluate(COVERED) == ""
        assert page.evaluate("getComputedStyle(document.querySelector('.plan-foot')).position") == "sticky"
