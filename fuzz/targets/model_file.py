"""Files of models: what they are, what their exporter noted, and how they want their pixels."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from fuzz.target import Target
from models.formats.exporter_notes import notes_of
from models.formats.kinds import find
from models.interface.hints import hints_of
from models.networks.tflite_layers import layers_of
from models.problems import ModelProblem
from tests.support.models.convertible import converter
from tests.support.models.detectors import folder

NAMES = ("model.h5", "model.keras", "frozen.pb", "float.tflite", "int8.tflite")
NETWORKS = ("noted.tflite", "classify.onnx", "yolo-with-notes.onnx", "pose.torchscript")
ENDS = (".h5", ".keras", ".pb", ".tflite", ".tflite", ".tflite", ".onnx", ".onnx", ".torchscript", "")


def _feed(data: bytes) -> str:
    """The first byte chooses the end of the file's name."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "model" + ENDS[(data[0] if data else 0) % len(ENDS)])
        file.write_bytes(data[1:])
        try:
            found = find(file)
            notes_of(found)
            hints_of(found)
            if found.kind.name == "TFLite":
                layers_of(file)
        except ModelProblem:
            return "refused"
        return f"read as {found.kind.name}"


def _seeds() -> Iterator[bytes]:
    """The models of the tests: made by TensorFlow, which takes a minute."""
    files = [*(converter().sources / name for name in NAMES), *(folder() / name for name in NETWORKS)]
    for file in files:
        yield bytes([ENDS.index(file.suffix)]) + file.read_bytes()


TOKENS = [
    b"PK\3\4",
    b"PK\1\2",
    b"TFL3",
    b"\x89HDF\r\n\x1a\n",
    b"\xff\xff\xff\xff",
    b"\0\0\0\x80",
    b"names",
    b"{",
    b"[" * 50,
]
TARGET = Target("model_file", lambda: list(_seeds()), _feed, TOKENS)
