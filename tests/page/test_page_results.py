"""The page in a real browser showing a stored run: exports, plots, table, inspector, history."""

from __future__ import annotations

import io
import json
import shlex
import zipfile

import jsonschema
import pytest
import requests

from experiment.export.report_json import SCHEMA
from tests.support.processes.app_process import CAT
from tests.support.processes.browser import SMALL, visiting

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def stored(browser, app):
    """Id of a finished run that tests only look at."""
    with visiting(browser, app.url) as visit:
        page = visit.open(SMALL)
        page.locator("#photo-image[src]").wait_for()
        page.click("#run")
        assert visit.wait_end() == "done"
        return visit.run_id()


def test_every_export_opens(visit, app, stored):
    page = visit.open(f"/runs/{stored}")
    content = {}
    page.click("#share > summary")
    for words in ("Report .html", "JSON", "CSV", "Variants .zip"):
        with page.expect_download() as download:
            page.locator("#exports").get_by_text(words, exact=True).click()
        content[words] = download.value.path().read_bytes()
    report = json.loads(content["JSON"])
    jsonschema.validate(report, SCHEMA)
    assert report["run_id"] == stored
    assert content["CSV"].decode().count("\n") == len(report["cells"]) + 1
    assert b"<html" in content["Report .html"][:200]
    with zipfile.ZipFile(io.BytesIO(content["Variants .zip"])) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == len(report["variants"]) + 1


def test_the_recommendation_can_be_used_by_a_command_that_the_page_shows(visit, app, stored):
    page = visit.open(f"/runs/{stored}")
    page.click("#share > summary")
    page.get_by_role("button", name="Use via API").click()
    classify = page.locator('.command[data-kind="classify"]')
    command = classify.locator("pre").inner_text()
    curl, _, file, url = shlex.split(command)
    assert (curl, file) == ("curl", "file=@photo.jpg")
    assert url == f"{visit.url}/api/classify?run={stored}"
    classify.get_by_role("button").click()
    classify.get_by_text("Copied").wait_for()
    answer = requests.post(url, files={"file": ("photo.jpg", CAT.read_bytes())}, timeout=60).json()
    recommended = page.locator("#recommendation-title").inner_text()
    assert f" on {answer['backend']} (" in recommended and answer["run_id"] == stored


def test_a_plot_can_be_saved_and_read_as_a_table(visit, stored):
    page = visit.open(f"/runs/{stored}")
    plot = page.locator("[data-name=latency_by_size]")
    plot.locator(".main-svg").first.wait_for()
    with page.expect_download() as download:
        plot.get_by_text("PNG", exact=True).click()
    assert download.value.path().read_bytes().startswith(b"\x89PNG")
    plot.get_by_text("Show as table").click()
    figure = requests.get(f"{visit.url}/api/runs/{stored}/figures", timeout=30).json()["latency_by_size"]
    assert plot.locator("tbody tr").count() == len(figure["meta"]["table"]["rows"])
    assert plot.locator("th").all_inner_texts() == figure["meta"]["table"]["columns"]


def test_the_inspector_shows_the_bytes_that_were_sent(visit, app, stored):
    page = visit.open(f"/runs/{stored}?sel=64-jpeg-85")
    page.get_by_role("dialog", name="64 px JPEG").wait_for()
    variant = next(each for each in app.report(stored)["variants"] if each["id"] == "64-jpeg-85")
    assert variant["sha256"] in page.locator("#drawer").inner_text()
    visit.wait_until("[...document.querySelectorAll('#drawer img')].every(image => image.naturalWidth > 0)")
    assert page.locator("#drawer .answers li").count() >= 5


def test_the_theme_is_kept_and_the_plots_follow_it(visit, stored):
    page = visit.open(f"/runs/{stored}")
    page.locator(".plot .main-svg").first.wait_for()
    colour = "getComputedStyle(document.querySelector('.plot .xtick text')).fill"
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour), page.evaluate(background)
    page.select_option("#theme", "dark")
    visit.wait_until(f"{colour} !== {json.dumps(light[0])}")
    assert page.evaluate(background) != light[1]
    visit.reload()
    assert page.input_value("#theme") == "dark"
    assert page.evaluate(background) != light[1]


def test_the_history_leads_to_a_stored_run_and_can_forget_it(visit, app):
    run_id = app.post_run(CAT.read_bytes(), '{"sizes_px": [32], "repeats": 6}', "forget me.png").json()["id"]
    app.finished(run_id)
    page = visit.open()
    page.click("#runs-button")
    page.locator("#drawer").get_by_role("link", name="forget me.png").click()
    visit.wait_ready()
    assert visit.wait_end() == "done"
    assert visit.run_id() == run_id
    assert page.locator("#photo-name").inner_text() == "forget me.png"
    page.click("#runs-button")
    remove = page.get_by_role("button", name="Remove forget me.png")
    remove.click()
    page.get_by_text("Remove this run?").wait_for()
    page.get_by_role("button", name="Keep").click()
    remove.click()
    page.get_by_role("button", name="Remove forget me.png for good").click()
    page.locator("#drawer").get_by_text("forget me.png").wait_for(state="detached")
    visit.reload()
    assert "Run not found. It may have been deleted" in page.get_by_role("alert").inner_text()


def test_a_stored_run_can_be_changed_and_run_again(visit, stored):
    page = visit.open(f"/runs/{stored}")
    visit.open_plan()
    assert page.locator("#sizes input:checked").evaluate_all("all => all.map(e => e.value)") == ["64", "32"]
    page.locator("#sizes label", has_text="64").click()
    page.click("#run-plan")
    visit.wait_until(f"!location.pathname.endsWith({json.dumps(stored)})")
    assert visit.wait_end() == "done"
    assert page.locator("#variants tbody tr").count() == 2


def test_backends_that_slowed_each_other_can_be_measured_again_one_at_a_time(visit, app):
    page = visit.open(SMALL)
    page.locator("#photo-image[src]").wait_for()
    visit.open_plan()
    page.get_by_text("More", exact=True).click()
    page.select_option("#order", "parallel")
    page.click("#run-plan")
    assert visit.wait_end() == "done"
    in_parallel = visit.run_id()
    page.locator("#problems > summary").click()
    page.locator("#problems").get_by_role("button", name="Run one at a time").first.click()
    visit.wait_until(f"!location.pathname.endsWith({json.dumps(in_parallel)})")
    assert visit.wait_end() == "done"
    report = requests.get(f"{app.url}/api/runs/{visit.run_id()}", timeout=30).json()
    assert report["plan"]["order"] == "one_at_a_time"
    assert "W3" not in {warning["code"] for warning in report["warnings"]}


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_makes_the_page_scroll_sideways(browser, app, stored, width):
    with visiting(browser, app.url, viewport={"width": width, "height": 800}) as visit:
        for path in ("/", f"/runs/{stored}", f"/runs/{stored}?sel=original"):
            page = visit.open(path)
            if path != "/":
                page.locator(".plot .main-svg").first.wait_for()
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path


@pytest.mark.parametrize("width", [390, 1280])
def test_what_computes_on_each_backend_is_told_where_there_is_room_to_read_it(browser, app, stored, width):
    with visiting(browser, app.url, viewport={"width": width, "height": 800}) as visit:
        page = visit.open("/")
        page.click("#backends-button")
        card = page.locator(".backend.ready").first
        card.get_by_text("TensorFlow 2.").wait_for()
        page = visit.open(f"/runs/{stored}")
        page.locator("#method-tab > summary").click()
        words = page.locator("#environment dd", has_text="TensorFlow 2.").first
        assert ", f32," in words.inner_text()
        assert words.bounding_box()["width"] > 150
        assert page.evaluate("document.documentElement.scrollWidth") <= width
