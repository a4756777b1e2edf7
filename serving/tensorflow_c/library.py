"""TensorFlow's C API through ctypes: its functions, and the exception when one fails.

Why not TensorFlow's Python: importing it takes seconds and 180 MB more, its loader holds the
interpreter's lock while it reads a model, and running a session through it costs 0.2 ms more.
TensorFlow Serving uses the same library. Its functions are declared in tensorflow/c/c_api.h.

Functions that compute or read files are called through CDLL, which lets other Python threads
run meanwhile; those that take a microsecond through PyDLL, which does not.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path
from typing import Any

OK = 0


class CallFailed(Exception):
    """A function of TensorFlow returned a status other than OK."""

    def __init__(self, code: int, message: str):
        super().__init__(message)
        self.code = code  # as in tensorflow/c/tsl/tsl_status.h, equal to gRPC's codes
        self.message = message


class Output(ctypes.Structure):
    """TF_Output: one result of one operation."""

    _fields_ = (("operation", c_void_p), ("index", c_int))


class Buffer(ctypes.Structure):
    """TF_Buffer: bytes that belong to TensorFlow."""

    _fields_ = (("data", c_void_p), ("length", c_size_t), ("deallocator", c_void_p))


# Name, result, arguments. None of these waits or computes for long.
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
    """A TF_Status for one call. Every call needs its own."""

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
