"""The formats that a list of layers can be written in: one row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from models.layers import Layers


@dataclass(frozen=True)
class LayerFormat:
    """The files that `write` puts into a folder, and what that needs."""

    files: tuple[str, ...]  # the one that a server looks for last
    write: Callable[[Layers, Path], None]
    install: str = ""


def _onnx(network: Layers, folder: Path) -> None:
    from models.onnx_file import onnx_bytes

    (folder / "model.onnx").write_bytes(onnx_bytes(network))


def _torchscript(network: Layers, folder: Path) -> None:
    from models.torch_files import write_torchscript

    write_torchscript(network, folder / "model.pt")


def _torch_export(network: Layers, folder: Path) -> None:
    from models.torch_files import write_torch_export

    write_torch_export(network, folder / "model.pt2")


def _caffe(network: Layers, folder: Path) -> None:
    from models.caffe_files import caffe_texts

    prototxt, weights = caffe_texts(network)
    (folder / "model.prototxt").write_text(prototxt, encoding="utf-8")
    (folder / "model.caffemodel").write_bytes(weights)


def _openvino(network: Layers, folder: Path) -> None:
    import openvino

    _onnx(network, folder)
    model = openvino.convert_model(folder / "model.onnx")
    openvino.save_model(model, folder / "model.xml", compress_to_fp16=False)


FORMATS = {
    "onnx": LayerFormat(("model.onnx",), _onnx),
    "torchscript": LayerFormat(("model.pt",), _torchscript, "pip install torch"),
    "torch_export": LayerFormat(("model.pt2",), _torch_export, "pip install torch"),
    "caffe": LayerFormat(("model.prototxt", "model.caffemodel"), _caffe),
    "openvino": LayerFormat(("model.bin", "model.xml"), _openvino, "pip install openvino"),
}
