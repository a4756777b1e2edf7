"""An exported report is dropped onto the page and shows the run again, in a real browser."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from experiment.export.report_json import report_dict, report_json
from tests.support.processes.browser import PATIENCE_MS, Visit
from tests.support.records import sample_report
from tests.support.reports import HOSTILE
from tests.support.set_records import photos, summary

pytestmark = pytest.mark.browser

DROP = """
(text) => {
  const data = new DataTransfer();
  data.items.add(new File([text], "run.json", { type: "application/json" }));
  document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
}
"""


def test_a_dropped_report_shows_the_run_again_without_its_images(visit: Visit, app):
    made = report_dict(sample_report(("8 CPU", "1 CPU")))
    made["source"]["name"] = HOSTILE
    page = visit.open("/")
    page.evaluate(DROP, report_json(made))
    page.wait_for_url("**/runs/*")
    visit.wait_ready()
    page.wait_for_selector(".plot .main-svg")
    assert page.locator("#recommendation-title").inner_text() == made["recommendation"]["sentence"]
    told = page.locator("#photo-facts").inner_text()
    assert "Imported from run.json, measured on May 4, 2026" in told
    assert told.endswith("on AMD EPYC 9B14.")
    assert HOSTILE in page.locator("#photo-name").inner_text()
    page.click("#share summary")
    assert page.locator("#variants tbody tr").count() == len(made["variants"])
    assert page.locator("#exports a").all_inner_texts() == ["Report .html", "JSON", "CSV", "Card .png"]
    assert page.locator("#follow-ups").is_hidden()
    page.locator("#row-512-jpeg-85 button").click()
    expect(page.locator("#drawer-body")).to_contain_text("holds no pictures", timeout=PATIENCE_MS)
    assert page.locator("#drawer-body img").count() == 0
    found = app.report(visit.run_id())
    assert {k: v for k, v in found.items() if k not in {"run_id", "imported", "has_pictures"}} == {
        k: v for k, v in made.items() if k != "run_id"
    }


def test_a_set_comes_back_too_and_a_damaged_file_says_what_to_do(visit: Visit):
    made = report_dict(summary(photos(both=20, lost=3)))
    page = visit.open("/")
    damaged = report_json(made)[:3000].encode()
    page.set_input_files("#file", [{"name": "cut.json", "mimeType": "application/json", "buffer": damaged}])
    expect(page.locator(".notice")).to_contain_text(
        "cut.json is damaged: it ends too early.", timeout=PATIENCE_MS
    )
    expect(page.locator(".notice")).to_contain_text("Export it again")
    assert page.locator(".notice button").first.inner_text() == "Choose another"
    other = json.dumps(made | {"schema_version": "2.0"}).encode()
    page.set_input_files("#file", [{"name": "new.json", "mimeType": "application/json", "buffer": other}])
    expect(page.locator(".notice")).to_contain_text("written by another Pixelcost", timeout=PATIENCE_MS)
    whole = report_json(made).encode()
    page.set_input_files("#file", [{"name": "set.json", "mimeType": "application/json", "buffer": whole}])
    page.wait_for_url("**/runs/*")
    visit.wait_ready()
    page.wait_for_selector(".plot .main-svg")
    assert page.locator("#recommendation-title").inner_text() == made["recommendation"]["sentence"]
    page.click("#share summary")
    assert page.locator("#exports a").all_inner_texts() == ["Report .html", "JSON", "CSV", "Card .png"]
    page.click("#runs-button")
    expect(page.locator(".runs li").first).to_contain_text("imported", timeout=PATIENCE_MS)
