"""The brain behind both protocols: which model, which state, whose turn, how long it took.

Knows neither gRPC nor HTTP nor TensorFlow. `grpc_api.py` and `rest_api.py` translate to it,
and it asks a servable to compute.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from serving.errors import Cancelled, FailedPrecondition, InvalidArgument, NotFound, Unavailable
from serving.limits import WAITING_LIMIT
from serving.signatures import DEFAULT_SIGNATURE, Signature
from serving.turns import Turns

# States of a version, by TensorFlow Serving's names (apis/get_model_status.proto).
START, LOADING, AVAILABLE, UNLOADING, END = "START", "LOADING", "AVAILABLE", "UNLOADING", "END"


class Inference(Protocol):
    """What one run of a servable gives."""

    @property
    def outputs(self) -> Mapping[str, np.ndarray]: ...
    @property
    def stage_ms(self) -> Mapping[str, float]: ...


class Computes(Protocol):
    """What the service needs of a loaded model. `servable.Servable` is the real one."""

    @property
    def definitions(self) -> Mapping[str, Any]: ...  # signature name to SignatureDef
    @property
    def signatures(self) -> Mapping[str, Signature]: ...

    def warm(self) -> list[str]: ...
    def infer(self, signature_name: str, inputs: Mapping[str, np.ndarray]) -> Inference: ...


@dataclass(frozen=True)
class ModelSpec:
    """Which model a request is for."""

    name: str
    version: int | None = None  # None: the one that is served
    label: str = ""


@dataclass(frozen=True)
class Question:
    """One request to compute."""

    model: ModelSpec
    signature_name: str  # "": the default one
    inputs: Mapping[str, np.ndarray]
    output_filter: tuple[str, ...] = ()  # empty: all outputs


@dataclass(frozen=True)
class Answer:
    """What was computed, by which version, and where the time went."""

    model: ModelSpec
    signature_name: str
    outputs: Mapping[str, np.ndarray]
    stage_ms: Mapping[str, float]  # queue, then decode where it is known apart, inference


@dataclass(frozen=True)
class Status:
    """How far a version is."""

    version: int
    state: str
    error_message: str = ""


class Service:
    """One model in one version. Its methods may be called from any thread."""

    def __init__(self, model_name: str, version: int, waiting_limit: int = WAITING_LIMIT):
        self.model = ModelSpec(model_name, version)
        self._servable: Computes | None = None
        self._status = Status(version, START)
        self._turns = Turns(waiting_limit)

    def load(self, load: Callable[[], Computes]) -> list[str]:
        """Load and warm the model, then take requests. Returns what stayed cold, one line each."""
        self._set_state(LOADING)
        try:
            servable = load()
            cold = servable.warm()
        except Exception as problem:
            self._set_state(END, str(problem))
            raise
        self._servable = servable
        self._set_state(AVAILABLE)
        return cold

    def stop(self) -> None:
        """Answer what was asked already, refuse everything new."""
        self._set_state(UNLOADING)

    def status(self, spec: ModelSpec) -> Status:
        """Answers in every state. Raises NotFound."""
        _refuse_label(spec)
        if spec.name != self.model.name:
            raise NotFound(f"Could not find any versions of model {spec.name}")
        if spec.version not in (None, self.model.version):
            raise NotFound(f"Could not find version {spec.version} of model {spec.name}")
        return self._status

    def definitions(self, spec: ModelSpec) -> Mapping[str, Any]:
        """All signatures as the model defines them, by name. Raises NotFound or Unavailable."""
        return self._ready(spec).definitions

    def signature(self, spec: ModelSpec, name: str) -> Signature:
        """One signature; "" is the default one. Raises also FailedPrecondition."""
        name = name or DEFAULT_SIGNATURE
        signatures = self._ready(spec).signatures
        if name not in signatures:
            raise FailedPrecondition(
                f'Serving signature key "{name}" not found. The model has {", ".join(sorted(signatures))}.'
            )
        return signatures[name]

    def predict(self, question: Question, is_wanted: Callable[[], bool] = lambda: True) -> Answer:
        """Compute, one request at a time. `is_wanted` is asked again when the turn comes.

        Raises ServingError.
        """
        arrived = time.perf_counter()
        servable = self._ready(question.model)
        signature = self.signature(question.model, question.signature_name)
        signature.check_inputs(question.inputs)
        chosen = signature.chosen_outputs(question.output_filter)
        with self._turns.take():
            queue_ms = (time.perf_counter() - arrived) * 1e3
            if not is_wanted():
                raise Cancelled("The client went away while its request waited.")
            result = servable.infer(signature.name, question.inputs)
        outputs = {alias: result.outputs[alias] for alias in chosen}
        return Answer(self.model, signature.name, outputs, {"queue": queue_ms, **result.stage_ms})

    def _ready(self, spec: ModelSpec) -> Computes:
        _refuse_label(spec)
        if spec.name != self.model.name or spec.version not in (None, self.model.version):
            raise NotFound(f"Servable not found for request: {_requested(spec)}")
        if self._status.state != AVAILABLE or self._servable is None:
            raise Unavailable(_not_now(self._status))
        return self._servable

    def _set_state(self, state: str, error_message: str = "") -> None:
        self._status = Status(self._status.version, state, error_message)


def _refuse_label(spec: ModelSpec) -> None:
    if spec.label:
        raise InvalidArgument(f"Unrecognized servable version label: {spec.label}")


def _requested(spec: ModelSpec) -> str:
    """As TensorFlow Serving writes it: clients compare this text."""
    return f"Latest({spec.name})" if spec.version is None else f"Specific({spec.name}, {spec.version})"


def _not_now(status: Status) -> str:
    reasons = {
        UNLOADING: "The server is shutting down.",
        END: f"The model could not be loaded: {status.error_message}",
    }
    return reasons.get(status.state, "The model is still loading. Ask again in a few seconds.")
