"""The brain behind both protocols: which model, which version, whose turn, how long it took.

Knows neither gRPC nor HTTP nor any runtime. `grpc_api.py` and `rest_api.py` translate to it,
and it asks a servable to compute.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from serving.config.text_messages import Batching
from serving.errors import FailedPrecondition, InvalidArgument, NotFound, Unavailable
from serving.limits import TENSOR_LIMIT_BYTES, WAITING_LIMIT
from serving.metrics import Metrics
from serving.models import batching
from serving.models.config import ModelConfig
from serving.models.manager import Manager
from serving.models.servable import Servable
from serving.models.served_model import ModelSpec, requested
from serving.models.version import Status, Version
from serving.queue import Job, Line
from serving.runtimes.base import About
from serving.values.signatures import DEFAULT_SIGNATURE, Signature


@dataclass(frozen=True)
class Question:
    """One request to compute."""

    model: ModelSpec
    signature_name: str  # "": the default one
    inputs: Mapping[str, np.ndarray]
    output_filter: tuple[str, ...] = ()  # empty: all outputs


@dataclass(frozen=True)
class Caller:
    """Whether and how long somebody waits for the answer."""

    deadline: float | None = None  # time.perf_counter() seconds
    is_wanted: Callable[[], bool] = field(default=lambda: True)


ANYBODY = Caller()


@dataclass(frozen=True)
class Answer:
    """What was computed, by which version, and where the time went."""

    model: ModelSpec
    signature_name: str
    outputs: Mapping[str, np.ndarray]
    stage_ms: Mapping[str, float]  # queue, then decode where it is known apart, inference


@dataclass(frozen=True)
class _Work:
    """A job's content: a checked question and the servable that is held for it."""

    model_name: str
    servable: Servable
    signature_name: str
    inputs: Mapping[str, np.ndarray]


@dataclass(slots=True)
class _Held:
    """A version and its servable, kept loaded within the block. No generator: every request comes here."""

    version: Version
    servable: Servable

    def __enter__(self) -> tuple[Version, Servable]:
        return self.version, self.servable

    def __exit__(self, *error: object) -> None:
        self.version.give_back()


class Service:
    """All served models behind one queue. Its methods may be called from any thread."""

    def __init__(
        self,
        manager: Manager,
        workers: int = 1,
        batch: Batching | None = None,  # None: each request alone
        metrics: Metrics | None = None,
        waiting_limit: int = WAITING_LIMIT,
    ):
        self._manager = manager
        self._batch = batch
        self._allowed_sizes = batch.allowed_batch_sizes if batch else ()
        self.metrics = metrics or Metrics()
        self.line = Line(self._compute, workers, waiting_limit, batch.max_batch_size if batch else 1)
        self._is_stopping = False

    def stop(self) -> None:
        """Answer what was asked already, refuse everything new."""
        self._is_stopping = True
        self._manager.stop()

    def is_served(self, name: str) -> bool:
        """Whether there is a model of that name, in whatever state."""
        return name in self._manager.models

    def reload(self, configs: Sequence[ModelConfig]) -> None:
        """Serve these models from now on. Raises LoadFailed or ServingError."""
        self._manager.reload(configs)

    def statuses(self, spec: ModelSpec) -> list[Status]:
        """Answers in every state. Raises NotFound."""
        model = self._manager.models.get(spec.name)
        if model is None or not (statuses := model.statuses(spec)):
            raise NotFound(f"Could not find any versions of model {spec.name}")
        return statuses

    def about(self, spec: ModelSpec) -> About | None:
        """What computes the model; None before it is loaded."""
        model = self._manager.models.get(spec.name)
        version = model.latest() if model else None
        servable = version.servable if version else None
        return servable.about if servable else None

    def definitions(self, spec: ModelSpec) -> tuple[ModelSpec, Mapping[str, Any]]:
        """All signatures as SignatureDefs, by name, and of which version. Raises ServingError."""
        with self._held(spec) as (version, servable):
            definitions = {name: each.as_proto() for name, each in servable.signatures.items()}
        return ModelSpec(spec.name, version.number), definitions

    def signature(self, spec: ModelSpec, name: str) -> Signature:
        """One signature; "" is the default one. Raises ServingError."""
        with self._held(spec) as (_, servable):
            return _signature(servable, name)

    def predict(self, question: Question, caller: Caller = ANYBODY) -> Answer:
        """Compute when it is this question's turn. Raises ServingError."""
        with self._held(question.model) as (version, servable):
            signature = _signature(servable, question.signature_name)
            signature.check_inputs(question.inputs)
            chosen = signature.chosen_outputs(question.output_filter)
            work = _Work(question.model.name, servable, signature.name, question.inputs)
            job = self._job(version, work, caller)
            result = self.line.run(job)
        stage_ms = {"queue": job.queue_ms, **result.stage_ms}
        self.metrics.stages(question.model.name, stage_ms)
        outputs = {alias: result.outputs[alias] for alias in chosen}
        return Answer(ModelSpec(question.model.name, version.number), signature.name, outputs, stage_ms)

    def _job(self, version: Version, work: _Work, caller: Caller) -> Job:
        cost = (work.model_name, work.signature_name)
        job = Job(work, deadline=caller.deadline, is_wanted=caller.is_wanted, cost=cost)
        size = batching.size_of(work.inputs) if self._batch else None
        if self._batch and size:
            if size > self._batch.max_batch_size:
                raise InvalidArgument(
                    f"Task size {size} is larger than maximum input batch size {self._batch.max_batch_size}"
                )
            job.size = size
            if work.servable.rows.may_batch(work.servable.signatures[work.signature_name]):
                job.kind = (version, work.signature_name, batching.likeness(work.inputs))
        return job

    def _compute(self, jobs: Sequence[Job]) -> None:
        """Together; and if that can't be, each alone, so that nobody pays for another's bad image."""
        size = batching.filled_size(sum(job.size for job in jobs), self._allowed_sizes)
        if jobs[0].kind is not None and size != jobs[0].size and self._compute_together(jobs, size):
            return
        for job in jobs:
            work: _Work = job.content
            self.metrics.batch(work.model_name, 1)
            try:
                job.result = work.servable.infer(work.signature_name, work.inputs)
            except Exception as problem:
                job.problem = problem
            else:
                if job.kind is not None:
                    work.servable.rows.saw(work.signature_name, work.inputs, job.result.outputs)

    def _compute_together(self, jobs: Sequence[Job], size: int) -> bool:
        """In one run of `size`, its filling included. False where its answer can't be taken apart."""
        first: _Work = jobs[0].content
        name, rows = first.signature_name, first.servable.rows
        like, parts = batching.likeness(first.inputs), [job.size for job in jobs]
        is_too_large = batching.merged_bytes(first.inputs, size) > TENSOR_LIMIT_BYTES
        if is_too_large or not rows.may_split(name, like, parts, size):
            return False
        self.metrics.batch(first.model_name, len(jobs))
        try:
            inputs = batching.merge([job.content.inputs for job in jobs], size)
            result = first.servable.infer(name, inputs)
        except Exception:  # whose fault it is shows when each is alone
            return False
        rows.saw(name, inputs, result.outputs)
        if not rows.may_split(name, like, parts, size):
            return False
        for job, outputs in zip(jobs, batching.split(result.outputs, parts), strict=True):
            job.result = replace(result, outputs=outputs)
        return True

    def _held(self, spec: ModelSpec) -> _Held:
        """The version that is meant. Looks again if it left just now."""
        while True:
            version = self._version(spec)
            if servable := version.take():
                return _Held(version, servable)

    def _version(self, spec: ModelSpec) -> Version:
        if self._is_stopping:
            raise Unavailable("The server is shutting down.")
        model = self._manager.models.get(spec.name)
        if not self._manager.is_started:
            raise Unavailable("The models are still loading. Ask again in a few seconds.")
        if model is None:
            raise NotFound(f"Servable not found for request: {requested(spec, spec.version)}")
        return model.resolve(spec)


def _signature(servable: Servable, name: str) -> Signature:
    name = name or DEFAULT_SIGNATURE
    if name not in servable.signatures:
        raise FailedPrecondition(
            f'Serving signature key "{name}" not found. The model has '
            f"{', '.join(sorted(servable.signatures))}."
        )
    return servable.signatures[name]
