"""Which photos a folder or ZIP file holds, and what they are said to show."""

from __future__ import annotations

import zipfile

import pytest

from experiment.errors import ImageRefused, PixelcostError
from experiment.header import Limits
from experiment.photo_set import open_photo_set
from tests.photo_sets import photo, write_folders, zipped


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
    assert [each.message for each in photos.missing] == ["gone.jpg has a label, but is not there."]


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
    ("name", "words"), [("nowhere", "is not there"), ("a.txt", "no whole ZIP"), ("e", "no photos")]
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
