"""The models of make_convertible.py, and what `models convert` makes of them: once a test run."""

from __future__ import annotations

import atexit
import functools
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.support.models.commands import CommandsProcess, answer_commands

SOURCES = "sources"


@dataclass(frozen=True)
class Case:
    """A model with what it is converted with, and what it then has to answer."""

    name: str
    source: str  # below the folder of make_convertible.py
    options: tuple[str, ...] = ()
    expected: str = "float"  # which of the expected probabilities
    within: float = 1e-4
    packages: tuple[str, ...] = ()  # without them it is skipped
    runtime: str = "auto"

    def __str__(self) -> str:
        return self.name

    @property
    def is_possible(self) -> bool:
        return all(importlib.util.find_spec(package) for package in self.packages)


@dataclass(frozen=True)
class Converted:
    """What came out."""

    base: Path
    said: str
    exit_code: int


TF = ("--preprocess", "tf")
CASES = (
    Case("keras", "model.keras", TF),
    Case("keras-hdf5", "model.h5", TF),
    Case("keras-2-hdf5", "keras_2.h5", TF, "keras_2"),
    Case("saved-model-of-tensorflow-1", "saved_model_1", TF),
    Case("saved-model-one-at-a-time-uint8-nchw", "saved_model_2", ("--output", "scores")),
    Case("saved-model-of-encoded-images", "encoded"),
    Case("frozen-graph", "frozen.pb", TF),
    Case("tflite-float", "float.tflite", TF, packages=("ai_edge_litert",)),
    # One level of 256 is one in a hundred here: the pixels are rounded, and the scores are.
    Case("tflite-uint8", "uint8.tflite", (), "uint8", 0.012, ("ai_edge_litert",)),
    Case("tflite-int8", "int8.tflite", (), "int8", 0.012, ("ai_edge_litert",)),
    Case("tflite-uint8-in-openvino", "uint8.tflite", (), "uint8", 0.05, (), "openvino"),
    Case("openvino-ir", "ir/net.xml", (*TF, "--layout", "NHWC")),
    Case("torchscript", "script.pt", (*TF, "--size", "32x40"), packages=("torch",)),
    Case("torch-export", "export.pt2", TF, packages=("torch",)),
    Case("keras-to-onnx", "rescales.keras", ("--to", "onnx"), packages=("onnxruntime", "tf2onnx")),
    Case("keras-to-tflite", "rescales.keras", ("--to", "tflite"), packages=("ai_edge_litert",)),
    Case("keras-logits-to-torch-export", "model.h5", (*TF, "--to", "torch_export"), packages=("torch",)),
    Case(
        "saved-model-to-onnx-in-opencv",
        *("saved_model_1", (*TF, "--to", "onnx"), "float", 1e-4, ("tf2onnx", "cv2"), "opencv"),
    ),
    Case("tflite-uint8-to-openvino", "uint8.tflite", ("--to", "openvino"), "float", 0.05),
    Case("tflite-logits-to-tensorflow", "logits.tflite", (*TF, "--to", "tensorflow", "--logits")),
)


class Converter:
    """A process that makes the models, then converts one when asked: TensorFlow is imported once."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="convertible-"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self._commands = CommandsProcess("tests.support.models.convertible", str(self.folder))
        self._done: dict[str, Converted] = {}

    def converted(self, name: str) -> Converted:
        """`python -m models convert` of the case with this name, once."""
        if name not in self._done:
            case = next(case for case in CASES if case.name == name)
            self._done[name] = self.convert(case.source, *case.options, out=name)
        return self._done[name]

    def convert(self, source: str | Path, *options: str, out: str) -> Converted:
        """Of a file below the folder of make_convertible.py, or anywhere else."""
        exit_code, said = self.run("convert", self.sources / source, "--out", self.folder / out, *options)
        return Converted(self.folder / out, said, exit_code)

    def models(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """`python -m models` with any arguments."""
        return self._commands.run(*arguments)

    def run(self, *arguments: object) -> tuple[int, str]:
        """The same: its exit code, and all that it printed."""
        done = self.models(*arguments)
        return done.returncode, done.stdout + done.stderr

    @property
    def sources(self) -> Path:
        return self.folder / SOURCES

    @property
    def photo(self) -> bytes:
        return (self.sources / "photo.png").read_bytes()

    def expected(self, case: Case) -> list[float]:
        return json.loads((self.sources / "expected.json").read_text())[case.expected]


@functools.cache
def converter() -> Converter:
    """The one of this test run."""
    return Converter()


def _work(folder: Path) -> None:
    from tests.support.models import make_convertible

    make_convertible.main(folder / SOURCES)
    answer_commands()


if __name__ == "__main__":
    _work(Path(sys.argv[1]))
