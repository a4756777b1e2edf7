"""Caffe and ONNX files with OpenCV's DNN module, on the CPU.

OpenCV does not provide the names of a network's inputs, so they are read from its file.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# Threads that wait by spinning take the cores from the requests beside them. Read at the import.
os.environ.setdefault("OPENCV_THREAD_POOL_ACTIVE_WAIT_WORKER", "0")
os.environ.setdefault("OPENCV_THREAD_POOL_ACTIVE_WAIT_MAIN", "0")

import cv2
import numpy as np

from serving.errors import LoadFailed, ServingError
from serving.model_files.caffe_text import caffe_inputs
from serving.model_files.onnx_inputs import onnx_inputs
from serving.runtimes.base import F32, About, Arrays, Setting, contents, load_failed, run_failed
from serving.values.signatures import DEFAULT_SIGNATURE, Signature, TensorSpec
from serving.values.tensors import DTYPE_OF, numpy_dtype

LIBRARY = f"OpenCV {cv2.__version__}"
ADVICE = "Export or copy the model again."
UNKNOWN_SIZE = 1  # tried for a size that the file leaves open

Inputs = Mapping[str, TensorSpec]


class OpenCvModel:
    """A network. Requests run one at a time, because it can't run in several threads at once."""

    about = About(LIBRARY, F32, "CPU")

    def __init__(self, network: cv2.dnn.Net, inputs: Inputs):
        self._one_at_a_time = threading.Lock()
        self._network: Any = network
        self._outputs: Sequence[str] = network.getUnconnectedOutLayersNames()
        self._inputs = inputs
        self.signatures: Mapping[str, Signature] = {
            DEFAULT_SIGNATURE: Signature(DEFAULT_SIGNATURE, inputs, self._tried_outputs())
        }

    def infer(self, signature_name: str, inputs: Arrays) -> Arrays:
        with self._one_at_a_time:
            try:
                for alias, array in inputs.items():
                    self._network.setInput(np.ascontiguousarray(array), alias)
                # Copies: the arrays are in the network's memory, which the next request overwrites.
                arrays = [array.copy() for array in self._network.forward(self._outputs)]
            except (cv2.error, MemoryError) as problem:
                raise run_failed(LIBRARY, _what(problem)) from problem
        return dict(zip(self._outputs, arrays, strict=True))

    def close(self) -> None:
        with self._one_at_a_time:
            self._network = None

    def _tried_outputs(self) -> Inputs:
        """The outputs of a run on zeros: it shows their shapes, and whether the weights fit."""
        zeros = {
            alias: np.zeros([size or UNKNOWN_SIZE for size in spec.shape or ()], numpy_dtype(spec.dtype))
            for alias, spec in self._inputs.items()
        }
        any_batch = all(spec.shape and spec.shape[0] is None for spec in self._inputs.values())
        arrays = self.infer(DEFAULT_SIGNATURE, zeros)
        batch = {alias: None if any_batch else array.shape[0] for alias, array in arrays.items()}
        return {
            alias: TensorSpec(DTYPE_OF[array.dtype], (batch[alias], *array.shape[1:]))
            for alias, array in arrays.items()
        }


def load(file: Path, setting: Setting) -> OpenCvModel:
    """Raises LoadFailed when a file is damaged or missing, or holds a network that OpenCV can't run."""
    cv2.setNumThreads(setting.thread_count)
    try:
        if file.suffix == ".caffemodel":
            return _caffe(file)
        inputs = onnx_inputs(file)
        return OpenCvModel(cv2.dnn.readNetFromONNX(str(file)), inputs)
    except cv2.error as problem:
        raise load_failed(file, LIBRARY, _what(problem), ADVICE) from problem
    except (ValueError, MemoryError) as problem:  # inputs of an impossible size
        raise load_failed(file, LIBRARY, problem, ADVICE) from problem
    except ServingError as problem:
        raise load_failed(file, LIBRARY, problem.message, ADVICE) from problem


def _caffe(file: Path) -> OpenCvModel:
    if not hasattr(cv2.dnn, "readNetFromCaffe"):
        raise LoadFailed(
            f'{LIBRARY} no longer reads Caffe. Get an older one: `pip install "opencv-python-headless<5"`.'
        )
    prototxt = _prototxt(file)
    inputs = caffe_inputs(prototxt)
    return OpenCvModel(cv2.dnn.readNetFromCaffe(str(prototxt), str(file)), inputs)


def _prototxt(file: Path) -> Path:
    """The description beside the weights: the one with their name, or the only one."""
    found = sorted(file.parent.glob("*.prototxt"))
    same = [path for path in found if path.stem == file.stem]
    if same or len(found) == 1:
        return (same or found)[0]
    raise LoadFailed(
        f"{file} needs the network's description beside it, as {file.with_suffix('.prototxt').name}; "
        f"found {contents(file.parent)}."
    )


def _what(problem: Exception) -> Exception:
    """OpenCV's reason, without the place in its source."""
    reason = str(getattr(problem, "err", "")).strip("> \n")
    return RuntimeError(reason) if reason else problem
