"""The service behind gRPC and REST: it finds the model and version, queues the request, and times it.

Knows neither gRPC nor HTTP nor any runtime. `api/grpc.py` and `api/rest.py` translate to it, and it lets a
servable compute.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from common import traces
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
from serving.queue import Job, RequestQueue
from serving.runtimes.base import About
from serving.values.signatures import DEFAULT_SIGNATURE, Signature


@dataclass(frozen=True)
class Question:
    """One request to compute: a model's signature and the inputs for it."""

    model: ModelSpec
    signature_name: str  # "": the default one
    inputs: Mapping[str, np.ndarray]
    output_filter: tuple[str, ...] = ()  # empty: all outputs


@dataclass(frozen=True)
class Caller:
    """How long the client waits for the answer, and whether it still does."""

    deadline: float | None = None  # time.perf_counter() seconds
    is_wanted: Callable[[], bool] = field(default=lambda: True)


@dataclass(frozen=True)
class Answer:
    """The outputs, the version that computed them, and how long the stages took."""

    model: ModelSpec
    signature_name: str
    outputs: Mapping[str, np.ndarray]
    stage_ms: Mapping[str, float]  # queue, decode if that is a separate step, inference


@dataclass(frozen=True)
class _Work:
    """What a job of the queue computes: checked inputs, and the servable that stays loaded for them."""

    model_name: str
    servable: Servable
    signature_name: str
    inputs: Mapping[str, np.ndarray]


@dataclass(slots=True)
class _Held:
    """Keeps a version loaded within a `with` block. Not a generator, which would be slower: every request
    comes here."""

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
        largest_batch = batch.max_batch_size if batch else 1
        self.queue = RequestQueue(self._compute, workers, waiting_limit, largest_batch)
        self._is_stopping = False

    def stop(self) -> None:
        """Answer the requests that were accepted, refuse new ones."""
        self._is_stopping = True
        self._manager.stop()

    def is_served(self, name: str) -> bool:
        """Whether a model has that name, in whatever state it is."""
        return name in self._manager.models

    def reload(self, configs: Sequence[ModelConfig]) -> None:
        """Serve these models from now on. Raises LoadFailed or ServingError."""
        self._manager.reload(configs)

    def statuses(self, spec: ModelSpec) -> list[Status]:
        """The states of a model's versions, while it loads too. Raises NotFound or InvalidArgument."""
        model = self._manager.models.get(spec.name)
        if model is None or not (statuses := model.statuses(spec)):
            raise NotFound(f"Could not find any versions of model {spec.name}")
        return statuses

    def about(self, spec: ModelSpec) -> About | None:
        """The runtime, precision and device of a model; None before it is loaded."""
        model = self._manager.models.get(spec.name)
        version = model.latest() if model else None
        servable = version.servable if version else None
        return servable.about if servable else None

    def definitions(self, spec: ModelSpec) -> tuple[ModelSpec, Mapping[str, Any]]:
        """The version that is meant, and its signatures as SignatureDefs by name. Raises ServingError."""
        with self._held(spec) as (version, servable):
            definitions = {name: signature.as_proto() for name, signature in servable.signatures.items()}
        return ModelSpec(spec.name, version.number), definitions

    def signature(self, spec: ModelSpec, name: str) -> Signature:
        """A signature by name; "" means the default one. Raises ServingError."""
        with self._held(spec) as (_, servable):
            return _signature(servable, name)

    def predict(self, question: Question, caller: Caller = Caller()) -> Answer:
        """Wait in the queue, then compute. Raises ServingError."""
        with self._held(question.model) as (version, servable):
            signature = _signature(servable, question.signature_name)
            signature.check_inputs(question.inputs)
            chosen = signature.chosen_outputs(question.output_filter)
            work = _Work(question.model.name, servable, signature.name, question.inputs)
            job = self._job(version, work, caller)
            result = self.queue.run(job)
        stage_ms = {"queue": job.queue_ms, **result.stage_ms}
        self.metrics.stages(question.model.name, stage_ms)
        traces.stages(job.arrived, stage_ms, {"pixelcost.model": question.model.name})
        outputs = {alias: result.outputs[alias] for alias in chosen}
        return Answer(ModelSpec(question.model.name, version.number), signature.name, outputs, stage_ms)

    def _job(self, version: Version, work: _Work, caller: Caller) -> Job:
        group = (work.model_name, work.signature_name)
        job = Job(work, deadline=caller.deadline, is_wanted=caller.is_wanted, group=group)
        size = batching.size_of(work.inputs) if self._batch else None
        if self._batch and size:
            if size > self._batch.max_batch_size:
                raise InvalidArgument(
                    f"Task size {size} is larger than maximum input batch size {self._batch.max_batch_size}"
                )
            job.size = size
            if work.servable.rows.may_batch(work.servable.signatures[work.signature_name]):
                job.batch_key = (version, work.signature_name, batching.batch_key(work.inputs))
        return job

    def _compute(self, jobs: Sequence[Job]) -> None:
        """In one run; if that can't be, one by one, so that a bad image fails only its own request."""
        size = batching.filled_size(sum(job.size for job in jobs), self._allowed_sizes)
        if jobs[0].batch_key is not None and size != jobs[0].size and self._compute_together(jobs, size):
            return
        for job in jobs:
            work: _Work = job.content
            self.metrics.batch(work.model_name, 1)
            try:
                job.result = work.servable.infer(work.signature_name, work.inputs)
            except Exception as problem:
                job.problem = problem
            else:
                if job.batch_key is not None:
                    work.servable.rows.saw(work.signature_name, work.inputs, job.result.outputs)

    def _compute_together(self, jobs: Sequence[Job], size: int) -> bool:
        """In one run of `size` examples, padding included. False if its outputs can't be split again."""
        first: _Work = jobs[0].content
        name, rows = first.signature_name, first.servable.rows
        key, parts = batching.batch_key(first.inputs), [job.size for job in jobs]
        is_too_large = batching.merged_bytes(first.inputs, size) > TENSOR_LIMIT_BYTES
        if is_too_large or not rows.may_split(name, key, parts, size):
            return False
        self.metrics.batch(first.model_name, len(jobs))
        try:
            inputs = batching.merge([job.content.inputs for job in jobs], size)
            result = first.servable.infer(name, inputs)
        except Exception:  # the runs one by one show which request it was
            return False
        rows.saw(name, inputs, result.outputs)
        if not rows.may_split(name, key, parts, size):
            return False
        for job, outputs in zip(jobs, batching.split(result.outputs, parts), strict=True):
            job.result = replace(result, outputs=outputs)
        return True

    def _held(self, spec: ModelSpec) -> _Held:
        """The version that is meant. Looks again if it is being unloaded since a moment ago."""
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
