"""Adding a server in Chromium: tested, measured, remembered by this browser only, and removed."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.support.processes.axe import violations
from tests.support.processes.serving_process import MODEL

pytestmark = pytest.mark.browser


def test_a_server_is_added_on_the_page_measured_by_this_browser_only_and_removed(
    app: Any, default_server: Any, visit: Any
) -> None:
    page = visit.open("/")
    page.click("#backends-button")
    page.click("#add-server")
    page.fill("#server-address", "http://nowhere")
    page.press("#server-address", "Enter")  # tests, and starts no run
    page.wait_for_selector("#server-address-note:has-text('must be host:port')")
    assert page.locator("#server-address").get_attribute("aria-invalid") == "true"
    assert page.evaluate("document.activeElement.id") == "server-address"

    page.fill("#server-address", default_server.grpc_address)
    page.fill("#server-model", "other")
    page.click("#server-test")
    page.wait_for_selector("#server-said:has-text('no model named other')")
    page.fill("#server-model", MODEL)
    page.fill("#server-name", "Mine")
    page.fill("#server-price-per-hour", "0.25")
    page.click("#server-save")
    page.wait_for_selector("#own-servers:has-text('Mine')")
    assert "Ready." in page.locator("#server-said").inner_text()
    assert page.locator("#server-address").input_value() == ""
    assert violations(page) == []
    assert page.locator("#asked input[value=Mine]").is_checked()

    visit.open("/?sample=cat&sizes=64&fmt=jpeg&repeat=6")  # remembered by this browser
    assert "Mine" in page.locator("#backend-chips").inner_text()
    page.click("#edit-plan")
    while (others := page.locator("#asked input:not([value=Mine]):checked")).count():
        others.first.uncheck()
    page.click("#plan-close")
    page.locator("#run").click()
    visit.wait_until("/\\/runs\\/\\w+$/.test(location.pathname)")
    visit.wait_end()
    report = requests.get(f"{app.url}/api/runs/{visit.run_id()}", timeout=30).json()
    mine = next(row for row in report["backends"] if row["name"] == "Mine")
    assert (mine["added_as"], mine["price_per_hour"]) == (default_server.grpc_address, 0.25)
    assert all(cell["count"] == 6 for cell in report["cells"] if cell["backend_name"] == "Mine")

    assert "Mine" not in app.backends()  # as another browser would show them

    page.click("#edit-plan")
    page.click("#own-servers button")
    visit.wait_until("!document.querySelector('#backend-chips').textContent.includes('Mine')")
    visit.reload()
    assert "Mine" not in page.locator("#backend-chips").inner_text()
