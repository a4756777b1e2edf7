"""Many photos on the page, in a real browser: chosen, dropped, labelled, measured and looked at."""

from __future__ import annotations

import re

import pytest
import requests

from tests.support.photo_sets import COLOURS, blind_when_small, colour_server, photo, write_folders, zipped
from tests.support.processes.app_process import running_app
from tests.support.processes.axe import violations
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
    page.click("#share summary")
    links = page.locator("#exports a").all_inner_texts()
    assert links == ["Report .html", "JSON", "CSV", "Every answer .csv", "Card .png"]


def test_the_one_repeat_of_a_set_is_not_kept_for_the_next_photo(at_sets, tmp_path):
    page = chosen(at_sets, write_folders(tmp_path / "colours", 3))
    assert page.locator("#repeats").input_value() == "1"
    page.click("#run")
    at_sets.wait_end()
    page = at_sets.open("/")
    assert page.locator("#repeats").input_value() == "20"


def test_a_stored_set_says_what_it_was(at_sets, set_app, tmp_path):
    page = chosen(at_sets, write_folders(tmp_path / "colours", 6))
    page.click("#run")
    at_sets.wait_end()
    at_sets.reload()
    page.locator("#recommendation-title").wait_for()
    assert "6 photos, 6 with a known label" in page.locator("#photo-facts").inner_text()
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


def test_the_photos_that_flip_are_shown_with_pictures_and_the_address_keeps_what_is_chosen(at_sets, tmp_path):
    page = chosen(at_sets, write_folders(tmp_path / "colours", 12, 200), "/?sizes=32,24&fmt=png")
    assert page.locator("#set-thumbs img").count() == 12
    page.click("#run")
    at_sets.wait_end()
    assert page.locator("#variants thead").inner_text().count("photos") == 1
    small = page.locator('#matrix td[data-variant="24-png"]')
    assert small.get_attribute("data-photos") == "33 % of 12"
    assert small.get_attribute("aria-label").endswith("33 % of 12")
    page.click("#photos-tab summary")
    page.locator("#photos .photo-card").first.wait_for()
    assert page.locator("#photos .photo-card").count() == 12
    status = page.locator(".set-status")
    assert status.inner_text() == (
        "8 of 12 photos flip in at least one variant: 67 % of 12 (39 to 86). 8 got a wrong answer."
    )
    worst = page.locator("#photos .photo-card").first
    assert re.search(r"label: (red|green); original: \1 70 %\n✕ flips in 1 of 2: blue", worst.inner_text())
    assert worst.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 96
    assert page.locator("#photos .photo-card.flipped").count() == 8
    page.select_option('[data-key="variant"]', "24-png")
    page.select_option('[data-key="only"]', "flipped")
    status.get_by_text("at 24 px PNG").wait_for()
    page.locator(".class-table button", has_text="red").click()
    status.get_by_text("4 of 4 photos of red flip").wait_for()
    assert page.locator("#photos .photo-card").count() == 4
    assert "Right, 24 px PNG" in page.locator(".class-table").inner_text()
    assert page.locator(".class-table tr", has_text="red").inner_text().count("0 % of 4 (0 to 49)") == 1
    at_sets.reload()
    page.locator("#photos .photo-card").first.wait_for()
    assert page.locator("#photos .photo-card").count() == 4
    assert page.locator('[data-key="label"]').input_value() == "red"
    assert violations(page) == []


def test_one_photo_of_a_set_shows_every_answer_and_can_be_measured_alone(at_sets, tmp_path):
    page = chosen(at_sets, write_folders(tmp_path / "colours", 6, 200), "/?sizes=32,24&fmt=png")
    page.click("#run")
    at_sets.wait_end()
    page.locator("#row-24-png button").click()
    page.locator(".flipped-photos .photo-card").first.click()
    page.locator("#drawer-body td").first.wait_for()
    assert page.locator("#drawer-body tbody tr").count() == 2
    assert "✕ blue 70 %" in page.locator("#drawer-body").inner_text()
    page.get_by_role("button", name="Choose this photo alone").click()
    page.locator("#photo-name", has_text=".jpg").wait_for()
    assert page.locator("#set-thumbs").is_hidden()


def test_a_narrow_set_page_does_not_scroll_sideways(browser, set_app, tmp_path):
    with visiting(browser, set_app.url, viewport={"width": 320, "height": 640}) as visit:
        page = chosen(visit, write_folders(tmp_path / "colours", 6, 200))
        page.click("#run")
        visit.wait_end()
        page.click("#photos-tab summary")
        page.locator("#photos .photo-card").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") == 320
        page.click("#variants-tab summary")
        assert page.evaluate("document.documentElement.scrollWidth") == 320


def test_labels_that_the_model_or_the_folder_lacks_are_said_before_anything_is_sent(at_sets, tmp_path):
    folder = write_folders(tmp_path / "colours", 4)
    rows = ["red/0000.jpg,red", "green/0001.jpg,wombat", "gone.jpg,red", "away.jpg,red"]
    (folder / "labels.csv").write_text("file,label\n" + "\n".join(rows))
    page = chosen(at_sets, folder)
    page.locator("#set-problems li").first.wait_for()
    assert page.locator("#labels-name").inner_text() == "colours/labels.csv"
    assert page.locator("#set-problems li").all_inner_texts()[:2] == [
        "labels.csv lists 2 files that are not among these photos: gone.jpg, away.jpg.",
        "2 of 4 photos have no label in labels.csv.",
    ]
    page.set_input_files(
        "#labels-file", [{"name": "l.csv", "mimeType": "text/csv", "buffer": b"file,label\n"}]
    )
    page.locator("#labels-name", has_text="l.csv").wait_for()
    page.locator("input[name=set_labels][value=none]").check()
    assert page.locator("#set-problems").is_hidden()


def test_added_photos_and_the_photo_at_hand_become_a_set_of_the_same_plan(at_sets, set_app):
    at_sets.never_by_itself()
    page = at_sets.open("/?sizes=32,24&fmt=png")
    first = {"name": "first.jpg", "mimeType": "image/jpeg", "buffer": photo("red", 0)}
    page.set_input_files("#file", [first])
    page.locator("#photo-image:not([hidden])").wait_for()
    page.click("#run")
    at_sets.wait_end()
    at_sets.reload()  # from now on only the server has the photo
    add = page.locator(".evidence button")
    add.wait_for()
    assert add.inner_text() == "Add photos to this one"
    further = [{"name": f"{at}.jpg", "mimeType": "image/jpeg", "buffer": photo("blue", at)} for at in (1, 2)]
    with page.expect_file_chooser() as chooser:
        add.click()
    chooser.value.set_files(further)
    page.locator("#photo-name", has_text="3 photos").wait_for()
    assert add.inner_text() == "Add photos to these"
    page.set_input_files(
        "#add-files", [{"name": "4.jpg", "mimeType": "image/jpeg", "buffer": photo("green", 4)}]
    )
    page.locator("#photo-name", has_text="4 photos").wait_for()
    assert page.locator("#run").inner_text() == "Run 4 photos × 3 variants × 1 backend"
    before = at_sets.run_id()
    page.click("#run")
    at_sets.wait_until(f"location.pathname.startsWith('/runs/') && !location.pathname.endsWith('{before}')")
    at_sets.wait_end()
    report = set_app.report(at_sets.run_id())
    assert (report["photo_set"]["count"], report["plan"]["sizes_px"]) == (4, [32, 24])
    names = {
        row["name"]
        for row in requests.get(f"{set_app.url}/api/runs/{report['run_id']}/photos", timeout=30).json()[
            "rows"
        ]
    }
    assert names == {"first.jpg", "1.jpg", "2.jpg", "4.jpg"}


def test_a_cell_of_one_photo_is_not_drawn_like_one_of_many(at_sets, tmp_path):
    folder = write_folders(tmp_path / "colours", 6)  # small photos
    (folder / "large.png").write_bytes(photo("red", 9, 400))
    page = chosen(at_sets, folder, "/?sizes=300,32&fmt=png")
    page.click("#run")
    at_sets.wait_end()
    few, many = (page.locator(f'#matrix td[data-variant="{size}-png"]') for size in (300, 32))
    few.and_(page.locator(".few")).wait_for()
    assert few.inner_text().startswith("○") and few.get_attribute("data-heat") is None
    assert "few photos" in few.get_attribute("aria-label")
    assert "few" not in many.get_attribute("class").split() and many.get_attribute("data-heat") is not None
    assert "○ few of the photos" in page.locator("#matrix .hint").inner_text()
