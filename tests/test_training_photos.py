"""Sources of photos for training that can't be read."""

from __future__ import annotations

import pytest

from models.problems import ModelProblem
from models.training.photos import files
from tests.photo_sets import packed, photo, write_folders


@pytest.mark.parametrize("header", [{"flags": 1}, {"method": 9}, {"method": 93}])
def test_a_zip_of_another_kind_is_refused_with_a_sentence(tmp_path, header):
    source = packed(tmp_path / "set.zip", {b"a.jpg": photo("red", 0)}, **header)
    with pytest.raises(ModelProblem, match=r"set\.zip can't be read as a ZIP file: "):
        list(files([source]))


@pytest.mark.parametrize(
    "table",
    [
        b"",
        b"file,index\na.jpg\n",
        b"file,index\na.jpg,tabby\n",
        b"file\xe9\n",
        b'file,index\n"' + b"x" * 140_000,
    ],
)
def test_labels_that_are_no_table_are_refused_with_a_sentence(tmp_path, table):
    source = write_folders(tmp_path / "set", 1)
    (source / "labels.csv").write_bytes(table)
    with pytest.raises(ModelProblem, match=r"^labels\.csv is no table of photos in UTF-8: "):
        list(files([source]))


def test_labels_with_a_mark_and_an_empty_line_are_read(tmp_path):
    source = write_folders(tmp_path / "set", 1)
    (source / "labels.csv").write_bytes(b"\xef\xbb\xbffile,index\r\n\r\nred/0000.jpg,7\r\n")
    assert [each.imagenet for each in files([source])] == [7]
