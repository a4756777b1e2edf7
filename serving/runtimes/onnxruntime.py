"""ONNX files with ONNX Runtime, on the CPU."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from serving.runtimes.base import F32, About, Arrays, Setting, load_failed, run_failed
from serving.values.signatures import DEFAULT_SIGNATURE, Signature, TensorSpec, tensor_spec

LIBRARY = f"ONNX Runtime {onnxruntime.__version__}"
ADVICE = "Export or copy the ONNX file again, with the files of its external data beside it."
CODE = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ")  # before each of its messages
LOG_FATAL = 4  # errors are raised as well

NUMPY_OF: dict[str, type] = {
    **{f"tensor({name})": np.dtype(name).type for name in ("int8", "int16", "int32", "int64")},
    **{f"tensor(u{name})": np.dtype(f"u{name}").type for name in ("int8", "int16", "int32", "int64")},
    "tensor(float16)": np.float16,
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
}


class OnnxModel:
    """A session, which may run in several threads at once."""

    about = About(LIBRARY, F32, "CPU")

    def __init__(self, file: Path, session: onnxruntime.InferenceSession):
        self._session: Any = session
        inputs, outputs = _specs(file, session.get_inputs()), _specs(file, session.get_outputs())
        self.signatures: Mapping[str, Signature] = {
            DEFAULT_SIGNATURE: Signature(DEFAULT_SIGNATURE, inputs, outputs)
        }

    def infer(self, signature_name: str, inputs: Arrays) -> Arrays:
        aliases = list(self.signatures[signature_name].outputs)
        try:
            return dict(zip(aliases, self._session.run(aliases, dict(inputs)), strict=True))
        except Exception as problem:  # its errors have no common type
            raise run_failed(LIBRARY, _reason(problem)) from problem

    def close(self) -> None:
        self._session = None


def load(file: Path, setting: Setting) -> OnnxModel:
    """Raises LoadFailed when the file is damaged or no ONNX model."""
    try:
        session = onnxruntime.InferenceSession(file, _options(setting), ["CPUExecutionProvider"])
    except Exception as problem:  # its errors have no common type
        raise load_failed(file, LIBRARY, _reason(problem), ADVICE) from problem
    return OnnxModel(file, session)


def _options(setting: Setting) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # Always a number: the default pins one thread to every core of the machine, also to those of others.
    options.intra_op_num_threads = setting.thread_count
    options.inter_op_num_threads = setting.inter_op_threads or 1
    options.log_severity_level = LOG_FATAL
    # Threads that wait by spinning take the cores from the requests beside them.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    return options


def _reason(problem: Exception) -> str:
    return CODE.sub("", str(problem).strip())


def _specs(file: Path, nodes: list[Any]) -> dict[str, TensorSpec]:
    """Specs by name. A size that is a name, not a number, means any size."""
    return {
        node.name: tensor_spec(
            file,
            node.name,
            NUMPY_OF.get(node.type),
            [size if isinstance(size, int) else None for size in node.shape],
        )
        for node in nodes
    }
