"""NumPy arrays to TensorFlow's tensors and back, with as few copies as possible."""

from __future__ import annotations

import ctypes
from ctypes import c_int64, c_uint32
from typing import Any

import numpy as np

from serving.tensorflow_c.library import CallFailed, library
from serving.values.tensors import DTYPE_OF, DTYPES

TSTRING_BYTES = 24  # sizeof(TF_TString), tensorflow/core/platform/ctstring_internal.h
OFFSET_KIND = 2  # TF_TSTR_OFFSET: the text is in the same buffer, `offset` bytes after the struct
STRING_LIMIT_BYTES = 2**30 - 1  # the size shares its 32 bits with the kind
NO_MEMORY = 8  # RESOURCE_EXHAUSTED


class OffsetString(ctypes.Structure):
    """TF_TString of the kind OFFSET, which needs no memory of its own."""

    _fields_ = (("size_and_kind", c_uint32), ("offset", c_uint32), ("count", c_uint32), ("_", c_uint32 * 3))


class Tensor:
    """A TF_Tensor that is deleted with this object. `numpy.asarray` of it shares its memory."""

    def __init__(self, handle: int):
        self.handle = handle

    def __del__(self) -> None:
        library().TF_DeleteTensor(self.handle)

    @property
    def shape(self) -> tuple[int, ...]:
        tf = library()
        return tuple(tf.TF_Dim(self.handle, axis) for axis in range(tf.TF_NumDims(self.handle)))

    @property
    def __array_interface__(self) -> dict[str, Any]:
        tf = library()
        dtype = DTYPES[tf.TF_TensorType(self.handle)].numpy
        return {
            "version": 3,
            "shape": self.shape,
            "typestr": dtype.str,
            "data": (tf.TF_TensorData(self.handle) or 0, False),
        }

    def array(self) -> np.ndarray:
        """The values. Numbers share the tensor's memory; strings are copied to bytes objects."""
        tf = library()
        dtype = DTYPES[tf.TF_TensorType(self.handle)].numpy
        shape = self.shape
        if 0 in shape:
            return np.empty(shape, dtype)
        if dtype.kind == "O":
            return _strings(tf, tf.TF_TensorData(self.handle), shape)
        if dtype.kind == "V":  # a type that NumPy's array interface can't name, like bfloat16
            raw = (ctypes.c_char * (int(np.prod(shape)) * dtype.itemsize)).from_address(
                tf.TF_TensorData(self.handle)
            )
            return np.frombuffer(bytes(raw), dtype).reshape(shape)
        return np.asarray(self)


def _strings(tf: Any, data: int, shape: tuple[int, ...]) -> np.ndarray:
    count = int(np.prod(shape))
    array = np.empty(count, object)
    for index in range(count):
        place = data + index * TSTRING_BYTES
        array[index] = ctypes.string_at(tf.TF_StringGetDataPointer(place), tf.TF_StringGetSize(place))
    return array.reshape(shape)


def tensor_of(array: np.ndarray) -> Tensor:
    """The array as a tensor: a copy, unless the array is a whole tensor of an earlier run."""
    base = array.base
    if isinstance(base, Tensor) and array.shape == base.shape and array.flags.c_contiguous:
        return base
    if array.dtype.kind == "O":
        return _string_tensor(array)
    array = np.ascontiguousarray(array).reshape(array.shape)
    tensor = _allocate(DTYPE_OF[array.dtype], array.shape, array.nbytes)
    if array.nbytes:
        ctypes.memmove(library().TF_TensorData(tensor.handle), array.ctypes.data, array.nbytes)
    return tensor


def _string_tensor(array: np.ndarray) -> Tensor:
    """All strings in one buffer: first the structs, then the texts. So one call frees it all."""
    texts: list[bytes] = array.ravel().tolist()
    head = len(texts) * TSTRING_BYTES
    lengths = [len(text) for text in texts]
    if head + sum(lengths) > STRING_LIMIT_BYTES:
        raise CallFailed(NO_MEMORY, "The strings of one input are over 1 GiB.")
    tensor = _allocate(DTYPE_OF[np.dtype(object)], array.shape, head + sum(lengths))
    if texts:
        data = library().TF_TensorData(tensor.handle)
        structs = (OffsetString * len(texts)).from_address(data)
        end = head
        for index, (text, length) in enumerate(zip(texts, lengths, strict=True)):
            structs[index].size_and_kind = length << 2 | OFFSET_KIND
            structs[index].offset = end - index * TSTRING_BYTES
            structs[index].count = 1
            ctypes.memmove(data + end, text, length)
            end += length
    return tensor


def _allocate(dtype: int, shape: tuple[int, ...], size_bytes: int) -> Tensor:
    dims = (c_int64 * max(1, len(shape)))(*shape)
    handle = library().TF_AllocateTensor(dtype, dims, len(shape), size_bytes)
    if not handle:
        raise CallFailed(NO_MEMORY, f"No memory for a tensor of {size_bytes} bytes.")
    return Tensor(handle)
