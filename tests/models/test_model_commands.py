"""`python -m models` with odd arguments: one sentence and exit code 2, or it works."""

from __future__ import annotations

import os
import shutil

import pytest

from models.__main__ import main
from models.catalogue.table import row
from models.catalogue.weights import url_of
from models.problems import ModelProblem
from tests.support.models.convertible import converter

ODD = "ö [b]x y"


def sentence(*arguments: object) -> str:
    """What a command that can't be done says last."""
    exit_code, said = converter().run(*arguments)
    assert exit_code == 2, said
    assert "Traceback" not in said
    return said.splitlines()[-1]


def test_names_with_blanks_umlauts_and_brackets_are_taken_and_shown_as_they_are(tmp_path):
    folder = tmp_path / ODD
    folder.mkdir()
    shutil.copyfile(converter().sources / "model.keras", folder / "mödel [1].keras")
    out = tmp_path / "out ö"
    arguments = ("--out", out, "--preprocess", "tf")
    exit_code, said = converter().run("convert", folder / "mödel [1].keras", *arguments)
    assert exit_code == 0, said
    assert said.splitlines()[0].startswith(f"{folder}/mödel [1].keras: Keras")
    assert f"The cache: {folder}" in converter().run("list", "--cache", folder)[1]


def test_a_name_that_is_not_utf_8_is_taken(tmp_path):
    name = os.fsdecode(b"m\xf6.keras")
    shutil.copyfile(converter().sources / "model.keras", tmp_path / name)
    exit_code, said = converter().run(
        "convert", tmp_path / name, "--out", tmp_path / "out", "--preprocess", "tf"
    )
    assert exit_code == 0, said


def test_a_folder_that_tensorflow_takes_for_a_pattern_is_refused_before_anything_is_done(tmp_path):
    said = sentence("convert", converter().sources / "model.keras", "--out", tmp_path / "[out]")
    assert "TensorFlow can't load a SavedModel from a folder with [ in its path" in said
    assert str(tmp_path / "[out]") in said
    assert not (tmp_path / "[out]").exists()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--photo", "missing.png"), "--photo missing.png: the file does not exist."),
        (("--labels", "."), "The labels in . can't be read"),
        (("--labels", "missing.txt"), "The labels in missing.txt can't be read"),
        (("--scale", "nan"), "'nan' is not a number"),
        (("--mean", "1,2"), "give one number, or three"),
        (("--std", "inf"), "give one number, or three"),
        (("--size", "0"), "'0' is not a size"),
    ],
)
def test_an_option_that_can_not_be_followed_is_named(tmp_path, options, why):
    source = converter().sources / "model.keras"
    assert why in sentence("convert", source, "--out", tmp_path / "out", *options)


def test_a_model_is_not_written_over_itself_or_into_its_own_folder(tmp_path):
    shutil.copytree(converter().sources / "saved_model_1", tmp_path / "model" / "1")
    before = sorted(tmp_path.rglob("*"))
    for out in ("model", "model/1", "model/1/variables"):
        said = sentence("convert", tmp_path / "model" / "1", "--out", tmp_path / out)
        assert "would be written over itself or into its own folder" in said
    assert sorted(tmp_path.rglob("*")) == before


def test_a_place_that_is_a_file_or_can_not_be_made_is_named(tmp_path):
    source = converter().sources / "model.keras"
    (tmp_path / "file").write_text("x")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert f"{tmp_path / 'file'} is a file." in sentence("convert", source, "--out", tmp_path / "file")
    assert "Too many levels of symbolic links" in sentence(
        "convert", source, "--out", tmp_path / "loop" / "x"
    )
    assert "File exists" in sentence("fetch", "mobilenet-v2", "--cache", source)
    assert "is not a whole number" in sentence("export", "mobilenet-v2", "--random=-1", "--out", tmp_path)


def test_a_full_disk_that_tensorflow_reports_is_a_sentence(monkeypatch, capsys):
    class Full:
        """full: as TensorFlow says it."""

        add_arguments = staticmethod(lambda parser: None)

        @staticmethod
        def run(options: object) -> int:
            raise RuntimeError("/data/1/variables.tempstate17; No space left on device [Op:SaveV2]")

    monkeypatch.setattr("models.__main__.COMMANDS", {"full": Full})
    assert main(["full"]) == 2
    assert capsys.readouterr().err == (
        "python -m models: The disk is full. Free space there, or use another folder.\n"
    )


def test_a_damaged_file_beside_the_model_is_skipped_with_a_line(tmp_path):
    shutil.copyfile(converter().sources / "frozen.pb", tmp_path / "frozen.pb")
    (tmp_path / "old.zip").write_bytes((converter().sources / "model.keras").read_bytes()[:60])
    exit_code, said = converter().run("check", tmp_path)
    assert exit_code == 1, said
    assert "skipped: " in said and "old.zip is damaged" in said
    (tmp_path / "frozen.pb").unlink()
    assert "old.zip is damaged" in sentence("check", tmp_path)


def test_a_folder_with_a_damaged_model_or_several_says_what_to_do(tmp_path):
    (tmp_path / "labels.txt").write_text("cat")
    assert sentence("check", tmp_path).endswith("Put the model's file into it, or name that file.")
    (tmp_path / "frozen_graph.pb").write_bytes(b"\x02" * 100)
    assert "If frozen_graph.pb is meant, it is damaged or of an unknown kind" in sentence("check", tmp_path)
    for name in ("a.pb", "b.pb"):
        shutil.copyfile(converter().sources / "frozen.pb", tmp_path / name)
    assert "Leave one there, or name its file." in sentence("check", tmp_path)


def test_a_folder_whose_name_only_looks_like_a_number_is_no_version(tmp_path):
    (tmp_path / "²").mkdir()
    assert "holds no model: found ²." in sentence("check", tmp_path)


@pytest.mark.parametrize("mirror", ["http://[", "ftp://host/x", "host/x", "http://"])
def test_a_mirror_that_is_no_address_is_named(mirror):
    with pytest.raises(ModelProblem, match="is not a web address"):
        url_of(row("mobilenet-v2"), mirror)
    assert "is not a web address" in sentence("fetch", "mobilenet-v2", "--mirror", mirror)


def test_a_host_that_can_not_be_one_is_a_failed_download(tmp_path):
    exit_code, said = converter().run(
        "fetch", "mobilenet-v2", "--mirror", "http://a..b/", "--cache", tmp_path
    )
    assert (exit_code, "Traceback" in said) == (3, False), said
