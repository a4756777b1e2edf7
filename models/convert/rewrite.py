"""Writes the same network in another runtime's format (`--to`), one row of FORMATS for every format.

The writers are packages that take a function of TensorFlow. PyTorch has no such writer: its files are written
from the list of layers that a TFLite file is read as.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from models.formats.kinds import Found, find
from models.interface.ends import choose
from models.interface.hints import hints_of, of_layers
from models.interface.labels import label_count
from models.interface.pixels import Hints
from models.interface.wanted import Say, ScoresOf, Wanted
from models.layers import Layers
from models.problems import ModelProblem, what_went_wrong

TENSORFLOW, TFLITE, OPENVINO = "tensorflow", "tflite", "openvino"
ONNX_OPSET = 18  # the newest of tf2onnx; ONNX Runtime, OpenVINO and OpenCV 4 read it
# The part of the converters' long messages (OpenVINO, TensorFlow, ONNX) that names what they don't know.
UNKNOWN = re.compile(r"\b((?:No conversion rule|Custom op|Flex op|No Op registered).*?)\W*$", re.MULTILINE)


@dataclass(frozen=True)
class Format:
    """A target of `--to`. `write` writes `file`, and what belongs to it into the same folder."""

    kind: str  # the name of its row in KINDS
    file: str
    write: Callable[..., None]
    install: str = ""  # command that installs the writer; empty: it is always installed


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


# `write(function, owner, file)`: a tf.function with one input, the module that owns its variables
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
TARGETS = (TENSORFLOW, *FORMATS)


class Rewritten(NamedTuple):
    """A model in another format, what is known beyond its file, and the options that are still open."""

    found: Found
    hints: Hints
    wanted: Wanted
    scores_of: ScoresOf | None = None  # computes the original's scores; None: they can't be compared


def rewritten(found: Found, wanted: Wanted, scratch: Path, say: Say) -> Rewritten:
    """Write `found` in the format `wanted.to` into the folder `scratch`. Raises ModelProblem if it fails."""
    target = str(wanted.to)
    if found.kind.name == FORMATS[target].kind:
        return Rewritten(found, hints_of(found), wanted)
    if found.kind.name == "ONNX" and target == OPENVINO:
        import openvino

        file = scratch / FORMATS[OPENVINO].file
        openvino.save_model(openvino.convert_model(found.path), file, compress_to_fp16=False)
        return Rewritten(find(file), hints_of(found), wanted)
    if target not in OF_LAYERS:
        return _of_function(found, target, wanted, scratch, say)
    return _of_layers(_of_function(found, TFLITE, wanted, scratch, say), target, scratch)


def _of_function(found: Found, target: str, wanted: Wanted, scratch: Path, say: Say) -> Rewritten:
    """Write the network alone, through TensorFlow; preprocessing and labels go onto the card."""
    from models.convert import as_graph  # imports TensorFlow

    if found.kind.name not in as_graph.LOAD:
        raise ModelProblem(f"--to {target}: {found.kind.name} can't be rewritten for it.")
    network = as_graph.loaded(found, wanted, say)
    ends = choose(network.signatures, wanted, label_count(wanted, network.hints.labels), say)
    row, (function, owner) = FORMATS[target], as_graph.as_function(network, ends)
    file = _written(found, target, scratch / row.file, lambda file: row.write(function, owner, file))

    def scores_of(values: np.ndarray) -> np.ndarray:
        scores: np.ndarray = function(values)[ends.output.name].numpy()
        return scores

    renamed = replace(wanted, signature=None, input=None, output=None)  # the file has names of its own
    return Rewritten(find(file), network.hints, renamed, scores_of)


def _of_layers(made: Rewritten, target: str, scratch: Path) -> Rewritten:
    """Write a TFLite file's network layer by layer."""
    from models.networks.tflite_layers import layers_of

    network, row = layers_of(made.found.path), FORMATS[target]
    file = _written(made.found, target, scratch / row.file, lambda file: row.write(network, file))
    hints = of_layers(made.hints, network.sides_px)
    return made._replace(found=find(file), hints=hints, wanted=replace(made.wanted, layout=None))


def _written(found: Found, target: str, file: Path, write: Callable[[Path], None]) -> Path:
    row = FORMATS[target]
    try:
        write(file)
    except ImportError as problem:
        raise ModelProblem(
            f"--to {target} needs a package that is not installed ({problem}). Get it with {row.install}."
        ) from problem
    except Exception as problem:  # the converters raise errors of many types
        cause = UNKNOWN.search(str(problem))
        reason = f"{cause[1]}." if cause else what_went_wrong(problem)
        raise ModelProblem(f"{found.path} can't be written as {row.kind}: {reason}") from problem
    return file
