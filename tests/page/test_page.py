"""The page in a real browser, against the real app: from a photo to a run that ends."""

from __future__ import annotations

import gzip
import re

import pytest

from tests.support.odd_photos import photo
from tests.support.photo_files.boxes import heic
from tests.support.processes.app_process import CAT, free_port, running_app
from tests.support.processes.browser import SMALL, visiting

pytestmark = pytest.mark.browser

LONG = "/?sample=cat&sizes=64,32&fmt=jpeg&repeat=150"  # long enough to be looked at while it goes on
MOST_REQUESTS = 11
MOST_BYTES = 60_000


@pytest.fixture(scope="module")
def half_dead(app, tmp_path_factory):
    """An app with one of the shared app's backends and one that nobody answers."""
    address = app.backends()["1 CPU"]["address"]
    model = app.backends()["1 CPU"]["model"]
    servers = f"Alive:{address}?model={model};Gone:127.0.0.1:{free_port()}?model={model}"
    folder = tmp_path_factory.mktemp("half-dead")
    with running_app(folder, TF_SERVERS=servers, PIXELCOST_TRUST_PROXY="1") as started:
        yield started


def test_a_photo_chosen_from_disk_is_measured_to_a_recommendation(visit):
    page = visit.open("/?sizes=64&fmt=jpeg&repeat=6")
    with page.expect_file_chooser() as chooser:
        page.click("#choose")
    chooser.value.set_files(CAT)
    page.locator("#photo-facts", has_text="451 × 300 px").wait_for()
    assert visit.wait_end() == "done"
    assert page.locator("#recommendation-title").inner_text()
    assert page.locator("#variants tbody tr").count() == 2
    assert page.locator(".plot .main-svg").count() >= 4
    assert "failed" not in page.locator("#variants tbody").inner_text()
    assert leaks(page) == []


def leaks(page) -> list[str]:
    """Words that no person should read: values that a script forgot to turn into text."""
    return re.findall(
        r"\b(?:null|undefined|NaN|false|true|\[object \w+\])\b", page.locator("main").inner_text()
    )


@pytest.mark.parametrize("way", ["paste", "drop"])
def test_a_photo_can_be_pasted_and_dropped_anywhere(visit, way):
    page = visit.open()
    page.evaluate(
        """async (way) => {
          const photo = await (await fetch("static/samples/cat.png")).blob();
          const data = new DataTransfer();
          data.items.add(new File([photo], "from elsewhere.png", { type: "image/png" }));
          document.body.dispatchEvent(way === "paste"
            ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true })
            : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        way,
    )
    page.locator("#photo-facts", has_text="451 × 300 px").wait_for()
    assert page.locator("#photo-name").inner_text() == "from elsewhere.png"


def test_a_pasted_heic_without_a_type_is_measured_and_then_described_as_the_server_read_it(visit):
    """Chromium can't decode it, and names no type where the system knows none."""
    page = visit.open("/?sizes=64&fmt=jpeg&repeat=6")
    page.evaluate(
        """(bytes) => {
          const data = new DataTransfer();
          data.items.add(new File([Uint8Array.from(bytes)], "IMG_1.HEIC", { type: "" }));
          document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
        }""",
        list(heic(photo(120, 90))),
    )
    page.locator("#photo-name", has_text="IMG_1.HEIC").wait_for()
    page.locator("#photo-facts", has_text=re.compile("^HEIC, 120 × 90 px, ")).wait_for()


def test_pasted_text_is_told_from_an_image(visit):
    page = visit.open()
    page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.setData("text/plain", "no image");
          document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
        }"""
    )
    page.get_by_text("The clipboard holds text, not an image.").wait_for()


def test_the_sample_cat_presets_the_sizes_that_fit_it(visit):
    page = visit.open("/?sample=cat")
    page.locator("#photo-facts", has_text="451 × 300 px").wait_for()
    visit.open_plan()
    chips = page.locator("#sizes input")
    assert chips.evaluate_all("all => all.filter(e => e.checked).map(e => e.value)") == [
        "256",
        "128",
        "64",
        "32",
    ]
    assert page.locator("#sizes label", has_text="2048").get_attribute("title") == (
        "Larger than the original (451 px)"
    )
    assert "9 variants" in page.locator("#run").inner_text()


def test_progress_and_results_show_while_the_run_goes_on_and_cancel_keeps_them(visit):
    page = visit.open(LONG)
    page.locator("#photo-image[src]").wait_for()
    page.click("#run")
    visit.wait_until("document.querySelector('#progress').value > 20")
    page.get_by_text("Result so far").wait_for()
    assert page.evaluate(
        "document.querySelector('#progress').value < document.querySelector('#progress').max"
    )
    assert page.evaluate("document.activeElement.id") == "run"
    assert leaks(page) == []
    page.click("#run")
    assert visit.wait_end() == "cancelled"
    assert "The results so far are kept." in page.locator("#progress-text").inner_text()
    assert page.locator("#variants tbody tr").count() == 3


def test_a_reload_in_mid_run_goes_on_with_the_same_run(visit, app):
    page = visit.open("/?sample=cat&sizes=64,32&fmt=jpeg&repeat=150")
    page.locator("#photo-image[src]").wait_for()
    page.click("#run")
    visit.wait_until("location.pathname.startsWith('/runs/')")  # before it, the bar counts what is uploaded
    visit.wait_until("document.querySelector('#progress').value > 20")
    run_id = visit.run_id()
    visit.reload()
    visit.wait_until("document.querySelector('#run').innerText === 'Cancel'")
    assert visit.wait_end() == "done"
    assert visit.run_id() == run_id
    report = app.report(run_id)
    assert report["requests"]["done"] == report["requests"]["planned"]
    assert page.locator("#variants tbody tr").count() == len(report["variants"])


def test_a_broken_connection_is_said_and_made_good(visit):
    page = visit.open(LONG)
    breaks = [0]

    def fail_twice(route):
        breaks[0] += 1
        return route.abort() if breaks[0] <= 2 else route.continue_()

    page.route("**/api/runs/*/events*", fail_twice)
    page.locator("#photo-image[src]").wait_for()
    page.click("#run")
    page.get_by_text(
        "Lost the connection to the server. The run continues there; reconnecting (2)..."
    ).first.wait_for()
    page.click("text=Try now")
    page.get_by_text("Back. Nothing was lost.").first.wait_for()
    page.keyboard.press("Escape")
    assert visit.wait_end() == "cancelled"


def test_a_backend_that_is_down_costs_only_its_own_cells(browser, half_dead):
    with visiting(browser, half_dead.url) as visit:
        page = visit.open(SMALL)
        assert "No answer at 127.0.0.1" in page.locator(".backend.down").inner_text()
        page.locator("#photo-image[src]").wait_for()
        page.click("#run")
        assert visit.wait_end() == "done"
        cells = half_dead.report(visit.run_id())["cells"]
        assert {cell["count"] for cell in cells if cell["backend_name"] == "Alive"} == {6}
        assert {cell["count"] for cell in cells if cell["backend_name"] == "Gone"} == {0}
        assert half_dead.report(visit.run_id())["requests"]["failed"] == 0
        page.locator("#problems summary").click()
        assert "Gone was left out" in page.locator("#problems").inner_text()
        assert "on Alive" in page.locator("#recommendation-title").inner_text()


def test_everything_can_be_done_with_the_keyboard_alone(visit):
    page = visit.open("/?sizes=64,32&fmt=jpeg&repeat=6")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    tab_to(page, "#sample")
    page.keyboard.press("Enter")
    page.locator("#photo-facts", has_text="451 × 300 px").wait_for()
    assert visit.wait_end() == "done"
    visit.wait_until("!document.querySelector('#follow-up-stop')")
    tab_to(page, "#share summary")
    page.keyboard.press("Enter")
    tab_to(page, "#copy-link")
    page.keyboard.press("Enter")
    page.get_by_text("Link copied").or_(page.get_by_text("Press Ctrl+C")).first.wait_for()
    tab_to(page, "#exports [download$=json]")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.path().stat().st_size > 1000
    tab_to(page, "[data-name=trade_off] [aria-expanded]")
    page.keyboard.press("Enter")
    assert page.locator("[data-name=trade_off] .plot-table").is_visible()
    tab_to(page, "th[data-key=bytes] button")
    page.keyboard.press("Enter")
    assert page.locator("th[data-key=bytes]").get_attribute("aria-sort") == "ascending"
    assert "sort=bytes" in page.url
    tab_to(page, "#row-32-jpeg-85 .row-button")
    page.keyboard.press("Enter")
    page.get_by_role("dialog", name="32 px JPEG").wait_for()
    assert "sel=32-jpeg-85" in page.url
    move_the_slider(page)
    page.keyboard.press("Escape")
    page.locator("dialog[open]").wait_for(state="detached")
    assert page.evaluate("document.activeElement.closest('tr').id") == "row-32-jpeg-85"


def move_the_slider(page) -> None:
    """Between the original and the variant, by a key."""
    tab_to(page, "#drawer input[type=range]")
    before = page.evaluate("document.activeElement.value")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.value") != before


def tab_to(page, selector: str) -> None:
    """Press Tab until the element has the focus; fails when it can't be reached so."""
    for _ in range(100):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not lead to {selector}")


def test_a_file_that_is_no_photo_is_refused_before_it_is_sent(visit):
    page = visit.open()
    page.set_input_files(
        "#file", {"name": "notes.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 " * 9}
    )
    words = page.get_by_role("alert").inner_text()
    assert "notes.pdf is not a photo we can read. Use JPEG, PNG, WebP, AVIF, GIF or BMP." in words
    assert page.get_by_role("button", name="Choose another", exact=True).is_visible()


def test_what_the_server_refuses_is_said_in_its_words(visit):
    page = visit.open()
    broken = CAT.read_bytes()[:20_000]
    page.set_input_files("#file", {"name": "half.png", "mimeType": "image/png", "buffer": broken})
    page.get_by_role("alert").wait_for()  # the preview that starts by itself was refused
    assert "ends too early" in page.get_by_role("alert").inner_text()
    assert page.get_by_role("alert").get_by_role("button").all_inner_texts() == ["Choose another", "Dismiss"]
    assert page.locator("#run").inner_text().startswith("Run ")


def test_a_name_that_looks_like_markup_stays_text(visit):
    page = visit.open("/?sizes=32&fmt=jpeg&repeat=6")
    name = "<img src=x onerror=alert(1)>.png"
    page.set_input_files("#file", {"name": name, "mimeType": "image/png", "buffer": CAT.read_bytes()})
    page.locator("#photo-facts", has_text="451 × 300 px").wait_for()
    assert page.locator("#photo-name").inner_text() == name
    assert visit.wait_end() == "done"
    assert page.locator("img[src=x]").count() == 0


def test_the_first_look_is_light(visit):
    """All that is needed to take a photo; the sample's result comes when nothing else is to do."""
    sizes: dict[str, int] = {}
    visit.page.on("response", lambda answer: sizes.update({answer.url: len(gzip.compress(answer.body()))}))
    visit.page.add_init_script("window.requestIdleCallback = () => 0")
    visit.open().wait_for_timeout(500)
    assert len(sizes) < MOST_REQUESTS, sizes
    assert sum(sizes.values()) < MOST_BYTES


def test_a_double_click_on_run_starts_one_run(visit):
    """Also where the part of the page that starts it takes its time to arrive."""
    page, started = visit.open(SMALL), []
    page.locator("#photo-image[src]").wait_for()
    page.on("request", lambda sent: sent.method == "POST" and started.append(sent.url))
    page.route("**/js/run/run.js", lambda route: (page.wait_for_timeout(700), route.continue_()))
    page.dblclick("#run")
    page.locator("#run").click()
    assert visit.wait_end() == "done"
    assert len(started) == 1


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_an_error_of_run_stands_beside_run_with_the_focus_on_it(browser, app, width, height):
    with visiting(browser, app.url, viewport={"width": width, "height": height}) as visit:
        page = visit.open()
        broken = CAT.read_bytes()[:-2000]
        page.set_input_files("#file", {"name": "cut.png", "mimeType": "image/png", "buffer": broken})
        page.locator("#photo-facts:not(:empty)").wait_for()
        notice = page.locator("#run-notice .notice")
        notice.wait_for()
        assert page.evaluate("document.activeElement?.classList.contains('notice')")
        box = notice.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= height
        bar = page.locator(".run-bar").bounding_box()
        assert box["y"] - bar["y"] - bar["height"] < 40  # right under it
        page.get_by_role("button", name="Dismiss").click()
        assert page.locator(".notice").count() == 0


def test_an_error_at_the_top_is_brought_into_the_window(visit):
    page = visit.open("/?sample=cat")
    page.locator("#photo-image[src]").wait_for()
    page.locator("#run").scroll_into_view_if_needed()
    page.set_input_files("#file", {"name": "empty.png", "mimeType": "image/png", "buffer": b""})
    notice = page.locator("#notice .notice")
    notice.wait_for()
    box = notice.bounding_box()
    assert 0 <= box["y"] <= 800 - box["height"]
