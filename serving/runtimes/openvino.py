"""OpenVINO on the CPU: its own IR, ONNX, TensorFlow Lite, and the pixel part of a SavedModel."""

from __future__ import annotations

import queue
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov

from serving.errors import InvalidArgument, LoadFailed, ServingError
from serving.machine import isa
from serving.model_files.saved_model_cut import numeric_signatures
from serving.runtimes.base import BF16, About, Arrays, Setting
from serving.values.signatures import DEFAULT_SIGNATURE, Signature, TensorSpec
from serving.values.tensors import DTYPE_OF

DEVICE = "CPU"
LONGEST = 300  # characters of OpenVINO's own messages, which quote its source files


def load(file: Path, setting: Setting) -> Model:
    """Raises LoadFailed when OpenVINO can't read the file, or the CPU lacks the precision."""
    core = ov.Core()
    config = _config(setting)
    try:
        parts = {
            name: core.compile_model(graph, DEVICE, config)
            for name, graph in _read(core, file, setting).items()
        }
    except RuntimeError as problem:
        raise LoadFailed(
            f"OpenVINO can't load {file}: {_reason(problem)} Convert it again, or choose another runtime."
        ) from problem
    return Model({name: Part(name, compiled) for name, compiled in parts.items()}, setting)


class Part:
    """One signature: a compiled graph, and the requests that threads borrow to run it."""

    def __init__(self, name: str, compiled: ov.CompiledModel):
        self._compiled = compiled
        self._inputs = {_alias(port): port for port in compiled.inputs}
        self._outputs = {_alias(port): port for port in compiled.outputs}
        self._idle: queue.LifoQueue[ov.InferRequest] = queue.LifoQueue()
        self.signature = Signature(name, _specs(self._inputs), _specs(self._outputs))

    def infer(self, inputs: Arrays) -> Arrays:
        """Inputs are read where they are; outputs are copied before the request is another thread's."""
        for alias, array in inputs.items():
            if not array.size:  # OpenVINO would answer with what the request before this one left
                raise InvalidArgument(f"Input {alias!r} is empty, and OpenVINO can't compute with it.")
        request = self._request()
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

    def _request(self) -> ov.InferRequest:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return self._compiled.create_infer_request()


class Model:
    """What `load` gives."""

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
    """The precision is always said: OpenVINO's own choice is bf16 wherever the CPU is fast at it."""
    if setting.precision == BF16:
        isa.require_bf16()
    config: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": setting.precision,
        "NUM_STREAMS": 1,  # requests take turns, each with all threads
        "ENABLE_CPU_PINNING": False,  # the process's own affinity counts
        "PERFORMANCE_HINT": "LATENCY",
    }
    if setting.threads:
        config["INFERENCE_NUM_THREADS"] = setting.threads
    return config


def _read(core: ov.Core, file: Path, setting: Setting) -> dict[str, ov.Model]:
    """By signature. Only a SavedModel has several."""
    if file.name != "saved_model.pb":
        return {DEFAULT_SIGNATURE: core.read_model(file)}
    parts = numeric_signatures(file.parent, setting.saved_model_tags)
    return {name: core.read_model(directory) for name, directory in parts}


def _specs(ports: Mapping[str, Any]) -> dict[str, TensorSpec]:
    return {alias: _spec(alias, ports[alias]) for alias in sorted(ports)}


def _spec(alias: str, port: Any) -> TensorSpec:
    dtype = DTYPE_OF.get(np.dtype(port.get_element_type().to_dtype()))
    if dtype is None:
        raise LoadFailed(
            f"The model's tensor {alias!r} is {port.get_element_type().get_type_name()}, which this server "
            "neither reads nor sends. Export the model with f32 inputs and outputs."
        )
    shape = port.get_partial_shape()
    if shape.rank.is_dynamic:
        return TensorSpec(dtype, None)
    return TensorSpec(dtype, tuple(None if size.is_dynamic else size.get_length() for size in shape))


def _alias(port: Any) -> str:
    """The first of its names, without the ":0" of TensorFlow's tensors."""
    names = sorted(port.get_names(), key=lambda name: (":" in name, len(name), name))
    return names[0].removesuffix(":0") if names else str(port.get_node().get_friendly_name())


def _reason(problem: Exception) -> str:
    """The last line that says something; those before it tell where in OpenVINO's source."""
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    text = lines[-1][:LONGEST] if lines else "no reason given"
    return text if text.endswith(".") else text + "."
