"""`python -m models demo --formats`: whole files or none, and what is missing is named.

That the files compute what the SavedModel does is asked in test_runtime_contract.py.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from models import demo_formats
from models.demo_formats import ConverterMissing, Format, write_formats
from models.wire import block, number, numbers
from tests.runtime_models import demo_formats_dir
from tests.serving_process import ROOT


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "1").mkdir()
    return tmp_path / "1"


def use(monkeypatch, write) -> None:
    """One format, with two files, written by `write`."""
    row = Format(("a.txt", "b.bin"), write, "pip install something")
    monkeypatch.setitem(demo_formats.FORMATS, "pair", row)


def both(folder) -> None:
    (folder / "a.txt").write_text("new")
    (folder / "b.bin").write_text("new")


def test_the_files_are_written_beside_the_saved_model(monkeypatch, directory):
    use(monkeypatch, both)
    assert write_formats(directory, ["pair"]) == [directory / "a.txt", directory / "b.bin"]
    assert (directory / "b.bin").read_text() == "new"
    assert list(directory.parent.iterdir()) == [directory]


def test_files_that_are_there_are_left_alone_and_half_a_pair_is_completed(monkeypatch, directory):
    use(monkeypatch, both)
    (directory / "a.txt").write_text("old")
    write_formats(directory, ["pair"])
    assert (directory / "a.txt").read_text() == "new"
    (directory / "a.txt").write_text("mine")
    write_formats(directory, ["pair"])
    assert (directory / "a.txt").read_text() == "mine"


def test_a_writer_that_fails_leaves_nothing(monkeypatch, directory):
    def fails(folder) -> None:
        (folder / "a.txt").write_text("half")
        raise OSError("disk full")

    use(monkeypatch, fails)
    with pytest.raises(OSError, match="disk full"):
        write_formats(directory, ["pair"])
    assert list(directory.iterdir()) == []


def test_a_missing_converter_is_named_with_how_to_get_it(monkeypatch, directory):
    def needs_a_package(folder) -> None:
        import a_package_that_is_not_there  # noqa: F401

    use(monkeypatch, needs_a_package)
    with pytest.raises(ConverterMissing, match=r"a_package_that_is_not_there.*pip install something"):
        write_formats(directory, ["pair"])


def test_an_unknown_format_is_refused_with_the_names_of_all(tmp_path):
    command = [sys.executable, "-m", "models", "demo", "--out", str(tmp_path), "--formats", "onnx,coreml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no format 'coreml'. There are tflite, onnx, torchscript" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_onnx_and_caffe_need_no_further_package():
    for name in ("onnx", "caffe"):
        assert not demo_formats.FORMATS[name].install
    directory = demo_formats_dir("onnx,caffe")
    assert (directory / "model.onnx").stat().st_size > 14e6
    assert (directory / "model.prototxt").read_text().startswith('name: "pixelcost"')


@pytest.mark.parametrize(
    ("written", "bytes_"),
    [
        (number(1, 150), b"\x08\x96\x01"),  # the examples of protobuf's own documentation
        (block(2, "testing"), b"\x12\x07testing"),
        (numbers(6, [3, 270, 86942]), b"\x32\x06\x03\x8e\x02\x9e\xa7\x05"),
    ],
)
def test_protobuf_fields_are_written_as_its_documentation_shows(written, bytes_):
    assert written == bytes_
