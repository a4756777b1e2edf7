"""OpenVINO on the CPU: its own IR, ONNX, TensorFlow Lite, and the pixel part of a SavedModel."""

from __future__ import annotations

import queue
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov

from common.words import first_line
from serving.errors import InvalidArgument, LoadFailed, ServingError
from serving.machine import isa
from serving.model_files.saved_model_cut import numeric_signatures
from serving.runtimes.base import BF16, NO_REASON, About, Arrays, Setting
from serving.values.signatures import DEFAULT_SIGNATURE, Signature, TensorSpec, tensor_spec

DEVICE = "CPU"


def load(file: Path, setting: Setting) -> OpenVinoModel:
    """Raises LoadFailed when OpenVINO can't read the file, or the CPU lacks the precision."""
    core = ov.Core()
    config = _config(setting)
    try:
        if file.name == "saved_model.pb":  # the only kind of file with several signatures
            parts = numeric_signatures(file.parent, setting.saved_model_tags)
            graphs = {name: core.read_model(directory) for name, directory in parts}
        else:
            graphs = {DEFAULT_SIGNATURE: core.read_model(file)}
        compiled = {name: core.compile_model(graph, DEVICE, config) for name, graph in graphs.items()}
    except RuntimeError as problem:
        raise LoadFailed(
            f"OpenVINO can't load {file}: {_reason(problem)} Convert it again, or choose another runtime."
        ) from problem
    return OpenVinoModel({name: Part(file, name, graph) for name, graph in compiled.items()}, setting)


class Part:
    """The compiled graph of one signature, and OpenVINO's infer requests, which threads borrow to run it."""

    def __init__(self, file: Path, name: str, compiled: ov.CompiledModel):
        self._compiled = compiled
        self._inputs = {_alias(port): port for port in compiled.inputs}
        self._outputs = {_alias(port): port for port in compiled.outputs}
        self._idle: queue.LifoQueue[ov.InferRequest] = queue.LifoQueue()
        self.signature = Signature(name, _specs(file, self._inputs), _specs(file, self._outputs))

    def infer(self, inputs: Arrays) -> Arrays:
        """Inputs are not copied; outputs are, before another thread gets the infer request."""
        for alias, array in inputs.items():
            if not array.size:  # OpenVINO would answer with the outputs of the request before
                raise InvalidArgument(f"Input {alias!r} is empty, and OpenVINO can't compute with it.")
        try:
            request = self._idle.get_nowait()
        except queue.Empty:
            request = self._compiled.create_infer_request()
        try:
            found = request.infer(
                {self._inputs[alias]: np.ascontiguousarray(array) for alias, array in inputs.items()},
                share_inputs=True,
                share_outputs=True,
            )
            return {alias: np.array(found[port]) for alias, port in self._outputs.items()}
        except RuntimeError as problem:
            raise ServingError(f"OpenVINO failed: {_reason(problem)}") from problem
        finally:
            self._idle.put(request)


class OpenVinoModel:
    """All signatures of a file."""

    def __init__(self, parts: Mapping[str, Part], setting: Setting):
        self._parts = dict(parts)
        self.signatures = {name: part.signature for name, part in parts.items()}
        version = ov.get_version().partition("-")[0]
        self.about = About(f"OpenVINO {version}", setting.precision, DEVICE)

    def infer(self, signature_name: str, inputs: Arrays) -> Arrays:
        return self._parts[signature_name].infer(inputs)

    def close(self) -> None:
        self._parts.clear()


def _config(setting: Setting) -> dict[str, Any]:
    """Options of the compiler. By itself OpenVINO would choose bf16 on a CPU that is fast at it."""
    if setting.precision == BF16:
        isa.require_bf16()
    config: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": setting.precision,
        "NUM_STREAMS": 1,  # one request at a time, with all threads
        "ENABLE_CPU_PINNING": False,  # the process's own affinity counts
        "PERFORMANCE_HINT": "LATENCY",
    }
    if setting.threads:
        config["INFERENCE_NUM_THREADS"] = setting.threads
    return config


def _specs(file: Path, ports: Mapping[str, Any]) -> dict[str, TensorSpec]:
    specs = {}
    for alias, port in sorted(ports.items()):
        sizes = port.get_partial_shape()
        shape = None if sizes.rank.is_dynamic else [None if s.is_dynamic else s.get_length() for s in sizes]
        specs[alias] = tensor_spec(file, alias, np.dtype(port.get_element_type().to_dtype()), shape)
    return specs


def _alias(port: Any) -> str:
    """The shortest of a tensor's names, without the ":0" of TensorFlow's tensors."""
    names = sorted(port.get_names(), key=lambda name: (":" in name, len(name), name))
    return names[0].removesuffix(":0") if names else str(port.get_node().get_friendly_name())


def _reason(problem: Exception) -> str:
    """The last line of a message; the lines before it are places in OpenVINO's source."""
    return first_line("\n".join(reversed(str(problem).splitlines())), NO_REASON)
