"""Writes the demo model's pixel part in the formats of other runtimes, beside the SavedModel.

Each takes `pixels` float32 [n, 192, 192, 3] in 0..255 and gives `probabilities` float32 [n, 306];
only Caffe's has its channels first.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.problems import ModelProblem


class ConverterMissing(ModelProblem):
    """A format needs a package that is not installed. One line a person can act on."""


@dataclass(frozen=True)
class Format:
    """One row: the files of a format, what writes them into a folder, and what that needs."""

    files: tuple[str, ...]  # the one that a server looks for last
    write: Callable[[Path], None]
    install: str = ""


def _onnx(folder: Path) -> None:
    from models.onnx_file import onnx_bytes

    (folder / "model.onnx").write_bytes(onnx_bytes())


def _tflite(folder: Path) -> None:
    from models.tflite_file import tflite_bytes

    (folder / "model.tflite").write_bytes(tflite_bytes())


def _torchscript(folder: Path) -> None:
    from models.torch_files import write_torchscript

    write_torchscript(folder / "model.pt")


def _torch_export(folder: Path) -> None:
    from models.torch_files import write_torch_export

    write_torch_export(folder / "model.pt2")


def _caffe(folder: Path) -> None:
    from models.caffe_files import caffe_texts

    prototxt, weights = caffe_texts()
    (folder / "model.prototxt").write_text(prototxt, encoding="utf-8")
    (folder / "model.caffemodel").write_bytes(weights)


def _openvino(folder: Path) -> None:
    import openvino

    _onnx(folder)
    model = openvino.convert_model(folder / "model.onnx")
    openvino.save_model(model, folder / "model.xml", compress_to_fp16=False)


FORMATS = {
    "onnx": Format(("model.onnx",), _onnx),
    "tflite": Format(("model.tflite",), _tflite),
    "torchscript": Format(("model.pt",), _torchscript, "pip install torch"),
    "torch_export": Format(("model.pt2",), _torch_export, "pip install torch"),
    "caffe": Format(("model.prototxt", "model.caffemodel"), _caffe),
    "openvino": Format(("model.bin", "model.xml"), _openvino, "pip install openvino"),
}


def write_formats(version_directory: Path, names: Sequence[str]) -> list[Path]:
    """Write what is not there yet; gives the files of all. Raises ConverterMissing and OSError.

    A model that was exported anew has no such files: they are never older than the SavedModel.
    """
    for name in names:
        if not all((version_directory / file).is_file() for file in FORMATS[name].files):
            _write(version_directory, name)
    return [version_directory / file for name in names for file in FORMATS[name].files]


def _write(directory: Path, name: str) -> None:
    """Into a folder beside it, then renamed: a server never sees half a file."""
    row = FORMATS[name]
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=directory.parent) as scratch:
        try:
            row.write(Path(scratch))
        except ImportError as problem:
            raise ConverterMissing(f"Writing {name} needs a package ({problem}): {row.install}.") from problem
        for file in row.files:
            (Path(scratch) / file).rename(directory / file)
