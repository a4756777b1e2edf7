"""Qualities, formats and filters on the page, in a real browser."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.support.processes.app_process import running_app
from tests.support.processes.browser import visiting
from tests.support.scripted_server import server_that_reads

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def old_server(tmp_path_factory):
    """An app whose only backend reads what TensorFlow Serving read before it knew WebP, and can be split."""
    with ExitStack() as stack:
        address = stack.enter_context(server_that_reads(decode_outputs=("pixels", "checksum")))
        folder = tmp_path_factory.mktemp("old")
        yield stack.enter_context(running_app(folder, TF_SERVERS=f"Old:{address}"))


def ticked(page, place: str) -> list[str]:
    boxes = page.locator(f"{place} input[type=checkbox]")
    return boxes.evaluate_all("all => all.filter(each => each.checked).map(each => each.value)")


def test_a_quality_is_added_with_enter_and_counted(visit):
    page = visit.open("/?sample=cat&sizes=64,32&fmt=jpeg&repeat=6")
    page.locator("#photo-image[src]").wait_for()
    visit.open_plan()
    assert ticked(page, "#jpeg-qualities") == ["85"]
    before = page.locator("#run").inner_text()
    page.get_by_label("Another JPEG quality").fill("50")
    page.keyboard.press("Enter")
    assert ticked(page, "#jpeg-qualities") == ["85", "50"]
    assert (before.split(" × ")[0], page.locator("#run").inner_text().split(" × ")[0]) == (
        "Run 3 variants",
        "Run 5 variants",
    )
    page.get_by_role("group", name="JPEG quality").get_by_label("50", exact=True).uncheck()
    assert ticked(page, "#jpeg-qualities") == ["85"]
    assert page.locator("#jpeg-qualities input[value='50']").count() == 1  # to be ticked again


def test_a_quality_that_is_none_is_refused_beside_its_field(visit):
    visit.open()
    page = visit.open_plan()
    field = page.get_by_label("Another JPEG quality")
    field.fill("101")
    page.get_by_role("button", name="Add JPEG quality").click()
    assert field.get_attribute("aria-invalid") == "true"
    hint = page.locator(f"#{field.get_attribute('aria-describedby')}")
    assert hint.inner_text() == "JPEG quality must be a whole number from 1 to 100."
    field.fill("70")
    page.get_by_role("button", name="Add JPEG quality").click()
    assert (field.get_attribute("aria-invalid"), hint.inner_text(), field.input_value()) == (None, "", "")


def test_the_quality_of_a_format_shows_when_the_format_is_chosen(visit):
    visit.open("/?fmt=png")
    page = visit.open_plan()
    assert not page.locator("#jpeg-qualities").is_visible()
    page.locator("#formats").get_by_label("WebP", exact=True).check()
    assert page.get_by_role("group", name="WebP quality").is_visible()
    assert "WebP is not read" not in page.locator("#formats-hint").inner_text()


def test_a_size_that_is_none_is_still_said_where_sizes_are(visit):
    visit.open()
    page = visit.open_plan()
    page.fill("#other-size", "5")
    page.click("#add-size")
    assert (
        page.locator("#sizes-hint").inner_text() == "A size must be a whole number of pixels from 16 to 8192."
    )
    page.fill("#other-size", "300")
    page.click("#add-size")
    assert "no upscaling" in page.locator("#sizes-hint").inner_text()
    assert "300" in ticked(page, "#sizes")


def test_a_run_of_several_qualities_and_filters_shows_them_everywhere(visit, app):
    page = visit.open("/?sample=cat&sizes=64,32&fmt=jpeg&q=90,30&filter=lanczos,box&repeat=6")
    page.locator("#photo-image[src]").wait_for()
    page.click("#run")
    assert visit.wait_end() == "done"
    report = app.report(visit.run_id())
    assert report["plan"]["jpeg_qualities"] == [90, 30]
    ids = [each["id"] for each in report["variants"]]
    assert {"64-jpeg-90", "64-jpeg-30-box"} < set(ids)
    assert len(ids) == len(set(ids)) == 1 + 2 * 2 * 2
    rows = page.locator("#variants tbody tr")
    assert rows.count() == len(ids)
    assert page.locator("#row-32-jpeg-30-box").get_by_text("JPEG q30 Box", exact=True).is_visible()
    page.locator(".plot.by_quality .main-svg").first.wait_for()
    assert "Quality" in page.locator(".plot.by_quality h3").inner_text()
    page.locator("#row-64-jpeg-30-box .row-button").click()
    page.get_by_role("dialog", name="64 px JPEG q30 Box").wait_for()


def test_a_format_that_the_model_does_not_read_is_greyed_with_the_reason(browser, old_server):
    with visiting(browser, old_server.url) as visit:
        visit.open("/?fmt=jpeg,webp")
        page = visit.open_plan()
        box = page.locator("#formats").get_by_label("WebP", exact=True)
        box.and_(page.locator(":disabled")).wait_for()
        assert not box.is_checked()
        assert page.locator("#formats-hint").inner_text() == "This model reads JPEG, PNG, GIF and BMP."
        assert ticked(page, "#formats") == ["jpeg"]


def test_decoding_measured_apart_is_planned_counted_and_shown(browser, old_server):
    with visiting(browser, old_server.url) as visit:
        page = visit.open("/?sample=cat&sizes=64,32&fmt=jpeg&repeat=6")
        page.locator("#photo-image[src]").wait_for()
        page.get_by_text("48 requests").wait_for()  # 3 variants, 3 + 6 to predict, 1 + 6 to decode
        page.click("#run")
        assert visit.wait_end() == "done"
        assert old_server.report(visit.run_id())["requests"] == {
            "planned": 48,
            "done": 48,
            "failed": 0,
            "not_sent": 0,
        }
        page.locator("#row-64-jpeg-85 .row-button").click()
        page.get_by_text("to send and decode, measured apart").wait_for()
