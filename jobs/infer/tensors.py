"""Arrays as TensorProto, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from experiment.backends.grpc import MOST_DIMENSIONS
from experiment.protocol import tensor_pb2, type_name

MOST_ELEMENTS: Final = 16 * 1024 * 1024  # of one tensor


class _Type(NamedTuple):
    dtype: Any  # NumPy's, of one element
    field: str  # of TensorProto, where values stand one by one


TYPES: Final[Mapping[str, _Type]] = {
    "DT_FLOAT": _Type(np.float32, "float_val"),
    "DT_DOUBLE": _Type(np.float64, "double_val"),
    "DT_INT8": _Type(np.int8, "int_val"),
    "DT_INT16": _Type(np.int16, "int_val"),
    "DT_INT32": _Type(np.int32, "int_val"),
    "DT_INT64": _Type(np.int64, "int64_val"),
    "DT_UINT8": _Type(np.uint8, "int_val"),
    "DT_UINT16": _Type(np.uint16, "int_val"),
    "DT_UINT32": _Type(np.uint32, "uint32_val"),
    "DT_UINT64": _Type(np.uint64, "uint64_val"),
    "DT_BOOL": _Type(np.bool_, "bool_val"),
    "DT_STRING": _Type(np.object_, "string_val"),
}
_NAMES: Final = {np.dtype(kind.dtype): name for name, kind in TYPES.items()}


def to_proto(array: np.ndarray) -> tensor_pb2.TensorProto:
    """A tensor of any type in TYPES. Texts (`str` or `bytes`) are arrays of objects."""
    proto = tensor_pb2.TensorProto(dtype=_NAMES[array.dtype])
    for side in array.shape:
        proto.tensor_shape.dim.add().size = side
    if array.dtype == object:
        proto.string_val.extend(
            text.encode() if isinstance(text, str) else text for text in array.ravel().tolist()
        )
    else:
        proto.tensor_content = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()
    return proto


def to_array(proto: tensor_pb2.TensorProto) -> np.ndarray:
    """The array in a tensor that a server sent, in either of protobuf's two encodings.

    Raises ValueError, whose text goes on after "the output y": "of type DT_VARIANT, which can't be read".
    """
    kind = TYPES.get(type_name(proto.dtype))
    if kind is None:
        raise ValueError(f"of {type_name(proto.dtype)}, which is not supported")
    shape = [int(dim.size) for dim in proto.tensor_shape.dim[: MOST_DIMENSIONS + 1]]
    if len(shape) > MOST_DIMENSIONS or min(shape, default=0) < 0 or math.prod(shape) > MOST_ELEMENTS:
        raise ValueError(f"of shape {shape}")
    values: np.ndarray
    if proto.tensor_content and kind.dtype is not np.object_:
        item_bytes = np.dtype(kind.dtype).itemsize
        if len(proto.tensor_content) % item_bytes:
            raise ValueError(f"of {len(proto.tensor_content):,} bytes, which are not {item_bytes} each")
        values = np.frombuffer(proto.tensor_content, np.dtype(kind.dtype).newbyteorder("<"))
    else:
        values = np.array(list(getattr(proto, kind.field)), kind.dtype)
    size = math.prod(shape)
    if 0 < len(values) < size:  # TensorFlow leaves out repetitions of the last value
        values = np.concatenate([values, np.repeat(values[-1:], size - len(values))])
    if len(values) != size:
        raise ValueError(f"of shape {shape} with {len(values):,} values")
    return values.astype(kind.dtype, copy=False).reshape(shape)
