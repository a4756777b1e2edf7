"""The names and shapes of the inputs of a Caffe network, from its prototxt, which has two forms for them.

Names and numbers of the fields: NetParameter in https://github.com/BVLC/caffe, caffe.proto.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tensorflow.core.framework import types_pb2

from serving.declared_messages import declared
from serving.errors import LoadFailed
from serving.values.signatures import TensorSpec

LIMIT_BYTES = 16 << 20
CLASSES = declared(
    "caffe",
    {
        "NetParameter": (
            ("input", 3, "repeated string"),
            ("input_dim", 4, "repeated int64"),
            ("input_shape", 8, "repeated caffe.BlobShape"),
            ("layer", 100, "repeated caffe.LayerParameter"),
        ),
        "LayerParameter": (
            ("type", 2, "string"),
            ("top", 4, "repeated string"),
            ("input_param", 143, "caffe.InputParameter"),
        ),
        "InputParameter": (("shape", 1, "repeated caffe.BlobShape"),),
        "BlobShape": (("dim", 1, "repeated int64"),),
    },
)

Shape = Sequence[int]


def caffe_inputs(prototxt: Path) -> Mapping[str, TensorSpec]:
    """The inputs by name, for any batch size. Raises LoadFailed."""
    try:
        if prototxt.stat().st_size > LIMIT_BYTES:
            raise ValueError("it is too large for a description")
        network = _parsed(prototxt.read_text(encoding="utf-8"))
        shapes = {**_input_layers(network), **_old_inputs(network)}
        if not shapes:
            raise ValueError("it does not name an input with its shape")
    except ValueError as problem:
        raise LoadFailed(
            f"{prototxt} can't be read as a Caffe network: {problem}. Put the deploy.prototxt there that "
            "came with the weights, with an Input layer or input_shape."
        ) from problem
    return {
        # A size of zero or less, which some files have, means any size.
        alias: TensorSpec(types_pb2.DT_FLOAT, (None, *(size if size > 0 else None for size in sizes[1:])))
        for alias, sizes in shapes.items()
    }


def _parsed(text: str) -> Any:
    """The NetParameter, only with the fields declared above. Raises ValueError."""
    try:
        return text_format.Parse(text, CLASSES["NetParameter"](), allow_unknown_field=True)
    except text_format.ParseError as problem:
        reason = str(problem).rpartition("': ")[2].rpartition(" : ")[2].rstrip(".")  # without the whole line
        raise ValueError(f"line {problem.GetLine()}: {reason}") from problem
    except RecursionError as problem:
        raise ValueError("its braces are nested too deeply") from problem


def _input_layers(network: Any) -> dict[str, Shape]:
    """layer { type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 ... } } }"""
    found = {}
    for layer in network.layer:
        shapes = layer.input_param.shape
        if layer.type == "Input" and shapes:
            for index, top in enumerate(layer.top):
                found[top] = shapes[min(index, len(shapes) - 1)].dim
    return found


def _old_inputs(network: Any) -> dict[str, Shape]:
    """input: "data" and then input_shape { dim: 1 ... }, or four input_dim for each input."""
    names, sizes = network.input, network.input_dim
    shapes = [shape.dim for shape in network.input_shape]
    shapes = shapes or [sizes[start : start + 4] for start in range(0, len(sizes), 4)]
    if len(shapes) < len(names):
        raise ValueError(f"the input {names[len(shapes)]!r} has no shape")
    return dict(zip(names, shapes, strict=False))
