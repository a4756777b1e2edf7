"""The names, types and shapes of the inputs of an ONNX file, read without the onnx package.

Names and numbers of the fields: https://github.com/onnx/onnx, onnx/onnx.proto.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from common import wire
from serving.declared_messages import declared
from serving.errors import LoadFailed
from serving.values.signatures import TensorSpec, tensor_spec

GRAPH, NODE, INITIALIZER, GRAPH_INPUT, TENSOR_NAME = 7, 1, 5, 11, 8
CLASSES = declared(
    "onnx",
    {
        "NodeProto": (
            ("input", 1, "repeated string"),
            ("output", 2, "repeated string"),
            ("name", 3, "string"),
            ("op_type", 4, "string"),
            ("attribute", 5, "repeated onnx.AttributeProto"),
            ("domain", 7, "string"),
        ),
        "AttributeProto": (("name", 1, "string"), ("s", 4, "string")),
        "ValueInfoProto": (("name", 1, "string"), ("type", 2, "onnx.TypeProto")),
        "TypeProto": (("tensor_type", 1, "onnx.Tensor"),),
        "Tensor": (("elem_type", 1, "int32"), ("shape", 2, "onnx.TensorShapeProto")),
        "TensorShapeProto": (("dim", 1, "repeated onnx.Dimension"),),
        "Dimension": (("dim_value", 1, "int64"),),
    },
)
NUMPY_OF = {1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64, 8: np.object_, 11: np.float64}


def onnx_inputs(file: Path) -> Mapping[str, TensorSpec]:
    """The inputs that a client sends: weights that are listed as inputs are left out. Raises LoadFailed."""
    try:
        model = memoryview(file.read_bytes())
        for node in wire.messages(model, GRAPH, NODE):
            # DecodeError for a text that is not UTF-8: OpenCV 4 crashes when it quotes one in an error.
            CLASSES["NodeProto"].FromString(node)
        weights = {wire.text(tensor, TENSOR_NAME) for tensor in wire.messages(model, GRAPH, INITIALIZER)}
        values = map(CLASSES["ValueInfoProto"].FromString, wire.messages(model, GRAPH, GRAPH_INPUT))
        inputs = {value.name: _spec(file, value) for value in values if value.name not in weights}
    except (ValueError, DecodeError) as problem:
        raise LoadFailed(f"{file} is not an ONNX model, or damaged. Export or copy it again.") from problem
    if not inputs:
        raise LoadFailed(f"{file} is not an ONNX model: it has no input. Export or copy it again.")
    return inputs


def _spec(file: Path, value: Any) -> TensorSpec:
    tensor = value.type.tensor_type
    sizes = [dimension.dim_value or None for dimension in tensor.shape.dim]  # 0: left open, or it has a name
    return tensor_spec(file, value.name, NUMPY_OF.get(tensor.elem_type), sizes)
