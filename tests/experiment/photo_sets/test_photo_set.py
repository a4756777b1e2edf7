"""Which photos a folder or ZIP file holds, and what they are said to show."""

from __future__ import annotations

import io
import os
import random
import unicodedata
import zipfile
from pathlib import Path

import pytest

from experiment.errors import ImageRefused, PixelcostError
from experiment.images.header import Limits
from experiment.photo_sets.label_files import LabelsRefused
from experiment.photo_sets.listing import open_photo_set, photo_set_in
from experiment.photo_sets.places import Archive
from tests.support.photo_sets import packed, photo, write_folders, zipped

UTF8 = 0x800


def labels(photos):
    return {each.name: each.label for each in photos.photos}


def test_folders_are_labels_in_a_folder_and_in_a_zip(tmp_path):
    folder = write_folders(tmp_path / "set", 3)
    expected = {"blue/0002.jpg": "blue", "green/0001.jpg": "green", "red/0000.jpg": "red"}
    on_disk, packed = open_photo_set(folder), open_photo_set(zipped(folder, tmp_path / "set.zip"))
    assert labels(on_disk) == labels(packed) == expected
    assert on_disk.sha256 == packed.sha256
    for each in packed.photos:
        assert packed.read(each, Limits()) == (folder / each.name).read_bytes()


def test_a_csv_in_the_set_tells_the_labels_instead(tmp_path):
    folder = write_folders(tmp_path / "set", 3)
    (folder / "labels.csv").write_text("file,label\nred/0000.jpg,ruby\n0001.jpg,emerald\ngone.jpg,x\n")
    photos = open_photo_set(folder)
    assert labels(photos) == {"blue/0002.jpg": None, "green/0001.jpg": "emerald", "red/0000.jpg": "ruby"}
    assert [each.message for each in photos.missing] == ["gone.jpg has a label, but there is no such photo."]


def test_paths_in_a_zips_csv_begin_at_the_csv(tmp_path):
    folder = write_folders(tmp_path / "outer" / "set", 1)
    (folder / "labels.csv").write_text("file,label\nred/0000.jpg,ruby\n")
    assert labels(open_photo_set(tmp_path / "outer")) == {"set/red/0000.jpg": "ruby"}


def test_a_csv_beside_the_set_comes_before_its_own(tmp_path):
    folder = write_folders(tmp_path / "set", 1)
    (folder / "labels.csv").write_text("file,label\nred/0000.jpg,ruby\n")
    (tmp_path / "mine.csv").write_text("filename,class\nred/0000.jpg,rust\n")
    assert labels(open_photo_set(folder, tmp_path / "mine.csv")) == {"red/0000.jpg": "rust"}


def test_a_name_that_two_photos_have_is_not_guessed(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").write_bytes(photo("red", 0))
    (tmp_path / "labels.csv").write_text("file,label\n1.jpg,ruby\n")
    photos = open_photo_set(tmp_path)
    assert set(labels(photos).values()) == {None}
    assert "could be any of 2 photos" in photos.missing[0].message


def test_photos_that_lie_loose_have_no_label_and_other_files_are_passed_over(tmp_path):
    for name in ("cat.JPG", ".hidden.jpg", "notes.txt"):
        (tmp_path / name).write_bytes(photo("red", 0))
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "._cat.jpg").write_bytes(b"x")
    assert labels(open_photo_set(tmp_path)) == {"cat.JPG": None}


@pytest.mark.parametrize("change", ["photo", "label", "name"])
def test_the_sum_changes_with_any_photo_name_or_label(tmp_path, change):
    folder = write_folders(tmp_path / "set", 3)
    before = open_photo_set(folder).sha256
    if change == "photo":
        (folder / "red" / "0000.jpg").write_bytes(photo("red", 20, 64))
    elif change == "label":
        (folder / "red").rename(folder / "rust")
    else:
        (folder / "red" / "0000.jpg").rename(folder / "red" / "9.jpg")
    assert open_photo_set(folder).sha256 != before


@pytest.mark.parametrize(
    ("name", "words"), [("nowhere", "does not exist"), ("a.txt", "nor a complete ZIP"), ("e", "no photos")]
)
def test_what_is_no_set_is_refused_with_a_sentence(tmp_path, name, words):
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "e").mkdir()
    with pytest.raises(PixelcostError, match=words):
        open_photo_set(tmp_path / name)


def test_a_photo_over_the_limit_or_gone_or_damaged_in_the_zip_is_refused(tmp_path):
    folder = write_folders(tmp_path / "set", 2)
    path = zipped(folder, tmp_path / "set.zip")
    photos = open_photo_set(folder)
    with pytest.raises(ImageRefused, match="limit"):
        photos.read(photos.photos[0], Limits(max_bytes=10))
    (folder / photos.photos[0].name).unlink()
    with pytest.raises(ImageRefused, match="can't be read: No such file"):
        photos.read(photos.photos[0], Limits())
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        start = archive.infolist()[0].header_offset + 60
    data[start : start + 40] = b"\0" * 40
    path.write_bytes(data)
    packed = open_photo_set(path)
    with pytest.raises(ImageRefused, match="can't be read"):
        packed.read(packed.photos[0], Limits())


# Names of one file that differ


PHOTO = photo("red", 0)


def test_backslashes_in_a_zip_are_folders_as_old_windows_tools_mean_them(tmp_path):
    entries = {b"pets\\tabby\\a.jpg": PHOTO, b"pets\\lion\\b.jpg": PHOTO, b"pets\\lion\\": b""}
    photos = open_photo_set(packed(tmp_path / "a.zip", entries))
    assert labels(photos) == {"pets/lion/b.jpg": "lion", "pets/tabby/a.jpg": "tabby"}
    assert photos.read(photos.photos[0], Limits()) == PHOTO
    entries[b"pets\\labels.csv"] = b"file,label\ntabby\\a.jpg,ruby\n"
    with_csv = open_photo_set(packed(tmp_path / "b.zip", entries))
    assert labels(with_csv) == {"pets/lion/b.jpg": None, "pets/tabby/a.jpg": "ruby"}


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ("Café/Löwe.jpg".encode(), "Café/Löwe.jpg"),  # as macOS and old zip tools pack, without the flag
        ("Löwe.jpg".encode("cp437"), "Löwe.jpg"),
        ("café/1.jpg".encode("cp1252"), "café/1.jpg"),
        ("re\u202egpj.jpg".encode(), "regpj.jpg"),
        ("پیشی\u200cها/at\u202f9.jpg".encode(), "پیشی\u200cها/at 9.jpg"),
        (b"two\nlines\x1b[2J/a.jpg", "twolines[2J/a.jpg"),
        (b"../../C:/etc/./a.jpg", "C:/etc/a.jpg"),
        (b"n" * 250 + b".jpg", "n" * 190 + "nnnnnn.jpg"),
    ],
)
def test_a_name_in_a_zip_is_read_as_it_was_meant_and_safe_to_show(tmp_path, stored, read):
    photos = open_photo_set(packed(tmp_path / "set.zip", {stored: PHOTO}))
    assert [each.name for each in photos.photos] == [read]
    assert photos.read(photos.photos[0], Limits()) == PHOTO


def test_names_that_only_differ_in_what_is_not_shown_are_two_photos(tmp_path):
    entries = {b"a/1.jpg": PHOTO, b"a\\1.jpg": PHOTO + b"2"}
    photos = open_photo_set(packed(tmp_path / "set.zip", entries))
    assert [photos.read(each, Limits()) for each in photos.photos] == [PHOTO + b"2", PHOTO]
    assert [each.name for each in photos.photos] == ["a/1 (2).jpg", "a/1.jpg"]


def test_a_name_that_was_typed_means_the_file_that_macos_named(tmp_path):
    (tmp_path / unicodedata.normalize("NFD", "Löwe.jpg")).write_bytes(PHOTO)
    (tmp_path / "labels.csv").write_text("file,label\nLöwe.jpg,lion\n")
    photos = open_photo_set(tmp_path)
    assert (labels(photos), photos.missing) == ({"Löwe.jpg": "lion"}, ())


def test_a_folder_that_macos_named_is_a_label_in_the_form_that_people_type(tmp_path):
    (tmp_path / unicodedata.normalize("NFD", "Löwe")).mkdir()
    (tmp_path / unicodedata.normalize("NFD", "Löwe") / "1.jpg").write_bytes(PHOTO)
    assert list(labels(open_photo_set(tmp_path)).values()) == ["Löwe"]


def tree(root: Path, csv: str, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(PHOTO)
    (root / "labels.csv").write_text(csv)
    return root


@pytest.mark.parametrize(
    "rows",
    [
        ("cat\\a.jpg,tabby", "dog\\a.jpg,pug"),
        ("C:\\data\\set\\cat\\a.jpg,tabby", "C:\\data\\set\\dog\\a.jpg,pug"),
        ("/data/set/cat/a.jpg,tabby", "/data/set/dog/a.jpg,pug"),
        ("./cat/a.jpg,tabby", "../set/dog/a.jpg,pug"),
        ("/cat/a.jpg,tabby", "other/dog/a.jpg,pug"),
    ],
)
def test_a_row_means_the_photo_with_the_longest_common_end(tmp_path, rows):
    csv = "file,label\n" + "\n".join(rows)
    photos = open_photo_set(tree(tmp_path / "set", csv, "cat/a.jpg", "dog/a.jpg", "dog/b.jpg"))
    assert labels(photos) == {"cat/a.jpg": "tabby", "dog/a.jpg": "pug", "dog/b.jpg": None}
    assert photos.missing == ()


def test_a_photo_that_lies_higher_is_not_taken_for_one_below(tmp_path):
    csv = "file,label\n/me/set/a.jpg,tabby\n/me/set/dog/a.jpg,pug\n"
    photos = open_photo_set(tree(tmp_path / "set", csv, "a.jpg", "dog/a.jpg"))
    assert labels(photos) == {"a.jpg": "tabby", "dog/a.jpg": "pug"}


def test_the_folder_of_all_rows_may_have_another_name_than_that_of_the_photos(tmp_path):
    csv = "file,label\ntrain/1.jpg,tabby\ntrain/2.jpg,pug\n"
    assert labels(open_photo_set(tree(tmp_path / "a", csv, "images/1.jpg", "images/2.jpg"))) == {
        "images/1.jpg": "tabby",
        "images/2.jpg": "pug",
    }


def test_a_name_alone_is_not_enough_where_the_folders_say_otherwise(tmp_path):
    csv = "file,label\ncat/1.jpg,cat\ndog/1.jpg,dog\ndog/9.jpg,dog\n"
    photos = open_photo_set(tree(tmp_path, csv, "kitten/1.jpg", "kitten/9.jpg"))
    assert labels(photos) == {"kitten/1.jpg": None, "kitten/9.jpg": None}
    assert (photos.given_labels.photos, photos.given_labels.unused) == (0, 3)
    assert photos.given_labels.unlabelled == "kitten/1.jpg"


def test_two_rows_that_call_one_photo_differently_label_nothing(tmp_path):
    csv = "file,label\nx/a.jpg,cat\ny/a.jpg,dog\nb.jpg,pug\n"
    photos = open_photo_set(tree(tmp_path, csv, "a.jpg", "b.jpg"))
    assert labels(photos) == {"a.jpg": None, "b.jpg": "pug"}
    assert "x/a.jpg has a label, but another row gives a.jpg a different label." in photos.missing[0].message


def test_rows_without_a_photo_are_counted_and_a_few_named(tmp_path):
    csv = "file,label\n" + "".join(f"{at}.jpg,x\n" for at in range(50_000))
    photos = open_photo_set(tree(tmp_path, csv, "7.jpg"))
    assert (photos.given_labels.rows, photos.given_labels.unused) == (50_000, 49_999)
    assert len(photos.missing) == 20


def test_labels_are_found_whatever_case_their_file_has_and_in_every_folder_of_the_same_level(tmp_path):
    for name in ("a", "b"):
        tree(tmp_path / name, "file,label\n1.jpg," + name * 3, "1.jpg")
    (tmp_path / "b" / "labels.csv").rename(tmp_path / "b" / "Labels.CSV")
    photos = open_photo_set(tmp_path)
    assert labels(photos) == {"a/1.jpg": "aaa", "b/1.jpg": "bbb"}


# Folders


def test_names_that_are_no_text_are_shown_with_a_sign_and_still_read(tmp_path):
    for number, name in enumerate((b"caf\xe9", b"caf\xe8")):
        folder = os.fsencode(tmp_path) + b"/" + name
        Path(os.fsdecode(folder)).mkdir()
        Path(os.fsdecode(folder + b"/1.jpg")).write_bytes(photo("red", number))
    photos = open_photo_set(tmp_path)
    assert [each.name for each in photos.photos] == ["caf\ufffd/1 (2).jpg", "caf\ufffd/1.jpg"]
    read = {photos.read(each, Limits()) for each in photos.photos}
    assert read == {photo("red", 0), photo("red", 1)}


def test_links_to_folders_are_followed_but_not_in_a_circle(tmp_path):
    pool = write_folders(tmp_path / "pool", 3)
    root = tmp_path / "set"
    root.mkdir()
    for colour in ("red", "green"):
        (root / colour).symlink_to(pool / colour)
    (root / "green" / "self").symlink_to(root)
    (root / "again").symlink_to(".")
    assert labels(open_photo_set(root)) == {"green/0001.jpg": "green", "red/0000.jpg": "red"}


def test_a_volume_of_kubernetes_is_counted_once(tmp_path):
    (tmp_path / "..2026_05").mkdir()
    (tmp_path / "..2026_05" / "1.jpg").write_bytes(PHOTO)
    (tmp_path / "..data").symlink_to("..2026_05")
    (tmp_path / "1.jpg").symlink_to("..data/1.jpg")
    photos = open_photo_set(tmp_path)
    assert labels(photos) == {"1.jpg": None}
    assert photos.read(photos.photos[0], Limits()) == PHOTO


def test_a_class_that_leads_nowhere_is_refused_and_a_photo_that_does_is_skipped(tmp_path):
    (tmp_path / "a.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "b.jpg").write_bytes(PHOTO)
    photos = open_photo_set(tmp_path)
    with pytest.raises(ImageRefused, match=r"a\.jpg can't be read: No such file"):
        photos.read(photos.photos[0], Limits())
    (tmp_path / "tabby").symlink_to("../pool/tabby")
    with pytest.raises(PixelcostError, match="tabby is a broken link"):
        open_photo_set(tmp_path)


@pytest.mark.parametrize(
    "name", ["@eaDir/a.jpg", "__MACOSX/a.jpg", "#recycle/a.jpg", "x/.thumbs/a.jpg", "@eaDir/labels.csv"]
)
@pytest.mark.parametrize("is_zip", [False, True])
def test_what_systems_put_beside_photos_is_neither_photo_nor_label(tmp_path, name, is_zip):
    root = write_folders(tmp_path / "set", 1)
    (root / name).parent.mkdir(parents=True)
    (root / name).write_bytes(b"no photo, no label")
    path = zipped(root, tmp_path / "set.zip") if is_zip else root
    assert labels(open_photo_set(path)) == {"red/0000.jpg": "red"}


# ZIP files and labels that can't be used

CSV = b"file,label\na.jpg,tabby\n"


@pytest.mark.parametrize(
    ("entries", "header", "words"),
    [
        ({b"labels.csv": CSV, b"a.jpg": PHOTO}, {"flags": 1}, "labels.csv can't be read: it is encrypted."),
        ({b"labels.csv": CSV, b"a.jpg": PHOTO}, {"method": 9}, "not supported; use Deflate."),
        ({b"labels.csv": CSV, b"a.jpg": PHOTO}, {"method": 93}, "not supported; use Deflate."),
        ({b"L\xf6we/a.jpg": PHOTO}, {"flags": UTF8}, "marked as UTF-8 and is not"),
        ({b"labels.csv": CSV, b"a.jpg": PHOTO}, {"method": 14}, "labels.csv can't be read: it is damaged."),
        ({b"labels.csv": b'file,label\na.jpg,"tab' + b"x" * 140_000, b"a.jpg": PHOTO}, {}, "line 2: a field"),
        ({b"": PHOTO}, {}, "holds no photos"),
    ],
)
def test_an_odd_zip_is_refused_with_a_sentence(tmp_path, entries, header, words):
    with pytest.raises(PixelcostError, match=words) as refusal:
        open_photo_set(packed(tmp_path / "set.zip", entries, **header))
    assert refusal.value.http_status == 422


def test_an_entry_without_a_name_is_passed_over(tmp_path):
    photos = open_photo_set(packed(tmp_path / "set.zip", {b"": b"x", b"cat/a.jpg": PHOTO}))
    assert labels(photos) == {"cat/a.jpg": "cat"}


def test_a_damaged_zip_is_read_or_refused_whatever_was_changed(tmp_path):
    """Errors are those that are told; anything else would be a crash."""
    chance = random.Random(12)
    bases = [
        packed(tmp_path / "set.zip", {b"labels.csv": CSV, b"cat/a.jpg": PHOTO, b"b.jpg": PHOTO}).read_bytes()
    ]
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            archive.writestr("Löwe/labels.csv", CSV)
            archive.writestr("Löwe/a.jpg", PHOTO)
        bases.append(buffer.getvalue())
    outcomes = {"read": 0, "refused": 0}
    for _ in range(600):
        data = bytearray(chance.choice(bases))
        for _ in range(chance.choice((1, 1, 3))):
            tail = min(len(data), 300)
            at = (
                len(data) - 1 - chance.randrange(tail)
                if chance.random() < 0.7
                else chance.randrange(len(data))
            )
            data[at : at + chance.randrange(2)] = bytes((chance.randrange(256),))
        (tmp_path / "odd.zip").write_bytes(data)
        try:
            photos = open_photo_set(tmp_path / "odd.zip")
            for each in photos.photos:
                photos.read(each, Limits())
            outcomes["read"] += 1
        except PixelcostError:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 20


def test_too_many_entries_are_refused_before_they_are_listed(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for at in range(30):
            archive.writestr(f"{at}.jpg", b"x")
    assert len(photo_set_in(Archive(tmp_path / "set.zip", most_entries=30)).photos) == 30
    with pytest.raises(PixelcostError, match="holds more than 29 files") as refusal:
        Archive(tmp_path / "set.zip", most_entries=29)
    assert refusal.value.code == "too_many_files"


def test_labels_above_their_limit_are_refused_and_not_cut(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", PHOTO)
        archive.writestr("labels.csv", b"file,label\n" + b"a.jpg,tabby\n" * 100_000)
    place = Archive(tmp_path / "set.zip")
    with pytest.raises(LabelsRefused, match=r"labels\.csv is larger than 1 MB, the limit for labels"):
        photo_set_in(place, max_labels_bytes=1_000_000)
    assert labels(photo_set_in(place, max_labels_bytes=1_300_000)) == {"a.jpg": "tabby"}
