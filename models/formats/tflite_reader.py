"""Reads a TFLite file: its flatbuffer, and the labels in the zip archive behind it.

Schema: tensorflow/lite/schema/schema.fbs. Labels: https://ai.google.dev/edge/litert/models/metadata.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from models.formats.label_files import LARGEST_BYTES, names_in
from models.formats.sniff import Damaged, read_member
from models.problems import ModelProblem

NOTES = "temp_meta.txt"  # of Ultralytics, see models/formats/exporter_notes.py
TYPES = {"FLOAT32": np.float32, "FLOAT16": np.float16, "INT32": np.int32, "UINT8": np.uint8, "INT8": np.int8}


def schema() -> Any:
    """Classes generated from the schema: LiteRT's, which are quick to import, else TensorFlow's."""
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError:
        from tensorflow.lite.python import schema_py_generated
    return schema_py_generated


def read(file: Path) -> Any:
    """The model as an object of the generated class ModelT. Raises Damaged."""
    generated = schema()
    with whole(file):
        model = generated.ModelT.InitFromObj(generated.Model.GetRootAs(file.read_bytes(), 0))
    if not model.subgraphs:
        raise Damaged(file, "TFLite", "it has no graph")
    return model


@contextmanager
def whole(file: Path) -> Iterator[None]:
    """Turns what a damaged file's tables make a reader raise (struct.error, IndexError, ...) into Damaged."""
    try:
        yield
    except ModelProblem:
        raise
    except Exception as problem:
        raise Damaged(file, "TFLite", f"its tables lead nowhere ({type(problem).__name__})") from problem


def quantisation(tensor: Any) -> tuple[float, int]:
    """Scale and zero point of a tensor; 0, 0 if it is not quantised, or by channel."""
    found = tensor.quantization
    if found is None or found.scale is None or len(found.scale) != 1:
        return 0.0, 0
    return float(found.scale[0]), int(found.zeroPoint[0])


def dtype_of(tensor: Any) -> Any:
    """A tensor's type in NumPy; None for types that classifiers' weights do not have."""
    return TYPES.get(_name(schema().TensorType, tensor.type))


def numbers(tensor: Any, buffers: Any) -> np.ndarray:
    """A constant tensor as float32: dequantised by its one scale, or by its scale for every channel."""
    values = np.frombuffer(bytes(buffers[tensor.buffer].data), dtype_of(tensor)).reshape(tensor.shape)
    found = tensor.quantization
    if found is None or found.scale is None or not len(found.scale):
        return values.astype(np.float32)
    along = [1] * values.ndim
    if len(found.scale) > 1:
        along[found.quantizedDimension] = -1
    scales, zero_points = (
        np.asarray(values, np.float32).reshape(along) for values in (found.scale, found.zeroPoint)
    )
    with np.errstate(all="ignore"):  # of a damaged scale; what comes out is refused as NaN or infinity
        dequantised: np.ndarray = (values.astype(np.float32) - zero_points) * scales
    return dequantised


def name_of(model: Any, operator: Any) -> str:
    """An operator's name: CONV_2D, ..."""
    code = model.operatorCodes[operator.opcodeIndex]
    return _name(schema().BuiltinOperator, max(code.builtinCode, code.deprecatedBuiltinCode))


def activation_of(operator: Any) -> str:
    """The activation that an operator applies to its result: NONE, RELU6, ..."""
    code = getattr(operator.builtinOptions, "fusedActivationFunction", 0)
    return _name(schema().ActivationFunctionType, code)


def labels(file: Path) -> tuple[str, ...]:
    """The class names in the archive behind the file; empty if it has no list that can be read."""
    data = read_member(file, lambda name: name.endswith(".txt") and "label" in name, LARGEST_BYTES)
    if data is None:
        data = read_member(file, lambda name: name.endswith(".txt") and name != NOTES, LARGEST_BYTES)
    try:
        return tuple(names_in(data)) if data is not None else ()
    except ValueError:
        return ()


def _name(enumeration: type, number: int) -> str:
    return next(name for name, value in vars(enumeration).items() if value == number and name.isupper())
