"""The page as companies put it up: under a path, by host name, on plain http, behind a buffering proxy."""

from __future__ import annotations

import pytest

from tests.support.processes.app_process import running_app
from tests.support.processes.browser import visiting
from tests.support.processes.proxies import PREFIX, nginx, nginx_path, stubborn, stubborn_server
from tools import chromium

pytestmark = pytest.mark.browser

HOST = "pixelcost.test"  # .test is nobody's; the browser alone is told where it is
RUN = "/?sample=cat&sizes=64,32&fmt=jpeg&repeat=1000"  # stopped as soon as results are seen
FILLED = "[...document.querySelectorAll('#variants td.first')].filter((td) => /[0-9]/.test(td.textContent))"
PROXIES = {
    "nginx": pytest.param(
        "nginx", marks=pytest.mark.skipif(nginx_path() is None, reason="nginx is not installed")
    ),
    "stubborn": "stubborn",
}


@pytest.fixture(scope="module")
def behind(app, tmp_path_factory):
    """The web process alone, on the shared app's backends, told that a proxy stands before it."""
    ready = [
        each for each in app.backends().values() if (each["state"], each["protocol"]) == ("ready", "grpc")
    ]
    servers = ";".join(f"{each['name']}:{each['address']}?model={each['model']}" for each in ready)
    folder = tmp_path_factory.mktemp("behind")
    with running_app(folder, TF_SERVERS=servers, PIXELCOST_TRUST_PROXY="1") as started:
        yield started


@pytest.fixture(scope="module")
def far_browser(browser):
    """A browser to which the app is another host, so that the page has no rights of localhost."""
    flags = [*chromium.FLAGS, f"--host-resolver-rules=MAP {HOST} 127.0.0.1"]
    launched = browser.browser_type.launch(executable_path=chromium.find(), args=flags)
    yield launched
    launched.close()


@pytest.mark.parametrize("kind", PROXIES.values(), ids=PROXIES)
def test_a_whole_visit_by_host_name_under_a_path_behind_a_buffering_proxy(
    far_browser, behind, tmp_path, kind
):
    proxy = nginx(behind.url, tmp_path) if kind == "nginx" else stubborn(behind.url)
    with proxy as port, visiting(far_browser, f"http://{HOST}:{port}") as visit:
        page = visit.open(PREFIX + RUN)
        assert not page.evaluate("isSecureContext || navigator.clipboard")
        page.locator("#photo-image[src]").wait_for()
        page.click("#run")
        page.get_by_text("Result so far").wait_for()
        visit.wait_until(f"{FILLED}.length >= 6")
        page.keyboard.press("Escape")
        assert visit.wait_end() == "cancelled"
        assert page.url.startswith(f"http://{HOST}:{port}{PREFIX}/runs/")
        answered = [each for each in behind.report(visit.run_id())["cells"] if each["count"]]
        assert page.evaluate(f"{FILLED}.length") == len(answered)
        page.click("#share summary")
        page.click("#copy-link")
        page.get_by_text("Link copied").or_(page.get_by_text("Press Ctrl+C")).first.wait_for()
        with page.expect_download() as download:
            page.locator("#exports").get_by_text("JSON", exact=True).click()
        assert download.value.path().stat().st_size > 1000
        visit.reload()
        assert visit.wait_end() == "cancelled"
        page.locator("#runs-button").click()
        link = page.locator("#drawer .runs a").first
        assert link.get_attribute("href").startswith(f"{PREFIX}/runs/")


def test_a_stream_that_is_cut_again_and_again_loses_nothing(browser, behind):
    with (
        stubborn_server(behind.url) as proxy,
        visiting(browser, f"http://127.0.0.1:{proxy.server_port}") as visit,
    ):
        page = visit.open(f"{PREFIX}/?sample=cat&sizes=64,32&fmt=jpeg&repeat=200")
        page.locator("#photo-image[src]").wait_for()
        page.click("#run")
        seen = 20
        for _ in range(2):
            visit.wait_until(f"document.querySelector('#progress.running')?.value > {seen}")
            assert proxy.cut() == 1
            seen = page.evaluate("document.querySelector('#progress').value")
        assert visit.wait_end() == "done"
        report = behind.report(visit.run_id())
        assert report["requests"]["done"] == report["requests"]["planned"]
        assert page.evaluate("document.querySelector('#progress').value") == report["requests"]["planned"]
        assert page.evaluate(f"{FILLED}.length") == len(report["cells"])
