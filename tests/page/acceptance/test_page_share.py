"""What a link to the page shows elsewhere, what paper shows of it, its help and its words for a wait."""

from __future__ import annotations

import io
import re
from urllib.parse import urlsplit

import pytest
import requests
from PIL import Image

from experiment.report.method import DEFINITIONS, VALIDITY
from experiment.wording import wait
from tests.support.processes.app_process import CAT


@pytest.fixture(scope="module")
def stored(app):
    """Id of a finished run that tests only look at."""
    run_id = app.post_run(CAT.read_bytes(), '{"sizes_px": [64, 32], "repeats": 6}').json()["id"]
    app.finished(run_id)
    return run_id


def card_of(text: str) -> dict[str, str]:
    """The og: properties of a page."""
    return dict(re.findall(r'<meta property="og:([a-z:]+)" content="([^"]*)">', text))


def test_a_link_shows_a_picture_from_the_address_that_was_asked(app):
    card = card_of(requests.get(f"{app.url}/", timeout=30).text)
    assert card["title"] == "Pixelcost"
    assert urlsplit(card["image"]).netloc == urlsplit(app.url).netloc
    picture = Image.open(io.BytesIO(requests.get(card["image"], timeout=30).content))
    assert picture.size == (int(card["image:width"]), int(card["image:height"])) == (1200, 630)


def test_a_link_to_a_run_shows_what_it_recommends(app, stored):
    card = card_of(requests.get(f"{app.url}/runs/{stored}", timeout=30).text)
    assert card["title"] == app.report(stored)["recommendation"]["sentence"]
    assert card["title"].startswith(("For this photo: ", "Provisional: "))  # the second on a busy machine


@pytest.mark.browser
def test_on_paper_plots_fit_their_cards_and_afterwards_the_screen(visit, stored):
    page = visit.open(f"/runs/{stored}")
    visit.wait_end()
    visit.wait_until("[...document.querySelectorAll('.plot-area')].every((area) => area.data?.length)")
    page.locator("details[data-section=uplink] > summary").click()  # what is opened later fits as well
    visit.wait_until("document.querySelector('[data-section=uplink] .plot-area')?._fullLayout")
    drawn = "[...document.querySelectorAll('.plot-area')].map((area) => area._fullLayout.width)"
    on_screen = page.evaluate(drawn)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert all(width < 700 for width in page.evaluate(drawn))
    assert len(page.evaluate(drawn)) == len(on_screen)  # nothing is drawn too late for the paper
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 703, "height": 1000})  # A4 less its margins
    assert page.evaluate("document.documentElement.scrollWidth") <= 703
    assert not page.locator("#plan").is_visible()
    assert page.locator("#variants thead").is_visible()
    page.emulate_media(media="screen")
    page.set_viewport_size({"width": 1280, "height": 800})
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    visit.wait_until(f"JSON.stringify({drawn}) === JSON.stringify({on_screen})")


@pytest.mark.parametrize(
    ("left_s", "words"), [(0.2, "1 s"), (9.4, "9 s"), (89, "89 s"), (351, "6 min"), (7000, "2 h")]
)
def test_a_wait_is_told_as_the_page_tells_it(left_s, words):
    assert wait(left_s) == words


@pytest.mark.browser
def test_help_explains_the_badges_and_gives_the_focus_back(visit):
    page = visit.open()
    page.click("#help-button")
    drawer = page.get_by_role("dialog", name="Help")
    drawer.locator(".validity").first.wait_for()
    assert drawer.locator(".validity").all_text_contents() == ["✓ VALID", "≈ NOISY", "⚠ INVALID"]
    told = drawer.locator("dd").all_text_contents()
    assert told[: len(DEFINITIONS) + len(VALIDITY)] == [*DEFINITIONS.values(), *VALIDITY.values()]
    assert "It does not say that the answer is right." in drawer.inner_text()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "help-button"
