"""The formats that a network can be written in for other runtimes: one row each.

Each writer is kept by others, and takes a function of TensorFlow. PyTorch has none for that: its files are
written from the list of layers that a TFLite file is read as.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.layers import Layers

ONNX_OPSET = 18  # the newest of tf2onnx; ONNX Runtime, OpenVINO and OpenCV 4 read it


@dataclass(frozen=True)
class Format:
    """`write` puts a model into a file named `file`, and what belongs to it beside that."""

    kind: str  # the name of its row in KINDS
    file: str
    write: Callable[..., None]
    install: str = ""  # how to get what writes it; empty: it is there


def _tflite(function: Any, owner: Any, file: Path) -> None:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], owner)
    file.write_bytes(converter.convert())


def _onnx(function: Any, _: Any, file: Path) -> None:
    import onnx
    from tf2onnx import convert

    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # the checker says the same in one line
    model, _ = convert.from_function(function, function.input_signature, opset=ONNX_OPSET)
    onnx.checker.check_model(model)
    file.write_bytes(model.SerializeToString())


def _openvino(function: Any, _: Any, file: Path) -> None:
    import openvino

    model = openvino.convert_model(function.get_concrete_function())
    openvino.save_model(model, file, compress_to_fp16=False)


def _torchscript(network: Layers, file: Path) -> None:
    from models.convert.torch_files import write_torchscript

    write_torchscript(network, file)


def _torch_export(network: Layers, file: Path) -> None:
    from models.convert.torch_files import write_torch_export

    write_torch_export(network, file)


# `write(function, owner, file)`: a tf.function of one input, and the module that owns its variables.
OF_FUNCTIONS = {
    "tflite": Format("TFLite", "model.tflite", _tflite),
    "onnx": Format("ONNX", "model.onnx", _onnx, "make runtimes or pip install tf2onnx"),
    "openvino": Format("OpenVINO IR", "model.xml", _openvino, "pip install openvino"),
}
# `write(network, file)`
OF_LAYERS = {
    "torchscript": Format("TorchScript", "model.pt", _torchscript, "pip install torch"),
    "torch_export": Format("torch.export", "model.pt2", _torch_export, "pip install torch"),
}
FORMATS = {**OF_FUNCTIONS, **OF_LAYERS}
