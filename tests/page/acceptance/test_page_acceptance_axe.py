"""axe-core finds nothing, in every state of the page, in both looks, on a phone and on a desk."""

from __future__ import annotations

import itertools

import pytest

from tests.support.processes.app_process import CAT
from tests.support.processes.axe import violations

pytestmark = pytest.mark.browser

WIDTHS_PX = (1280, 320)
LOOKS = ("light", "dark")
LONG = "/?sample=cat&sizes=64,32&fmt=jpeg&repeat=1000"


@pytest.fixture(scope="module")
def stored(app):
    """Id of a finished run that tests only look at."""
    run_id = app.post_run(CAT.read_bytes(), '{"sizes_px": [64, 32], "repeats": 6}').json()["id"]
    app.finished(run_id)
    return run_id


def found_in_every_look(page) -> dict[str, list[str]]:
    """What axe-core finds, by look and width; empty when it is content."""
    found = {}
    for width_px, look in itertools.product(WIDTHS_PX, LOOKS):
        page.set_viewport_size({"width": width_px, "height": 800})
        page.emulate_media(color_scheme=look)
        page.wait_for_timeout(50)  # one frame in the new look
        found[f"{look}, {width_px} px"] = violations(page)
    return {name: lines for name, lines in found.items() if lines}


def test_an_empty_page(visit):
    page = visit.open()
    page.locator("#figures li").first.wait_for()  # of the sample
    page.click("#backends-button")
    page.locator(".backend.ready").first.wait_for()
    assert found_in_every_look(page) == {}
    visit.open_plan()
    page.get_by_text("More", exact=True).click()
    assert found_in_every_look(page) == {}


def test_a_page_with_a_run_that_goes_on(visit):
    page = visit.open(LONG)
    page.locator("#photo-image[src]").wait_for()
    page.click("#run")
    page.locator("#variants tbody tr").first.wait_for()
    assert found_in_every_look(page) == {}
    assert page.locator("#run").inner_text() == "Cancel", "the run was too short to be looked at"
    page.click("#run")
    assert visit.wait_end() == "cancelled"


def test_a_page_with_a_finished_run(visit, stored):
    page = visit.open(f"/runs/{stored}")
    visit.wait_end()
    for summary in page.locator("#results summary").all():
        if summary.is_visible():
            summary.click()
    page.locator("[data-name=trade_off]").get_by_text("Show as table").click()
    assert found_in_every_look(page) == {}


def test_a_page_with_the_inspector_open(visit, stored):
    page = visit.open(f"/runs/{stored}?sel=64-jpeg-85")
    page.get_by_role("dialog", name="64 px JPEG").wait_for()
    visit.wait_until("[...document.querySelectorAll('#drawer img')].every(image => image.naturalWidth > 0)")
    assert found_in_every_look(page) == {}


def test_a_page_with_errors(visit):
    page = visit.open("/?sample=cat&sizes=64")
    page.locator("#photo-image[src]").wait_for()
    visit.open_plan()
    page.fill("#repeats", "0")
    page.fill("#other-size", "7")
    page.click("#add-size")
    assert found_in_every_look(page) == {}
    visit.close_plan()
    page.set_input_files(
        "#file", {"name": "notes.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 " * 9}
    )
    page.get_by_role("alert").wait_for()
    assert found_in_every_look(page) == {}


def test_axe_would_tell(visit):
    page = visit.open()
    page.evaluate("document.querySelector('.theme span').remove()")
    assert any("#theme" in line for line in violations(page))
