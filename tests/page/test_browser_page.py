"""Resizing in the browser on the page, in a real one: pica and canvas, EXIF, noise, cancel, and ways out."""

from __future__ import annotations

import io
import re

import pytest
import requests
from PIL import Image

from tests.support.odd_photos import encoded, exif, photo
from tests.support.processes.app_process import free_port, running_app
from tests.support.processes.browser import visiting
from tools import chromium, vendor

pytestmark = pytest.mark.browser

WATCH_PROGRESS = """
window.told = [];
new MutationObserver(() => window.told.push(document.querySelector("#progress-text")?.textContent))
  .observe(document, { subtree: true, childList: true, characterData: true });
"""
NOISY = """
const honest = CanvasRenderingContext2D.prototype.getImageData;
CanvasRenderingContext2D.prototype.getImageData = function (...where) {
  const found = honest.apply(this, where);
  for (let at = 0; at < found.data.length; at += 40) found.data[at] ^= 1;
  return found;
};
"""
WITHOUT_WEBP = """
const able = OffscreenCanvas.prototype.convertToBlob;
OffscreenCanvas.prototype.convertToBlob = function (options) {
  return able.call(this, options.type === "image/webp" ? { type: "image/png" } : options);
};
"""
WITHOUT_OFFSCREEN = "delete window.OffscreenCanvas;"


def ready(visit, path: str):
    """The page with the cat and a watch over what the console says of its policy."""
    said: list[str] = []
    visit.page.on("console", lambda message: said.append(message.text))
    page = visit.open(path)
    page.locator("#photo-image[src]").wait_for()
    return page, said


def run_label(page) -> str:
    return page.locator("#run").inner_text().split(" × ")[0]


def test_variants_made_here_are_measured_and_told_as_such(visit, app):
    visit.page.add_init_script(WATCH_PROGRESS)
    page, said = ready(visit, "/?sample=cat&sizes=128,64&fmt=png,jpeg&repeat=6&resize=browser")
    assert run_label(page) == "Run 5 variants"
    page.click("#run")
    assert visit.wait_end() == "done"
    told = page.evaluate("told")
    assert any(re.fullmatch(r"Making 4 variants \([0-4] done\)", each or "") for each in told)
    assert not [text for text in said if "Content Security Policy" in text]
    report = app.report(visit.run_id())
    made = {each["id"]: each for each in report["variants"]}
    names = ["128-png-pica", "128-jpeg-85-pica", "64-png-pica", "64-jpeg-85-pica"]
    assert list(made) == ["original", *names]
    assert report["requests"]["planned"] == 2 * 5 * 9
    version = next(file.version for file in vendor.FILES if file.path == "vendor/pica.js")
    assert made["128-png-pica"]["encoder"].startswith(f"pica {version} (Lanczos 3), Chromium ")
    assert made["128-jpeg-85-pica"]["encoder"].endswith("canvas encoder, q85, 4:2:0")
    for name in names:
        assert made[name]["made_in"] == "browser"
        assert made[name]["canvas_noise"] is False
        assert min(made[name][f"{stage}_ms"] for stage in ("decode", "resize", "encode")) >= 0
    assert report["environment"]["browser"].startswith("Chromium ")
    assert report["environment"]["browser_clock_resolution_us"] > 0
    row = page.locator("#row-128-png-pica")
    assert row.locator("td[data-label='made in']").inner_text() == "browser"
    assert row.locator("td[data-label='channels']").inner_text() == "4"
    row.locator(".row-button").click()
    page.get_by_role("dialog", name="128 px PNG browser/pica").wait_for()
    page.get_by_text("the browser, by pica").wait_for()
    assert page.locator("#resizers").is_hidden()


def test_both_places_agree_on_a_photo_that_lies_on_its_side(visit, app):
    visit.never_by_itself()
    page = visit.open("/?sizes=128&fmt=png,jpeg&repeat=6&resize=both&engine=pica,canvas")
    lying = encoded(photo(240, 160), "JPEG", exif=exif(6), quality=95)
    page.set_input_files("#file", {"name": "lying.jpg", "mimeType": "image/jpeg", "buffer": lying})
    page.locator("#photo-facts", has_text="160 × 240 px").wait_for()
    assert run_label(page) == "Run 7 variants"
    assert page.locator("#upload-original").is_disabled()
    page.click("#run")
    assert visit.wait_end() == "done"
    report = app.report(visit.run_id())
    assert report["source"]["exif_orientation"] == 6
    pairs = {pair["browser_id"]: pair for pair in report["resizers"]["pairs"]}
    assert set(pairs) == {"128-png-pica", "128-png-canvas", "128-jpeg-85-pica", "128-jpeg-85-canvas"}
    assert {(each["width_px"], each["height_px"]) for each in report["variants"][1:]} == {(85, 128)}
    assert pairs["128-png-pica"]["psnr_db"] > 42  # the same filter: turned otherwise it would be below 20
    assert pairs["128-png-pica"]["psnr_db"] > pairs["128-png-canvas"]["psnr_db"] > 20
    card = page.locator("#resizers")
    assert report["resizers"]["sentence"] in card.inner_text()
    card.locator("summary").click()
    assert card.locator("tbody tr").count() == 4


@pytest.mark.parametrize("orientation", [3, 5, 6])
def test_both_places_agree_on_a_webp_that_says_how_to_turn_it(visit, app, orientation):
    """Chromium does not obey EXIF in a WebP; a square one shows that turning is more than a shape."""
    size_px = (240, 160) if orientation == 6 else (160, 160)
    visit.never_by_itself()
    page = visit.open("/?sizes=128&fmt=png&repeat=1&resize=both&engine=pica")
    lying = encoded(photo(*size_px), "WEBP", exif=exif(orientation), lossless=True)
    page.set_input_files("#file", {"name": "lying.webp", "mimeType": "image/webp", "buffer": lying})
    size = "160 × 240 px" if orientation == 6 else "160 × 160 px"
    page.locator("#photo-facts", has_text=size).wait_for()
    page.click("#run")
    assert visit.wait_end() == "done"
    report = app.report(visit.run_id())
    assert report["source"]["exif_orientation"] == orientation
    [pair] = report["resizers"]["pairs"]
    assert pair["psnr_db"] > 42


def test_without_the_original_the_photo_stays_here_and_the_page_says_what_the_reference_is(visit, app):
    sent: list[str] = []
    page, _ = ready(visit, "/?sample=cat&sizes=128,64&fmt=png&repeat=6&resize=browser")
    page.on(
        "request",
        lambda request: (
            sent.append(request.post_data_buffer.decode("latin-1", "replace"))
            if request.method == "POST" and request.post_data_buffer
            else None
        ),
    )
    visit.open_plan()
    page.locator("#upload-original").uncheck()
    assert run_label(page) == "Run 2 variants"
    assert "the largest variant is the reference" in page.locator("#resize-hint").inner_text()
    page.click("#run-plan")
    assert visit.wait_end() == "done"
    report = app.report(visit.run_id())
    assert [(each["id"], each["is_reference"]) for each in report["variants"]] == [
        ("128-png-pica", True),
        ("64-png-pica", False),
    ]
    assert report["source"]["original"] == {"size_bytes": 240_512, "width_px": 451, "height_px": 300}
    assert report["source"]["name"] == "cat.png"
    assert 'name="file"' not in "".join(sent)
    page.locator("#problems > summary").click()
    assert "The original was not uploaded" in page.locator("#problems").inner_text()
    assert "reference" in page.locator("#row-128-png-pica").inner_text()


def test_a_browser_that_changes_pixels_and_writes_no_webp_is_told_of(visit, app):
    """As Brave and Safari; what is patched here is the browser, in the page and in the worker."""

    def without_webp(route):
        answer = route.fetch()
        route.fulfill(response=answer, body=WITHOUT_WEBP + answer.text())

    visit.page.add_init_script(NOISY)
    page, _ = ready(visit, "/?sample=cat&sizes=64&fmt=png,webp&repeat=6&resize=browser")
    page.route("**/resize_worker.js", without_webp)
    page.click("#run")
    page.get_by_text("This browser does not write WebP.").wait_for()
    assert visit.wait_end() == "done"
    report = app.report(visit.run_id())
    assert [each["canvas_noise"] for each in report["variants"]] == [None, True]
    assert report["environment"]["browser_noise_bytes"] > 0
    page.locator("#problems > summary").click()
    assert "Your browser changes pixels it reads back" in page.locator("#problems").inner_text()
    cells = [cell for cell in report["cells"] if cell["variant_id"] == "64-png-pica" and cell["count"]]
    assert {cell["validity"] for cell in cells} == {"INVALID"}


def test_making_variants_can_be_cancelled(visit):
    page, _ = ready(visit, "/?sample=cat&sizes=64&fmt=png&repeat=6&resize=browser")
    held: list[object] = []

    def hold(route):
        held.append(route)

    page.route("**/vendor/pica.js", hold)  # the worker waits for it, for ever
    page.click("#run")
    page.get_by_text("Decoding the photo in this browser").first.wait_for()
    page.wait_for_timeout(800)  # a second click at once would count as a double click
    page.click("#run")
    visit.wait_until("document.querySelector('#run').textContent.startsWith('Run ')")
    assert page.get_by_role("alert").count() == 0
    assert page.get_by_text("Stopped before anything was measured.").is_visible()
    assert page.locator("#results-empty").inner_text() == "Results appear here as they are measured."
    assert held


def test_a_browser_without_offscreen_canvas_leaves_it_to_the_server(visit):
    visit.page.add_init_script(WITHOUT_OFFSCREEN)
    page, _ = ready(visit, "/?sample=cat&sizes=64&fmt=jpeg&repeat=6&resize=both")
    assert page.locator("input[name=resize_in][value=browser]").is_disabled()
    assert page.locator("input[name=resize_in][value=server]").is_checked()
    assert "no OffscreenCanvas" in page.locator("#resize-hint").inner_text()
    assert run_label(page) == "Run 2 variants"


def test_it_works_on_plain_http_by_host_name(browser, app, tmp_path):
    info = app.backends()["1 CPU"]
    servers = f"CPU:{info['address']}?model={info['model']}"
    with running_app(tmp_path, TF_SERVERS=servers, PIXELCOST_ALLOWED_HOSTS="node.test") as named:
        resizes_here_by_name(browser, named)


def resizes_here_by_name(browser, app):
    rules = ("--host-resolver-rules=MAP node.test 127.0.0.1",)
    other = browser.browser_type.launch(executable_path=chromium.find(), args=[*chromium.FLAGS, *rules])
    try:
        with visiting(other, f"http://node.test:{app.port}") as visit:
            page, _ = ready(visit, "/?sample=cat&sizes=64&fmt=jpeg&repeat=6&resize=browser")
            assert page.evaluate("[isSecureContext, typeof crypto.subtle]") == [False, "undefined"]
            page.click("#run")
            assert visit.wait_end() == "done"
            assert app.report(visit.run_id())["variants"][1]["made_in"] == "browser"
    finally:
        other.close()


def test_a_photo_over_the_limit_is_shrunk_here_and_then_taken(browser, tmp_path):
    servers = {"TF_SERVERS": f"Gone:127.0.0.1:{free_port()}", "PIXELCOST_MAX_PIXELS": "100000"}
    with running_app(tmp_path, **servers) as small, visiting(browser, small.url) as visit:
        visit.never_by_itself()
        page = visit.open("/?sizes=64&fmt=jpeg&repeat=1")
        large = {"name": "large.jpg", "mimeType": "image/jpeg", "buffer": encoded(photo(600, 400), "JPEG")}
        page.set_input_files("#file", large)
        alert = page.get_by_role("alert")
        assert "the limit is" in alert.inner_text()
        alert.get_by_role("button", name="Shrink it here first").click()
        page.locator("#photo-facts", has_text="387 × 258 px").wait_for()
        assert page.locator("#photo-name").inner_text() == "large (shrunk here).jpg"
        assert "this copy is the reference" in page.locator("#photo-facts").inner_text()
        page.click("#run")
        visit.wait_until("location.pathname.startsWith('/runs/')")
        visit.wait_until("!document.querySelector('#results-body').hidden")
        sent = requests.get(f"{small.url}/api/runs/{visit.run_id()}/variants/original", timeout=30).content
        assert Image.open(io.BytesIO(sent)).size == (387, 258)
        page.keyboard.press("Escape")
