"""`python -m bench.parity`: how often two runtimes name the same class first, over real photos and models."""

from __future__ import annotations

import zipfile

import pytest

from bench import parity
from bench.parity import Answers, compared
from tests.support.models.convertible import converter


@pytest.fixture(autouse=True)
def made(monkeypatch, tmp_path):
    monkeypatch.setattr(parity, "MADE", tmp_path / "parity")
    return tmp_path / "parity"


def answers(about: str, *top: tuple[bytes, float]) -> Answers:
    return Answers(about, list(top), [1.0] * len(top))


def test_only_the_same_top_class_counts_and_its_probabilities_are_compared():
    one = answers("one", (b"cat", 0.5), (b"dog", 0.9), (b"owl", 0.4))
    other = answers("other", (b"cat", 0.52), (b"dog", 0.9), (b"hen", 0.9))
    line = compared(one, other)
    assert line.startswith("one against other: 2 of 3 photos keep the top class, 66.67 % (95 %: ")
    assert line.endswith("its probability is up to 2 points off")


def test_one_command_writes_the_formats_and_compares_them_on_a_zip_and_a_folder(made, tmp_path, capsys):
    photo = converter().photo
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.png").write_bytes(photo)
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("two.png", photo)
        archive.writestr("notes.txt", b"no photo")
    sources = [str(tmp_path / "photos"), str(tmp_path / "photos.zip")]
    model = str(converter().converted("keras").base)
    assert parity.main([*sources, "--model", model, "--runtimes", "openvino"]) == 0
    *speeds, line = capsys.readouterr().out.splitlines()
    assert [each.partition(" ")[0] for each in speeds] == ["TensorFlow", "OpenVINO"]
    assert "2 of 2 photos keep the top class, 100.00 %" in line
    assert (made / "openvino" / "keras" / "1" / "model.xml").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["."], "holds no photos. Supported are .bmp"),
        (["no-such-folder"], "no-such-folder holds no photos"),
        (["notes.txt"], "notes.txt is neither a folder nor a zip of photos"),
        (["photo.zip", "--model", "efficientnet-lite9"], "There is no model 'efficientnet-lite9'"),
        (["photo.zip", "--model", "."], ". holds no SavedModel"),
    ],
)
def test_what_can_not_be_compared_is_one_sentence(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("no photo")
    with zipfile.ZipFile(tmp_path / "photo.zip", "w") as archive:
        archive.writestr("one.png", converter().photo)
    assert parity.main(arguments) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
