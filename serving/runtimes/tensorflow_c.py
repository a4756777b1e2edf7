"""TensorFlow's C API through ctypes: load a SavedModel into a session, run it.

Why not TensorFlow's Python: importing it takes seconds and 180 MB more, its loader holds the
interpreter's lock while it reads a model, and running a session through it costs 0.2 ms more.
TensorFlow Serving itself sits on the same library. Declared in tensorflow/c/c_api.h.

Functions that compute or read files are called through CDLL, which lets other Python threads
run meanwhile; those that take a microsecond through PyDLL, which does not.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_uint32, c_void_p
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2

from serving.tensors import DTYPE_OF, DTYPES

OK = 0
TSTRING_BYTES = 24  # sizeof(TF_TString), tensorflow/core/platform/ctstring_internal.h
OFFSET_KIND = 2  # TF_TSTR_OFFSET: the text lies in the same buffer, `offset` bytes after the struct
STRING_LIMIT_BYTES = 2**30 - 1  # the size shares its 32 bits with the kind
CALLERS_THREAD = -1  # RunOptions.inter_op_thread_pool


class CallFailed(Exception):
    """TensorFlow answered with a status other than OK."""

    def __init__(self, code: int, message: str):
        super().__init__(message)
        self.code = code  # of tensorflow/c/tsl/tsl_status.h, the numbers of gRPC's codes
        self.message = message


class Output(ctypes.Structure):
    """TF_Output: one result of one operation."""

    _fields_ = (("operation", c_void_p), ("index", c_int))


class Buffer(ctypes.Structure):
    """TF_Buffer: bytes that belong to TensorFlow."""

    _fields_ = (("data", c_void_p), ("length", c_size_t), ("deallocator", c_void_p))


class OffsetString(ctypes.Structure):
    """TF_TString of the kind OFFSET: freed with its tensor, copied by whoever keeps it."""

    _fields_ = (("size_and_kind", c_uint32), ("offset", c_uint32), ("count", c_uint32), ("_", c_uint32 * 3))


# Name, result, arguments. None of them waits or computes for long.
QUICK: tuple[tuple[str, Any, tuple[Any, ...]], ...] = (
    ("TF_Version", c_char_p, ()),
    ("TF_NewStatus", c_void_p, ()),
    ("TF_DeleteStatus", None, (c_void_p,)),
    ("TF_GetCode", c_int, (c_void_p,)),
    ("TF_Message", c_char_p, (c_void_p,)),
    ("TF_NewGraph", c_void_p, ()),
    ("TF_NewSessionOptions", c_void_p, ()),
    ("TF_SetConfig", None, (c_void_p, c_char_p, c_size_t, c_void_p)),
    ("TF_DeleteSessionOptions", None, (c_void_p,)),
    ("TF_NewBuffer", POINTER(Buffer), ()),
    ("TF_NewBufferFromString", POINTER(Buffer), (c_char_p, c_size_t)),
    ("TF_DeleteBuffer", None, (POINTER(Buffer),)),
    ("TF_GraphOperationByName", c_void_p, (c_void_p, c_char_p)),
    ("TF_AllocateTensor", c_void_p, (c_int, POINTER(c_int64), c_int, c_size_t)),
    ("TF_DeleteTensor", None, (c_void_p,)),
    ("TF_TensorData", c_void_p, (c_void_p,)),
    ("TF_TensorType", c_int, (c_void_p,)),
    ("TF_NumDims", c_int, (c_void_p,)),
    ("TF_Dim", c_int64, (c_void_p, c_int)),
    ("TF_StringGetDataPointer", c_void_p, (c_void_p,)),
    ("TF_StringGetSize", c_size_t, (c_void_p,)),
    ("TF_DeviceListCount", c_int, (c_void_p,)),
    ("TF_DeviceListType", c_char_p, (c_void_p, c_int, c_void_p)),
    ("TF_DeviceListMemoryBytes", c_int64, (c_void_p, c_int, c_void_p)),
    ("TF_DeleteDeviceList", None, (c_void_p,)),
)
_STRINGS = POINTER(c_char_p)
_OUTPUTS, _VALUES = POINTER(Output), POINTER(c_void_p)
SLOW: tuple[tuple[str, Any, tuple[Any, ...]], ...] = (
    (
        "TF_LoadSessionFromSavedModel",
        c_void_p,
        (c_void_p, c_void_p, c_char_p, _STRINGS, c_int, c_void_p, POINTER(Buffer), c_void_p),
    ),
    (
        "TF_SessionRun",
        None,
        (
            *(c_void_p, POINTER(Buffer)),
            *(_OUTPUTS, _VALUES, c_int, _OUTPUTS, _VALUES, c_int),
            *(c_void_p, c_int, c_void_p, c_void_p),
        ),
    ),
    ("TF_NewSession", c_void_p, (c_void_p, c_void_p, c_void_p)),
    ("TF_SessionListDevices", c_void_p, (c_void_p, c_void_p)),
    ("TF_CloseSession", None, (c_void_p, c_void_p)),
    ("TF_DeleteSession", None, (c_void_p, c_void_p)),
    ("TF_DeleteGraph", None, (c_void_p,)),
)


@functools.cache
def library() -> Any:
    """The functions above, by name. Raises OSError where TensorFlow's library is not installed."""
    package = Path(next(iter(sys.modules["tensorflow"].__path__)))
    path = str(package / "libtensorflow_cc.so.2")
    with _quiet():
        ctypes.CDLL(str(package / "libtensorflow_framework.so.2"), mode=ctypes.RTLD_GLOBAL)
        handles = (ctypes.PyDLL(path), ctypes.CDLL(path))

    class Functions:
        pass

    for loaded, rows in zip(handles, (QUICK, SLOW), strict=True):
        for name, result, arguments in rows:
            function = getattr(loaded, name)
            function.restype, function.argtypes = result, arguments
            setattr(Functions, name, staticmethod(function))
    return Functions


@contextmanager
def _quiet() -> Iterator[None]:
    """The library writes four lines about itself to stderr when it is loaded, whatever its log level."""
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


class Status:
    """A TF_Status for one call. Not shared: each call needs its own."""

    def __enter__(self) -> c_void_p:
        self._handle = c_void_p(library().TF_NewStatus())
        return self._handle

    def __exit__(self, *error: object) -> None:
        """Raises CallFailed."""
        tf = library()
        code = tf.TF_GetCode(self._handle)
        message = tf.TF_Message(self._handle).decode("utf-8", "replace") if code != OK else ""
        tf.TF_DeleteStatus(self._handle)
        if code != OK:
            raise CallFailed(code, message)


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
        """Numbers share the tensor's memory; strings are bytes objects of their own."""
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
    """The array as a tensor: copied, unless it came from a tensor and still is the whole of it."""
    base = array.base
    if isinstance(base, Tensor) and array.shape == base.shape and array.flags.c_contiguous:
        return base
    return _string_tensor(array) if array.dtype.kind == "O" else _number_tensor(array)


def _number_tensor(array: np.ndarray) -> Tensor:
    array = np.ascontiguousarray(array).reshape(array.shape)
    tensor = _allocate(DTYPE_OF[array.dtype], array.shape, array.nbytes)
    if array.nbytes:
        ctypes.memmove(library().TF_TensorData(tensor.handle), array.ctypes.data, array.nbytes)
    return tensor


def _string_tensor(array: np.ndarray) -> Tensor:
    """All in one buffer: first the structs, then the texts, so that nothing has to be freed apart."""
    texts: list[bytes] = array.ravel().tolist()
    head = len(texts) * TSTRING_BYTES
    lengths = [len(text) for text in texts]
    if head + sum(lengths) > STRING_LIMIT_BYTES:
        raise CallFailed(8, "The strings of one input are over 1 GiB.")  # RESOURCE_EXHAUSTED
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
        raise CallFailed(8, f"No memory for a tensor of {size_bytes} bytes.")
    return Tensor(handle)


@dataclass(frozen=True)
class Device:
    """One device that a session may use."""

    type: str  # "CPU" or "GPU"
    memory_bytes: int


class Session:
    """A loaded SavedModel. `run` may be called from several threads at once."""

    def __init__(self, directory: Path, tags: Sequence[str], config: config_pb2.ConfigProto):
        """Raises CallFailed."""
        tf = library()
        self._graph = c_void_p(tf.TF_NewGraph())
        meta_graph = tf.TF_NewBuffer()
        options = c_void_p(tf.TF_NewSessionOptions())
        text = config.SerializeToString()
        names = (c_char_p * len(tags))(*(tag.encode() for tag in tags))
        try:
            with Status() as status:
                tf.TF_SetConfig(options, text, len(text), status)
            with Status() as status:
                handle = tf.TF_LoadSessionFromSavedModel(
                    options, None, str(directory).encode(), names, len(tags), self._graph, meta_graph, status
                )
            self._session = c_void_p(handle)
            self.signatures = _signature_defs(meta_graph.contents)
        except CallFailed:
            tf.TF_DeleteGraph(self._graph)
            raise
        finally:
            tf.TF_DeleteBuffer(meta_graph)
            tf.TF_DeleteSessionOptions(options)

    def output(self, tensor_name: str) -> Output:
        """What "node:0" means in this graph. Raises KeyError when there is no such node."""
        node, _, index = tensor_name.partition(":")
        operation = library().TF_GraphOperationByName(self._graph, node.encode())
        if not operation:
            raise KeyError(tensor_name)
        return Output(operation, int(index or 0))

    def run(self, plan: Plan, inputs: Sequence[Tensor]) -> list[Tensor]:
        """The plan's outputs. Raises CallFailed."""
        tf = library()
        values = (c_void_p * max(1, len(inputs)))(*(tensor.handle for tensor in inputs))
        results = (c_void_p * max(1, plan.output_count))()
        with Status() as status:
            tf.TF_SessionRun(
                *(self._session, plan.options),
                *(plan.inputs, values, len(inputs), plan.outputs, results, plan.output_count),
                *(None, 0, None, status),
            )
        return [Tensor(results[index] or 0) for index in range(plan.output_count)]

    def devices(self) -> list[Device]:
        """What the session may compute on."""
        return _devices_of(self._session)

    def close(self) -> None:
        """Nothing may run any more."""
        tf = library()
        with Status() as status:
            tf.TF_CloseSession(self._session, status)
        with Status() as status:
            tf.TF_DeleteSession(self._session, status)
        tf.TF_DeleteGraph(self._graph)


def _devices_of(session: c_void_p) -> list[Device]:
    tf = library()
    with Status() as status:
        found = c_void_p(tf.TF_SessionListDevices(session, status))
    devices = []
    for index in range(tf.TF_DeviceListCount(found)):
        with Status() as status:
            kind = tf.TF_DeviceListType(found, index, status).decode()
        with Status() as status:
            devices.append(Device(kind, tf.TF_DeviceListMemoryBytes(found, index, status)))
    tf.TF_DeleteDeviceList(found)
    return devices


def devices() -> list[Device]:
    """What TensorFlow could compute on in this process. Starts its devices, so it takes a moment on a GPU."""
    tf = library()
    graph, options = c_void_p(tf.TF_NewGraph()), c_void_p(tf.TF_NewSessionOptions())
    with Status() as status:
        session = c_void_p(tf.TF_NewSession(graph, options, status))
    found = _devices_of(session)
    with Status() as status:
        tf.TF_DeleteSession(session, status)
    tf.TF_DeleteSessionOptions(options)
    tf.TF_DeleteGraph(graph)
    return found


class Plan:
    """What to feed and fetch in one kind of run, looked up once."""

    def __init__(self, inputs: Sequence[Output], outputs: Sequence[Output], in_callers_thread: bool):
        self.inputs = (Output * max(1, len(inputs)))(*inputs)
        self.outputs = (Output * max(1, len(outputs)))(*outputs)
        self.output_count = len(outputs)
        pool = CALLERS_THREAD if in_callers_thread else 0
        text = config_pb2.RunOptions(inter_op_thread_pool=pool).SerializeToString()
        self.options = library().TF_NewBufferFromString(text, len(text))

    def __del__(self) -> None:
        library().TF_DeleteBuffer(self.options)


def _signature_defs(buffer: Buffer) -> Mapping[str, meta_graph_pb2.SignatureDef]:
    """`signature_def` of a serialised MetaGraphDef, without parsing the graph beside it.

    A graph can hold 100 MB of constants, and parsing them would stop every other thread.
    """
    text = memoryview((ctypes.c_ubyte * buffer.length).from_address(buffer.data)).cast("B")
    wanted = meta_graph_pb2.MetaGraphDef.SIGNATURE_DEF_FIELD_NUMBER
    kept = b"".join(bytes(text[start:end]) for number, start, end in _fields(text) if number == wanted)
    return dict(meta_graph_pb2.MetaGraphDef.FromString(kept).signature_def)


def _fields(text: memoryview) -> Iterator[tuple[int, int, int]]:
    """Number, start and end of each field of a message; all fields of MetaGraphDef have a length."""
    at = 0
    while at < len(text):
        start = at
        tag, at = _varint(text, at)
        length, at = _varint(text, at) if tag & 7 == 2 else (0, _varint(text, at)[1])
        at += length
        yield tag >> 3, start, at


def _varint(text: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = text[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
