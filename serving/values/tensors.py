"""TensorProto to NumPy and back, with checks of everything that a client may have written.

Format: tensorflow/core/framework/tensor.proto. The values are either in `tensor_content`, or in the field for
their type; there the last number stands for all that follow, so a message of 50 bytes can mean gigabytes.
Therefore type and shape are compared with the signature before values are read (`header`), and the number of
values that may be left out is limited.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from ml_dtypes import bfloat16
from tensorflow.core.framework import tensor_pb2, types_pb2

from common.wire import varint
from serving.errors import InvalidArgument, Unimplemented
from serving.limits import (
    EXAMPLES_LIMIT,
    EXPANDED_LIMIT_BYTES,
    REPEATED_LIMIT_BYTES,
    TENSOR_LIMIT_BYTES,
)


@dataclass(frozen=True)
class Dtype:
    """An element type in NumPy, and the field of the message that holds its values."""

    numpy: np.dtype
    field: str
    stored: np.dtype | None = None  # type in the field, if another: bits, or parts of a complex number

    @property
    def per_element(self) -> int:
        """How many values of the field make one element."""
        return self.numpy.itemsize // self.stored.itemsize if self.stored else 1


DTYPES = {
    types_pb2.DT_FLOAT: Dtype(np.dtype(np.float32), "float_val"),
    types_pb2.DT_DOUBLE: Dtype(np.dtype(np.float64), "double_val"),
    types_pb2.DT_HALF: Dtype(np.dtype(np.float16), "half_val", np.dtype(np.uint16)),
    types_pb2.DT_BFLOAT16: Dtype(np.dtype(bfloat16), "half_val", np.dtype(np.uint16)),
    types_pb2.DT_COMPLEX64: Dtype(np.dtype(np.complex64), "scomplex_val", np.dtype(np.float32)),
    types_pb2.DT_COMPLEX128: Dtype(np.dtype(np.complex128), "dcomplex_val", np.dtype(np.float64)),
    types_pb2.DT_INT32: Dtype(np.dtype(np.int32), "int_val"),
    types_pb2.DT_INT16: Dtype(np.dtype(np.int16), "int_val"),
    types_pb2.DT_INT8: Dtype(np.dtype(np.int8), "int_val"),
    types_pb2.DT_UINT16: Dtype(np.dtype(np.uint16), "int_val"),
    types_pb2.DT_UINT8: Dtype(np.dtype(np.uint8), "int_val"),
    types_pb2.DT_INT64: Dtype(np.dtype(np.int64), "int64_val"),
    types_pb2.DT_UINT32: Dtype(np.dtype(np.uint32), "uint32_val"),
    types_pb2.DT_UINT64: Dtype(np.dtype(np.uint64), "uint64_val"),
    types_pb2.DT_BOOL: Dtype(np.dtype(np.bool_), "bool_val"),
    types_pb2.DT_STRING: Dtype(np.dtype(object), "string_val"),  # an array of bytes objects
}
DTYPE_OF = {row.numpy: number for number, row in DTYPES.items()}
# These fields hold the values as they are in memory, after the field's number and kind.
PACKED_TAGS = {"float_val": b"\x2a", "double_val": b"\x32"}


def numpy_dtype(dtype: int) -> np.dtype:
    """The type in NumPy. Raises Unimplemented for a type that this server does not handle."""
    if dtype not in DTYPES:
        raise Unimplemented(f"The model uses {dtype_name(dtype)}, which this server does not handle.")
    return DTYPES[dtype].numpy


def dtype_name(dtype: int) -> str:
    """The name of a type in TensorFlow (DT_FLOAT for 1), else its number."""
    return types_pb2.DataType.Name(dtype) if dtype in types_pb2.DataType.values() else f"type {dtype}"


@dataclass(frozen=True)
class Header:
    """Type and shape of a tensor, as its message says."""

    dtype: np.dtype
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def examples(self) -> int:
        """The most examples that it may hold: every string is one, else every row."""
        return self.count if self.dtype.kind == "O" else self.shape[0] if self.shape else 1

    @property
    def size_bytes(self) -> int:
        """Memory of the elements. Sizes of 0 count as 1: a model may make as much of an empty input."""
        return math.prod(size or 1 for size in self.shape) * self.dtype.itemsize


def header(alias: str, proto: tensor_pb2.TensorProto) -> Header:
    """Type and shape, without reading the values. Raises InvalidArgument, naming the input."""
    row = DTYPES.get(proto.dtype)
    if row is None:
        raise InvalidArgument(
            f"Input {alias!r} is {dtype_name(proto.dtype)}, which this server does not read."
        )
    shape = tuple(dimension.size for dimension in proto.tensor_shape.dim)
    if proto.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise InvalidArgument(f"Input {alias!r} does not give its shape.")
    found = Header(row.numpy, shape)
    if found.size_bytes > TENSOR_LIMIT_BYTES:
        raise InvalidArgument(f"Input {alias!r} is too large: shape {list(shape)} is over 256 MiB.")
    if found.examples > EXAMPLES_LIMIT and (row.numpy.kind == "O" or len(shape) > 1):
        raise InvalidArgument(
            f"Input {alias!r} holds {found.examples} examples; at most {EXAMPLES_LIMIT} are taken at once. "
            "Send them in several requests."
        )
    return found


def to_array(alias: str, proto: tensor_pb2.TensorProto) -> np.ndarray:
    """The values as an array. Raises InvalidArgument, naming the input, if they don't fit the shape."""
    said = header(alias, proto)
    row = DTYPES[proto.dtype]
    try:
        if not proto.tensor_content:
            return _from_field(row, proto, said).reshape(said.shape)
        if row.numpy.kind == "O":
            raise ValueError("strings must be in string_val")
        return np.frombuffer(proto.tensor_content, row.numpy).reshape(said.shape)
    except (ValueError, OverflowError, TypeError) as problem:
        raise InvalidArgument(f"Input {alias!r} can't be read as {list(said.shape)}: {problem}.") from problem


def to_proto(array: np.ndarray, proto: tensor_pb2.TensorProto | None = None) -> tensor_pb2.TensorProto:
    """The array as a message, with the values in the field for their type; `proto` is an empty one to fill.

    TensorFlow Serving answers in this form (predict_util.cc, kAsProtoField), and clients read
    `outputs["scores"].float_val` directly.
    """
    number = DTYPE_OF.get(array.dtype)
    if number is None:
        raise Unimplemented(f"The model answers with {array.dtype}, which this server does not send.")
    proto = tensor_pb2.TensorProto() if proto is None else proto
    proto.dtype = number
    for size in array.shape:
        proto.tensor_shape.dim.add().size = size
    row = DTYPES[number]
    values = array.ravel().view(row.stored) if row.stored else array.ravel()
    if row.field in PACKED_TAGS and values.size:
        # The bytes of the field in the wire format: a hundred times faster for the pixels of an image.
        data = values.tobytes()
        proto.MergeFromString(PACKED_TAGS[row.field] + varint(len(data)) + data)
    else:
        getattr(proto, row.field).extend(values.tolist())
    return proto


def _from_field(row: Dtype, proto: tensor_pb2.TensorProto, said: Header) -> np.ndarray:
    """As TensorFlow reads it: without any value all are zero, and surplus values are ignored."""
    values = getattr(proto, row.field)
    given, rest = divmod(len(values), row.per_element)
    if rest:
        raise ValueError(f"{row.field} holds {len(values)} values, which is not a whole number of elements")
    if given < said.count:
        _check_left_out(row, given, said)
    wanted = said.count * row.per_element
    if row.field in PACKED_TAGS:
        array = np.array(values, row.numpy)[:wanted]  # a hundred times faster, as in to_proto
    else:
        array = np.fromiter(itertools.islice(values, wanted), row.stored or row.numpy).view(row.numpy)
    left_out = said.count - len(array)
    if not left_out:
        return array
    if len(array) < 2:
        return np.broadcast_to(array[0] if len(array) else np.zeros((), row.numpy), said.shape)
    return np.concatenate([array, np.repeat(array[-1:], left_out)])


def _check_left_out(row: Dtype, given: int, said: Header) -> None:
    """Limit the repetition of the last number. Strings are not repeated, clients' libraries never rely on it.

    Raises ValueError.
    """
    if row.numpy.kind == "O":
        raise ValueError(f"it says {said.count} strings and holds {given}; send each of them")
    limit_bytes = EXPANDED_LIMIT_BYTES if given < 2 else REPEATED_LIMIT_BYTES
    if said.size_bytes > limit_bytes or said.examples > EXAMPLES_LIMIT:
        raise ValueError(
            f"it says {said.count} values and holds {given}; so many may not be left out, send each of them"
        )
