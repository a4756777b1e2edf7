"""What a TFLite file says: its graph as the flatbuffer holds it, and the labels in the archive behind it.

Schema: tensorflow/lite/schema/schema.fbs. Labels: https://ai.google.dev/edge/litert/models/metadata.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from models.formats.label_files import LARGEST_BYTES, names_in
from models.formats.sniff import ZIP_PROBLEMS, Damaged
from models.problems import ModelProblem

NOTES = "temp_meta.txt"  # of Ultralytics, see models/formats/exporter_notes.py
TYPES = {"FLOAT32": np.float32, "FLOAT16": np.float16, "INT32": np.int32, "UINT8": np.uint8, "INT8": np.int8}


def schema() -> Any:
    """The classes that were generated from the schema; LiteRT's own are the same, and quick to import."""
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError:
        from tensorflow.lite.python import schema_py_generated
    return schema_py_generated


def read(file: Path) -> Any:
    """The model as the generated class ModelT. Raises Damaged."""
    generated = schema()
    with whole(file):
        model = generated.ModelT.InitFromObj(generated.Model.GetRootAs(file.read_bytes(), 0))
    if not model.subgraphs:
        raise Damaged(file, "TFLite", "it has no graph")
    return model


@contextmanager
def whole(file: Path) -> Iterator[None]:
    """Raises Damaged for what its tables make a reader raise: struct.error, IndexError, TypeError, ..."""
    try:
        yield
    except ModelProblem:
        raise
    except Exception as problem:
        raise Damaged(file, "TFLite", f"its tables lead nowhere ({type(problem).__name__})") from problem


def quantisation(tensor: Any) -> tuple[float, int]:
    """Scale and zero point of a whole tensor; 0, 0 for one of plain numbers."""
    found = tensor.quantization
    if found is None or found.scale is None or len(found.scale) != 1:
        return 0.0, 0
    return float(found.scale[0]), int(found.zeroPoint[0])


def dtype_of(tensor: Any) -> Any:
    """NumPy's type; None for one that no classifier's weights have."""
    return TYPES.get(_name(schema().TensorType, tensor.type))


def numbers(tensor: Any, buffers: Any) -> np.ndarray:
    """What a constant stands for, as float32: quantised by a scale for all, or for each channel."""
    values = np.frombuffer(bytes(buffers[tensor.buffer].data), dtype_of(tensor)).reshape(tensor.shape)
    found = tensor.quantization
    if found is None or found.scale is None or not len(found.scale):
        return values.astype(np.float32)
    along = [1] * values.ndim
    if len(found.scale) > 1:
        along[found.quantizedDimension] = -1
    scales, zero_points = (
        np.asarray(each, np.float32).reshape(along) for each in (found.scale, found.zeroPoint)
    )
    with np.errstate(all="ignore"):  # of a damaged scale; what comes out is refused as NaN or infinity
        stands_for: np.ndarray = (values.astype(np.float32) - zero_points) * scales
    return stands_for


def name_of(model: Any, operator: Any) -> str:
    """CONV_2D and so on."""
    code = model.operatorCodes[operator.opcodeIndex]
    return _name(schema().BuiltinOperator, max(code.builtinCode, code.deprecatedBuiltinCode))


def activation_of(operator: Any) -> str:
    """What is applied to an operator's result: NONE, RELU6, ..."""
    code = getattr(operator.builtinOptions, "fusedActivationFunction", 0)
    return _name(schema().ActivationFunctionType, code)


def labels(file: Path) -> tuple[str, ...]:
    """One a class, where the archive behind the file has a list that can be read."""
    try:
        if not zipfile.is_zipfile(file):
            return ()
        with zipfile.ZipFile(file) as archive:
            lists = [info for info in archive.infolist() if info.filename.endswith(".txt")]
            lists.sort(key=lambda info: "label" not in info.filename)
            fitting = [info for info in lists if info.file_size <= LARGEST_BYTES and info.filename != NOTES]
            return tuple(names_in(archive.read(fitting[0]))) if fitting else ()
    except ZIP_PROBLEMS:
        return ()


def _name(enumeration: type, number: int) -> str:
    return next(name for name, value in vars(enumeration).items() if value == number and name.isupper())
