"""model_answerer(): asks the model server for a batch of jobs, in as few requests as possible."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from experiment.backends.base import CONNECT_S, MESSAGE_LIMIT_BYTES, RequestFailed, reading_answers_of
from experiment.backends.grpc import ConnectionLost, GrpcBackend
from experiment.backends.model_spec import InputSpec, Signatures, asked_over_grpc, the_input
from experiment.errors import ImageRefused
from experiment.protocol import predict_pb2
from experiment.records import BackendInfo, Prediction
from experiment.wording import count, size
from jobs.infer import results
from jobs.infer.inputs import Fitted, fit
from jobs.infer.photos import prepared
from jobs.infer.tensors import to_proto
from jobs.records import (
    Answered,
    Answerer,
    ModelUnavailable,
    Outcome,
    Refused,
    Request,
    TryAgain,
    bytes_array,
)

# A failure of a batch that may be one job's fault: its jobs are asked again, one by one.
OF_ONE_JOB: Final = {"bad_request", "too_large", "bad_answer"}
# Of the server as a whole: jobs wait. `not_found` too: the wrong model is served, and all jobs would fail.
OF_THE_SERVER: Final = {"unreachable", "overloaded", "not_found"}
MOST_BYTES: Final = MESSAGE_LIMIT_BYTES - 1024 * 1024  # of the arrays in one request


def model_answerer(
    info: BackendInfo,
    timeout_s: float,
    top_n: int | None = None,
    image_size_px: tuple[int, int] | None = None,
    already_batched: bool = False,
) -> Answerer:
    """Answers with the model of a gRPC backend; connects at the first batch. For one thread.

    `timeout_s` is for one request. Cluster Serving's settings: `top_n` (topN(n)), `image_size_px` (height and
    width, imageResize), `already_batched` (inputAlreadyBatched: arrays have their batch dimension already).
    """
    return _ModelAnswerer(info, timeout_s, _Wanted(top_n, image_size_px, already_batched))


@dataclass(frozen=True, slots=True)
class _Wanted:
    top_n: int | None
    image_size_px: tuple[int, int] | None
    already_batched: bool


@dataclass(frozen=True, slots=True)
class _Ask:
    """One job as it goes to the model."""

    fitted: Fitted
    is_photo: bool

    @property
    def size_bytes(self) -> int:
        return sum(
            array.nbytes if array.dtype != object else sum(map(len, array.ravel().tolist()))
            for array in self.fitted.arrays.values()
        )


class _ModelAnswerer:
    def __init__(self, info: BackendInfo, timeout_s: float, wanted: _Wanted):
        self._info = info
        self._timeout_s = timeout_s
        self._wanted = wanted
        self._backend: GrpcBackend | None = None
        self._signatures: Signatures | None = None

    def answer(self, requests: Sequence[Request]) -> list[Outcome]:
        """One outcome for each request, in their order. Raises ModelUnavailable."""
        self._connect()
        outcomes: dict[int, Outcome] = {}
        groups: dict[tuple[object, ...], list[tuple[int, _Ask]]] = {}
        for number, request in enumerate(requests):
            asked = self._as_asked(request)
            if isinstance(asked, Refused):
                outcomes[number] = asked
            else:
                key = (asked.is_photo, *asked.fitted.group)
                groups.setdefault(key, []).append((number, asked))
        for group in groups.values():
            for batch in _batches(group):
                numbers = [number for number, _ in batch]
                outcomes.update(zip(numbers, self._outcomes([asked for _, asked in batch]), strict=True))
        return [outcomes[number] for number in range(len(requests))]

    def close(self) -> None:
        """Close the connections."""
        if self._backend is not None:
            self._backend.close()
            self._backend = None

    def _connect(self) -> None:
        if self._backend is None:
            self._backend = GrpcBackend(self._info)
            self._backend.open(CONNECT_S)
        if self._signatures is None:
            try:
                self._signatures = asked_over_grpc(self._info, self._timeout_s)
            except RequestFailed as error:
                raise ModelUnavailable(error.failure.message) from None

    def _as_asked(self, request: Request) -> _Ask | Refused:
        try:
            if request.image is not None:
                return self._photo(request.image)
            assert self._signatures is not None  # noqa: S101
            is_batch = self._wanted.already_batched
            return _Ask(fit(self._info, self._signatures, request.tensors, is_batch), is_photo=False)
        except ImageRefused as error:
            return Refused(error.code, error.message)
        except RequestFailed as error:
            if error.failure.code == "not_found":
                self._signatures = None
                raise ModelUnavailable(error.failure.message) from None
            return Refused("bad_input", error.failure.message)

    def _photo(self, image: bytes) -> _Ask:
        assert self._signatures is not None  # noqa: S101
        spec = the_input(self._info, self._signatures)
        if spec.takes_numbers:
            raise RequestFailed("bad_request", f"This model takes {spec.words}; the job has an image.")
        data = prepared(image, self._info.reads, self._wanted.image_size_px)
        return _Ask(Fitted(spec.signature, {spec.name: bytes_array(data)}, _batching_of_photos(spec)), True)

    def _outcomes(self, batch: Sequence[_Ask]) -> list[Outcome]:
        """Of jobs that go in one request. Raises ModelUnavailable."""
        try:
            return list(self._asked(batch))
        except RequestFailed as error:
            code, why = error.failure.code, error.failure.message
            if isinstance(error, ConnectionLost):  # one of them may be what the server dies of
                return [TryAgain("connection_lost", why)] * len(batch)
            if code in OF_THE_SERVER:
                self._signatures = None  # another model may come back
                raise ModelUnavailable(why) from None
            if code not in OF_ONE_JOB:
                return [TryAgain(code, why)] * len(batch)
            if len(batch) == 1:
                return [Refused(code, why)]
        return [outcome for asked in batch for outcome in self._outcomes([asked])]

    def _asked(self, batch: Sequence[_Ask]) -> list[Outcome]:
        """Asks the model once. Raises RequestFailed."""
        assert self._backend is not None  # noqa: S101
        first = batch[0]
        request = _message(self._info, batch)
        started_s = time.monotonic()
        outputs, prediction = self._backend.ask(request, lambda: _words(batch), self._timeout_s)
        service_ms = (time.monotonic() - started_s) * 1e3
        with reading_answers_of(self._info):
            arrays = results.arrays_of(self._info, outputs)
            rows = (
                [arrays]
                if first.fitted.batching == "none"
                else results.rows_of(self._info, arrays, len(batch))
            )
            make = self._photo_result if first.is_photo else self._numbers_result
            stages_ms = {"service": round(service_ms, 3), **prediction.server_ms}
            return [make(row, prediction, stages_ms) for row in rows]

    def _photo_result(
        self, row: Mapping[str, np.ndarray], prediction: Prediction, stages_ms: Mapping[str, float]
    ) -> Outcome:
        array = results.scores_of_all(self._info, row, self._wanted.top_n)
        return Answered(results.classes_of(self._info, row) | self._model(prediction), array, stages_ms)

    def _numbers_result(
        self, row: Mapping[str, np.ndarray], prediction: Prediction, stages_ms: Mapping[str, float]
    ) -> Outcome:
        array = results.numbers_for_old(row, self._wanted.top_n)
        return Answered(results.numbers_of(row) | self._model(prediction), array, stages_ms)

    def _model(self, prediction: Prediction) -> dict[str, Any]:
        return {"model": self._info.model, "model_version": prediction.model_version}


def _batching_of_photos(spec: InputSpec) -> str:
    return "one" if spec.shape and spec.shape[0] == 1 else "any"


def _batches(group: list[tuple[int, _Ask]]) -> list[list[tuple[int, _Ask]]]:
    """Parts of a group that go in one request each: as the model takes them, and within the message limit."""
    batches: list[list[tuple[int, _Ask]]] = []
    room = 0
    for number, asked in group:
        one_by_one = asked.fitted.batching != "any"
        if not batches or one_by_one or asked.size_bytes > room:
            batches.append([])
            room = MOST_BYTES
        batches[-1].append((number, asked))
        room -= asked.size_bytes
    return batches


def _message(info: BackendInfo, batch: Sequence[_Ask]) -> predict_pb2.PredictRequest:
    first = batch[0].fitted
    message = predict_pb2.PredictRequest()
    message.model_spec.name = info.model
    message.model_spec.signature_name = first.signature
    for name in first.arrays:
        arrays = [asked.fitted.arrays[name] for asked in batch]
        whole = arrays[0] if first.batching == "none" else np.stack(arrays)
        message.inputs[name].CopyFrom(to_proto(whole))
    return message


def _words(batch: Sequence[_Ask]) -> str:
    noun = "photo" if batch[0].is_photo else "array"
    return f"{count(len(batch), noun)} ({size(sum(asked.size_bytes for asked in batch))})"
