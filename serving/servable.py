"""A SavedModel in memory: load it, warm it, run it. The only place that runs TensorFlow.

Like TensorFlow Serving, it runs the graph that a signature names in a session, which keeps
TensorFlow 1 exports servable and costs no eager dispatch per request.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2

from serving.errors import InvalidArgument, ServingError, StartRefused, Unimplemented
from serving.signatures import DEFAULT_SIGNATURE, Signature
from serving.tensorflow_errors import RUN_ERRORS, as_serving_error, first_line
from serving.warmup import sample_inputs

DECODE, CLASSIFY = "decode_images", "classify_pixels"
INTERNAL = "__saved_model"  # TensorFlow's own entries, like __saved_model_init_op
SPLIT = ("predict_images", DEFAULT_SIGNATURE)  # run as DECODE, then CLASSIFY, where these fit

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Runtime:
    """How TensorFlow may use the machine."""

    intra_op_threads: int  # 0: TensorFlow decides
    inter_op_threads: int
    use_gpu: bool


@dataclass(frozen=True)
class Result:
    """Every output of a signature, and how long each step took."""

    outputs: dict[str, np.ndarray]
    stage_ms: dict[str, float] = field(default_factory=dict)


class Servable:
    """One loaded model version. Not for use by two threads at once: the service takes turns."""

    def __init__(self, session: tf.compat.v1.Session, definitions: Mapping[str, meta_graph_pb2.SignatureDef]):
        self.definitions = dict(definitions)  # as the model brought them, for its metadata
        public = {name: each for name, each in definitions.items() if not name.startswith(INTERNAL)}
        self.signatures = {name: Signature.from_proto(name, each) for name, each in public.items()}
        self._run = {name: _runner(session, each) for name, each in public.items()}
        self._split = {name for name in SPLIT if self._can_split(name)}

    @classmethod
    def load(cls, path: Path, runtime: Runtime) -> Servable:
        """Raises StartRefused when the files are damaged or no model for serving."""
        session = tf.compat.v1.Session(graph=tf.Graph(), config=_session_config(runtime))
        try:
            with session.graph.as_default():
                meta_graph = tf.compat.v1.saved_model.load(session, ["serve"], str(path))
        except (OSError, ValueError, RuntimeError, tf.errors.OpError) as problem:
            raise StartRefused(
                f"{path} can't be loaded: {first_line(str(problem))} Export the model again, "
                "or look at it with `python -m models check`."
            ) from problem
        servable = cls(session, meta_graph.signature_def)
        if not servable.signatures:
            raise StartRefused(
                f"{path} has no signature, so nobody could ask it anything. Export it with one."
            )
        return servable

    def warm(self) -> list[str]:
        """Run every signature once for each kind of input it may get.

        Returns one line for each signature that stayed cold because its inputs can't be guessed.
        Raises StartRefused when one fails on its own account.
        """
        cold = []
        for signature in self.signatures.values():
            try:
                for inputs in sample_inputs(signature):
                    self.infer(signature.name, inputs)
            except (InvalidArgument, Unimplemented) as problem:
                cold.append(f"{signature.name}: {problem.message}")
            except ServingError as problem:
                raise StartRefused(f"Signature {signature.name} fails: {problem.message}") from problem
        return cold

    def infer(self, signature_name: str, inputs: Arrays) -> Result:
        """Run a signature. The inputs must fit it. Raises ServingError."""
        started = time.perf_counter()
        if signature_name not in self._split:
            outputs = self._step(signature_name, inputs)
            return Result(outputs, {"inference": _ms_since(started)})
        pixels = self._decode(inputs)
        decoded = time.perf_counter()
        outputs = self._step(CLASSIFY, pixels)
        return Result(outputs, {"decode": (decoded - started) * 1e3, "inference": _ms_since(decoded)})

    def _decode(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """Bad bytes are the client's fault, whatever code the decoder gives them."""
        try:
            return self._step(DECODE, inputs)
        except ServingError as problem:
            if problem.code in {"RESOURCE_EXHAUSTED", "CANCELLED"}:
                raise
            raise InvalidArgument(self._blame(inputs, problem.message)) from problem

    def _blame(self, inputs: Arrays, message: str) -> str:
        """Which of the images it was. Only a failed batch pays for finding out."""
        ((alias, images),) = inputs.items()
        for index in range(len(images)):
            try:
                self._step(DECODE, {alias: images[index : index + 1]})
            except ServingError as problem:
                return f"{alias}[{index}] can't be decoded: {problem.message}"
        return f"{alias} can't be decoded: {message}"

    def _step(self, name: str, inputs: Arrays) -> dict[str, np.ndarray]:
        signature = self.signatures[name]
        try:
            values = self._run[name](*(inputs[alias] for alias in signature.inputs))
        except RUN_ERRORS as problem:
            raise as_serving_error(problem) from problem
        return dict(zip(signature.outputs, values, strict=True))

    def _can_split(self, name: str) -> bool:
        if not {name, DECODE, CLASSIFY} <= self.signatures.keys():
            return False
        whole, decode, classify = (self.signatures[key] for key in (name, DECODE, CLASSIFY))
        return (
            whole.inputs == decode.inputs
            and len(decode.inputs) == 1
            and decode.outputs == classify.inputs
            and classify.outputs == whole.outputs
        )


def _runner(
    session: tf.compat.v1.Session, definition: meta_graph_pb2.SignatureDef
) -> Callable[..., list[np.ndarray]]:
    """A function of the inputs in the order of their names, giving all outputs in that order.

    Always all outputs: each new choice of outputs would cost its first client a new plan.
    """
    options = config_pb2.CallableOptions(
        feed=[info.name for _, info in sorted(definition.inputs.items())],
        fetch=[info.name for _, info in sorted(definition.outputs.items())],
    )
    # Session.make_callable, the public way, goes through run() when there are feeds: measured
    # 0.2 ms slower for a small image, 0.6 ms for a batch of pixels, which it copies.
    run: Callable[..., list[np.ndarray]] = session._make_callable_from_options(options)
    return run


def _session_config(runtime: Runtime) -> config_pb2.ConfigProto:
    config = config_pb2.ConfigProto(
        intra_op_parallelism_threads=runtime.intra_op_threads,
        inter_op_parallelism_threads=runtime.inter_op_threads,
        allow_soft_placement=True,  # a model exported on another kind of device
    )
    config.gpu_options.allow_growth = True  # several servers may share one GPU
    if not runtime.use_gpu:
        config.device_count["GPU"] = 0
    return config


def _ms_since(start: float) -> float:
    return (time.perf_counter() - start) * 1e3
