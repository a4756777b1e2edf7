"""Model files with a few bytes changed, lost or moved: a sentence, no traceback, no process that dies."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.formats.exporter_notes import notes_of
from models.formats.kinds import find
from models.interface.hints import hints_of
from models.networks.tflite_layers import layers_of
from models.problems import ModelProblem
from tests.support.models.convertible import converter
from tests.support.models.detectors import folder

READ, CHECKED = 60, 6  # mutations of each file
SEED = 12


def mutations(data: bytes, count: int) -> Iterator[bytes]:
    """The same ones each time."""
    chance = random.Random(SEED)
    for _ in range(count):
        place, size = chance.randrange(len(data)), chance.choice((1, 4, 32))
        end, other = min(len(data), place + size), chance.randrange(len(data))
        yield chance.choice(
            [
                data[:place],
                data[:place] + data[end:],
                data[:place] + chance.randbytes(end - place) + data[end:],
                data[:place] + b"\xff" * (end - place) + data[end:],
                data[:place] + data[other : other + end - place] + data[end:],
            ]
        )


def damaged(source: Path, target: Path, count: int) -> Iterator[Path]:
    """The file, changed, with what belongs to it."""
    for data in mutations(source.read_bytes(), count):
        target.write_bytes(data)
        yield target


READERS = ["float.tflite", "int8.tflite", "model.h5", "model.keras", "frozen.pb", "ir/net.xml"]
DETECTORS = ["noted.tflite", "classify.onnx", "yolo-with-notes.onnx", "pose.torchscript"]


@pytest.mark.parametrize("name", [*READERS, *DETECTORS])
def test_what_is_read_of_a_damaged_file_is_no_bug(tmp_path, name):
    source = (converter().sources if name in READERS else folder()) / name
    for weights in source.parent.glob("*.bin"):
        (tmp_path / weights.name).write_bytes(weights.read_bytes())
    for file in damaged(source, tmp_path / source.name, READ):
        try:
            found = find(file)
            notes_of(found)
            hints_of(found)
            if found.kind.name == "TFLite":
                layers_of(file)
        except ModelProblem as problem:
            assert str(file) in str(problem) or str(problem).startswith("It has")


@pytest.mark.parametrize("name", ["model.h5", "model.keras", "frozen.pb", "float.tflite", "classify.onnx"])
def test_check_of_a_damaged_file_ends_with_a_sentence_that_names_it(tmp_path, name):
    source = (folder() if name in DETECTORS else converter().sources) / name
    for file in damaged(source, tmp_path / source.name, CHECKED):
        exit_code, said = converter().run("check", file)
        assert exit_code in (1, 2), said
        assert str(file) in said
        assert "Traceback" not in said and "/check-" not in said and "/keras-" not in said


def test_convert_of_a_damaged_graph_ends_with_a_sentence(tmp_path):
    source = converter().sources / "saved_model_1"
    (tmp_path / "model" / "variables").mkdir(parents=True)
    for file in (source / "variables").iterdir():
        (tmp_path / "model" / "variables" / file.name).write_bytes(file.read_bytes())
    for _ in damaged(source / "saved_model.pb", tmp_path / "model" / "saved_model.pb", 8):
        exit_code, said = converter().run("convert", tmp_path / "model", "--out", tmp_path / "out")
        assert exit_code in (0, 2), said
        assert "Traceback" not in said
