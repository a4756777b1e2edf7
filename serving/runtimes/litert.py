"""TFLite files with LiteRT, TensorFlow Lite's successor, on the CPU."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from serving.errors import InvalidArgument, LoadFailed
from serving.model_files.tflite_metadata import SignatureDefs, tflite_signatures
from serving.runtimes.base import F32, INT8, About, Arrays, Setting, load_failed, run_failed
from serving.values.signatures import DEFAULT_SIGNATURE, Signature, TensorSpec, tensor_spec

LIBRARY = f"LiteRT {version('ai-edge-litert')}"
ADVICE = "Convert or copy the TFLite file again."
IDENTIFIER = slice(4, 8), b"TFL3"  # of the flatbuffer, tensorflow/lite/schema/schema.fbs
CONVERTER_PREFIX = "serving_default_"  # what TensorFlow's converter puts before the name of an input
TRIED_BATCH = 2

Details = Mapping[str, Any]


class Runner(Protocol):
    """Runs one signature with named arrays, resizing the inputs when the shapes change."""

    def get_input_details(self) -> Mapping[str, Details]: ...
    def get_output_details(self) -> Mapping[str, Details]: ...
    def __call__(self, **inputs: np.ndarray) -> Mapping[str, np.ndarray]: ...


class TensorRunner:
    """Runs the tensors of an interpreter under given names, for signatures that LiteRT does not know."""

    def __init__(
        self, interpreter: Interpreter, inputs: Mapping[str, Details], outputs: Mapping[str, Details]
    ):
        self._interpreter = interpreter
        self._inputs, self._outputs = inputs, outputs

    def get_input_details(self) -> Mapping[str, Details]:
        return self._inputs

    def get_output_details(self) -> Mapping[str, Details]:
        return self._outputs

    def __call__(self, **inputs: np.ndarray) -> Mapping[str, np.ndarray]:
        for alias, array in inputs.items():
            self._interpreter.resize_tensor_input(self._inputs[alias]["index"], array.shape)
        self._interpreter.allocate_tensors()  # costs nothing when no shape has changed
        for alias, array in inputs.items():
            self._interpreter.set_tensor(self._inputs[alias]["index"], array)
        self._interpreter.invoke()
        return {alias: self._interpreter.get_tensor(row["index"]) for alias, row in self._outputs.items()}


class LiteModel:
    """An interpreter. Requests run one at a time, because it can't run in several threads at once."""

    def __init__(self, file: Path, setting: Setting):
        self._one_at_a_time = threading.Lock()
        interpreter = _interpreter(file, setting)
        written = tflite_signatures(file)
        # Whether it computes with numbers of 8 bits, everywhere or only as the weights of some operations.
        is_quantised = any(
            tensor["dtype"] in (np.int8, np.uint8) and tensor["quantization"][0]
            for tensor in interpreter.get_tensor_details()
        )
        self.about = About(LIBRARY, INT8 if is_quantised else F32, "CPU")
        self._runners = _runners(file, interpreter, written)
        # Another interpreter, because a batch that fails may damage it.
        tried = _runners(file, _interpreter(file, setting), written)
        self.signatures: Mapping[str, Signature] = {
            name: _signature(file, name, runner, _takes_any_batch(tried[name]))
            for name, runner in self._runners.items()
        }

    def infer(self, signature_name: str, inputs: Arrays) -> Arrays:
        for alias, array in inputs.items():
            if not array.size:  # some of LiteRT's kernels crash the process
                raise InvalidArgument(f"Input {alias!r} is empty, and LiteRT can't compute with it.")
        with self._one_at_a_time:
            try:
                return self._runners[signature_name](**inputs)
            except (ValueError, RuntimeError, MemoryError) as problem:
                raise run_failed(LIBRARY, problem) from problem

    def close(self) -> None:
        with self._one_at_a_time:
            self._runners = {}


def load(file: Path, setting: Setting) -> LiteModel:
    """Raises LoadFailed when the file is damaged or not a TFLite model."""
    try:
        with file.open("rb") as opened:
            is_tflite = opened.read(8)[IDENTIFIER[0]] == IDENTIFIER[1]
        if not is_tflite:
            raise load_failed(file, LIBRARY, "It is not a TFLite model", ADVICE)
        return LiteModel(file, setting)
    except (ValueError, RuntimeError, MemoryError, OSError) as problem:
        raise load_failed(file, LIBRARY, problem, ADVICE) from problem


def _interpreter(file: Path, setting: Setting) -> Interpreter:
    return Interpreter(str(file), num_threads=setting.thread_count)


def _runners(file: Path, interpreter: Interpreter, written: SignatureDefs) -> dict[str, Runner]:
    """Runners by signature: those in the file's metadata, else LiteRT's, else one with all tensors."""
    inputs, outputs = (
        {_plain_name(tensor["name"]): tensor for tensor in tensors}
        for tensors in (interpreter.get_input_details(), interpreter.get_output_details())
    )
    if written:
        return {
            name: TensorRunner(
                interpreter,
                _named(file, name, definition.inputs, inputs),
                _named(file, name, definition.outputs, outputs),
            )
            for name, definition in written.items()
        }
    names = interpreter.get_signature_list()
    if not names:
        return {DEFAULT_SIGNATURE: TensorRunner(interpreter, inputs, outputs)}
    return {name: interpreter.get_signature_runner(name) for name in names}


def _named(
    file: Path, signature_name: str, infos: Mapping[str, Any], tensors: Mapping[str, Details]
) -> dict[str, Details]:
    """The tensors of a signature in the metadata, under the names that clients use."""
    found = {}
    for alias, info in sorted(infos.items()):
        name = _plain_name(info.name)
        if name not in tensors:
            raise LoadFailed(
                f"{file}: the signature {signature_name!r} means the tensor {info.name!r}, but the model has "
                f"{', '.join(tensors)}. {ADVICE}"
            )
        found[alias] = tensors[name]
    return found


def _signature(file: Path, name: str, runner: Runner, any_batch: bool) -> Signature:
    inputs, outputs = (
        {alias: _spec(file, alias, row, any_batch) for alias, row in details.items()}
        for details in (runner.get_input_details(), runner.get_output_details())
    )
    return Signature(name, inputs, outputs, tries_shapes=True)


def _spec(file: Path, alias: str, details: Details, any_batch: bool) -> TensorSpec:
    shape: list[int | None] = [int(size) for size in details["shape_signature"]]
    if any_batch and shape:
        shape[0] = None
    return tensor_spec(file, alias, details["dtype"], shape)


def _takes_any_batch(runner: Runner) -> bool:
    """Whether a batch of 2 works: most files declare one batch size but take others, too."""
    inputs = {
        alias: np.zeros((TRIED_BATCH, *np.maximum(row["shape"][1:], 1)), row["dtype"])
        for alias, row in runner.get_input_details().items()
    }
    try:
        outputs = runner(**inputs)
    except (ValueError, RuntimeError):
        return False
    return all(array.shape[:1] == (TRIED_BATCH,) for array in outputs.values())


def _plain_name(tensor_name: str) -> str:
    """The "x" of "serving_default_x:0", as clients of TensorFlow Serving know it."""
    return tensor_name.removeprefix(CONVERTER_PREFIX).partition(":")[0]
