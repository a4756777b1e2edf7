"""The inputs of an ONNX file, read from its protobuf without the onnx package.

Field numbers: https://github.com/onnx/onnx, onnx/onnx.proto. Wire format:
https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from serving.errors import LoadFailed
from serving.model_files.specs import tensor_spec
from serving.values.signatures import TensorSpec

GRAPH, INITIALIZER, GRAPH_INPUT = 7, 5, 11  # of ModelProto, then GraphProto
TENSOR_NAME = 8
NODE, NODE_TEXTS, ATTRIBUTE, ATTRIBUTE_TEXTS = 1, (1, 2, 3, 4, 7), 5, (1, 4)
VALUE_NAME, VALUE_TYPE, TENSOR_TYPE, ELEMENT_TYPE, SHAPE, DIMENSION, SIZE = 1, 2, 1, 1, 2, 1, 1
NUMPY_OF = {1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64, 8: np.object_, 11: np.float64}

Value = int | memoryview


def onnx_inputs(file: Path) -> Mapping[str, TensorSpec]:
    """Name, type and shape of what a client sends: weights that are listed as inputs are left out.

    Raises LoadFailed.
    """
    try:
        model = memoryview(file.read_bytes())
        graph = next(_messages(model, GRAPH), memoryview(b""))
        _check_texts(graph)
        weights = {_text(tensor, TENSOR_NAME) for tensor in _messages(graph, INITIALIZER)}
        values = {_text(value, VALUE_NAME): value for value in _messages(graph, GRAPH_INPUT)}
        inputs = {name: _spec(file, name, value) for name, value in values.items() if name not in weights}
    except (ValueError, IndexError) as problem:
        raise LoadFailed(f"{file} is not an ONNX model, or damaged. Export or copy it again.") from problem
    if not inputs:
        raise LoadFailed(f"{file} is not an ONNX model: it has no input. Export or copy it again.")
    return inputs


def _check_texts(graph: memoryview) -> None:
    """Raises ValueError for one that is no UTF-8: OpenCV 4 crashes when it quotes it in an error."""
    for node in _messages(graph, NODE):
        attributes = list(_messages(node, ATTRIBUTE))
        texts = [text for field in NODE_TEXTS for text in _messages(node, field)]
        texts += [text for each in attributes for field in ATTRIBUTE_TEXTS for text in _messages(each, field)]
        for text in texts:
            str(text, "utf-8")


def _spec(file: Path, name: str, value: memoryview) -> TensorSpec:
    tensor = next(_inner(value, VALUE_TYPE, TENSOR_TYPE), memoryview(b""))
    element = next((number for field, number in _fields(tensor) if field == ELEMENT_TYPE), 0)
    sizes = [
        next((size for field, size in _fields(dimension) if field == SIZE and isinstance(size, int)), None)
        for dimension in _inner(tensor, SHAPE, DIMENSION)
    ]
    return tensor_spec(file, name, NUMPY_OF.get(element) if isinstance(element, int) else None, sizes)


def _inner(message: memoryview, *path: int) -> Iterator[memoryview]:
    """The messages at the end of a path of fields."""
    if not path:
        yield message
        return
    for inner in _messages(message, path[0]):
        yield from _inner(inner, *path[1:])


def _messages(message: memoryview, wanted: int) -> Iterator[memoryview]:
    return (value for field, value in _fields(message) if field == wanted and isinstance(value, memoryview))


def _text(message: memoryview, field: int) -> str:
    return str(next(_messages(message, field), memoryview(b"")), "utf-8")


def _fields(message: memoryview) -> Iterator[tuple[int, Value]]:
    """Number and value of each field. Raises ValueError or IndexError when it is cut off or no protobuf."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        wire = key & 7
        if wire == 0:
            value, position = _varint(message, position)
            yield key >> 3, value
            continue
        if wire not in {1, 2, 5}:
            raise ValueError("no protobuf")
        size, position = _varint(message, position) if wire == 2 else ({1: 8, 5: 4}[wire], position)
        if size > len(message) - position:
            raise ValueError("cut off")
        yield key >> 3, message[position : position + size]
        position += size


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends."""
    number = 0
    for shift in range(0, 70, 7):
        byte = message[position]
        position += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, position
    raise ValueError("no protobuf")
