"""Many photos on the page, in a real browser: chosen, dropped, labelled, measured and looked at."""

from __future__ import annotations

import pytest

from tests.support.photo_sets import COLOURS, blind_when_small, colour_server, photo, write_folders, zipped
from tests.support.processes.app_process import running_app
from tests.support.processes.browser import Visit, visiting

pytestmark = pytest.mark.browser

QUICK = "/?sizes=32,24&fmt=png"


@pytest.fixture(scope="module")
def set_app(tmp_path_factory):
    """The app beside a model server that sees colours and is blind below 32 px."""
    with (
        colour_server(blind_when_small) as address,
        running_app(tmp_path_factory.mktemp("sets"), TF_SERVERS=f"eye:{address}") as app,
    ):
        yield app


@pytest.fixture
def at_sets(browser, set_app):
    with visiting(browser, set_app.url) as visit:
        yield visit


def chosen(visit: Visit, folder, path: str = QUICK):
    page = visit.open(path)
    page.set_input_files("#folder", str(folder))
    page.locator("#set-labels:not([hidden])").wait_for()
    return page


def test_a_chosen_folder_becomes_accuracy_with_intervals(at_sets, tmp_path):
    page = chosen(at_sets, write_folders(tmp_path / "colours", 12))
    assert page.locator("#photo-name").inner_text() == "colours"
    assert page.locator("#photo-facts").inner_text().startswith("12 photos, ")
    assert page.locator("input[name=set_labels]:checked").input_value() == "folders"
    assert page.locator("#set-hint").inner_text() == "3 labels: blue, green, red."
    assert page.locator("#repeats").input_value() == "1"
    assert page.locator("#run").inner_text() == "Run 12 photos × 3 variants × 1 backend"
    page.click("#run")
    assert at_sets.wait_end() == "done"
    heads = page.locator("#variants thead").inner_text()
    assert "top-1 % (95 %)" in heads
    assert "difference (95 %)" in heads
    row = page.locator("#row-24-png").inner_text()
    assert "33.3 (13.8 to 60.9)" in row
    assert "−66.7" in row
    assert page.locator(".plot.agreement_by_size h3").inner_text() == "Accuracy by size"
    page.locator("#row-24-png button").click()
    page.locator("#drawer-body", has_text="right only in this").wait_for()
    drawer = page.locator("#drawer-body").inner_text()
    assert "Of 12 photos, 0 are right only in this variant and 8 only in the original." in drawer
    page.keyboard.press("Escape")
    links = page.locator("#exports a").all_inner_texts()
    assert links == ["Report .html", "JSON", "CSV", "Every answer .csv"]


def test_a_stored_set_says_what_it_was(at_sets, set_app, tmp_path):
    page = chosen(at_sets, write_folders(tmp_path / "colours", 6))
    page.click("#run")
    at_sets.wait_end()
    at_sets.reload()
    page.locator("#recommendation-title").wait_for()
    assert "6 photos, 6 with a known label" in page.locator("#setup-summary").inner_text()
    page.click("#runs-button")
    assert page.locator(".runs li a").first.inner_text() == "colours"


def test_several_loose_photos_give_agreement_and_a_csv_gives_accuracy(at_sets):
    page = at_sets.open(QUICK)
    names = list(COLOURS)
    files = [
        {"name": f"{at}.jpg", "mimeType": "image/jpeg", "buffer": photo(names[at % 3], at)} for at in range(6)
    ]
    page.set_input_files("#file", files)
    page.locator("#set-labels:not([hidden])").wait_for()
    assert page.locator("input[name=set_labels]:checked").input_value() == "none"
    page.click("#run")
    at_sets.wait_end()
    assert page.locator(".plot.agreement_by_size h3").inner_text() == "Agreement by size"
    page.locator("input[name=set_labels][value=csv]").check()
    assert "Choose the CSV file of labels." in page.locator("#estimate").inner_text()
    rows = "file,label\n" + "".join(f"{at}.jpg,{names[at % 3]}\n" for at in range(6))
    page.set_input_files("#labels-file", [{"name": "l.csv", "mimeType": "text/csv", "buffer": rows.encode()}])
    assert page.locator("#set-hint").inner_text() == "Labels come from l.csv."
    page.click("#run")
    at_sets.page.locator("progress.running, progress.uploading, progress.queued").wait_for(state="attached")
    at_sets.wait_end()
    page.locator(".plot.agreement_by_size h3", has_text="Accuracy by size").wait_for()


def test_a_zip_file_and_then_one_photo_again(at_sets, tmp_path):
    packed = zipped(write_folders(tmp_path / "colours", 6), tmp_path / "colours.zip")
    page = at_sets.open(QUICK)
    page.set_input_files("#file", str(packed))
    page.locator("#set-labels:not([hidden])").wait_for()
    assert page.locator("#run").inner_text() == "Run ZIP × 3 variants × 1 backend"
    assert page.locator("#set-hint").inner_text().startswith("Labels come from labels.csv")
    page.set_input_files("#file", [{"name": "a.jpg", "mimeType": "image/jpeg", "buffer": photo("red", 0)}])
    page.locator("#photo-image:not([hidden])").wait_for()
    assert page.locator("#set-labels").is_hidden()
    assert page.locator("#repeats").input_value() == "20"


def test_a_folder_without_photos_is_refused_with_a_sentence(at_sets, tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("a.txt", "b.txt"):
        (tmp_path / "empty" / name).write_text("x")
    page = at_sets.open(QUICK)
    page.set_input_files("#folder", str(tmp_path / "empty"))
    page.locator(".notice").wait_for()
    assert "There are no photos among these files." in page.locator(".notice").inner_text()
