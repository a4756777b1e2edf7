"""One user's connection to the server, over REST or gRPC. Both work in threads and in gevent's greenlets.

Locust counts failures by their text, so the text is the same for every request that fails in the same way.
"""

from __future__ import annotations

import contextlib
from typing import Any, Protocol

import grpc

from experiment.backends.answers import parsed_json
from experiment.backends.base import RequestFailed, short_cause
from experiment.backends.grpc import FAILURES, open_channel, unary
from experiment.backends.http_connection import HttpConnection, NotUnderstood
from experiment.backends.rest import FAILURES as HTTP_FAILURES
from experiment.backends.rest import error_text, model_path
from experiment.protocol import GET_MODEL_STATUS, PREDICT, get_model_status_pb2, predict_pb2
from experiment.records import BackendInfo
from experiment.wording import one_line

ANSWER_LIMIT_BYTES = 64 * 1024 * 1024


class Connection(Protocol):
    """What a user keeps open."""

    def open(self, timeout_s: float) -> None:
        """Connect, so that no latency includes it. Never raises: the first request fails instead."""

    def predict(self, body: bytes, batch: int, timeout_s: float) -> int:
        """Send one request, read its answer; the answer's size in bytes.

        Raises RequestFailed, also for an answer to more or fewer than `batch` inputs.
        """

    def close(self) -> None:
        """Close the connection."""


def connection_to(info: BackendInfo) -> Connection:
    """A connection over the protocol of `info`."""
    return RestConnection(info) if info.protocol == "rest" else GrpcConnection(info)


class RestConnection:
    """A kept-alive HTTP connection of its own."""

    def __init__(self, info: BackendInfo):
        self._address = info.address
        self._path = f"{model_path(info)}:predict"
        self._headers = {"Content-Type": "application/json", "Host": info.address}
        self._connection = HttpConnection(info.address)

    def open(self, timeout_s: float) -> None:
        """See Connection."""
        with contextlib.suppress(OSError):
            self._connection.open(timeout_s)

    def predict(self, body: bytes, batch: int, timeout_s: float) -> int:
        """See Connection."""
        try:
            answer = self._connection.exchange(
                "POST", self._path, self._headers, timeout_s, ANSWER_LIMIT_BYTES, body
            )
        except TimeoutError:
            raise _too_late(timeout_s) from None
        except OSError as error:
            raise _unreachable(self._address, str(error)) from None
        except NotUnderstood as error:
            raise RequestFailed("bad_answer", f"the answer is {error}") from None
        if answer.status != 200:
            cause = HTTP_FAILURES.get(answer.status, "bad_answer" if answer.status < 400 else "server_error")
            raise RequestFailed(cause, f"HTTP {answer.status}: {error_text(answer.body)}")
        try:
            _check(len(parsed_json(answer.body)["predictions"]), batch)
        except (ValueError, LookupError, TypeError):
            raise RequestFailed("bad_answer", "the answer is not a list of predictions") from None
        return len(answer.body)

    def close(self) -> None:
        """See Connection."""
        self._connection.close()


class GrpcConnection:
    """A channel of its own: channels that share a connection would be one client to the server."""

    def __init__(self, info: BackendInfo):
        self._info = info
        self._channel = open_channel(info.address, ANSWER_LIMIT_BYTES)
        self._predict = self._channel.unary_unary(
            PREDICT, response_deserializer=predict_pb2.PredictResponse.FromString
        )

    def open(self, timeout_s: float) -> None:
        """See Connection. Asks for the model's status, because that connects within any kind of thread."""
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = self._info.model
        answer_class = get_model_status_pb2.GetModelStatusResponse
        with contextlib.suppress(grpc.RpcError):
            unary(self._channel, GET_MODEL_STATUS, type(request), answer_class)(request, timeout=timeout_s)

    def predict(self, body: bytes, batch: int, timeout_s: float) -> int:
        """See Connection."""
        try:
            answer = self._predict(body, timeout=timeout_s)
        except grpc.RpcError as error:
            raise self._failed(error, timeout_s) from None
        if not answer.outputs:
            raise RequestFailed("bad_answer", "the answer has no outputs")
        dims = next(iter(answer.outputs.values())).tensor_shape.dim
        _check(dims[0].size if dims else 0, batch)
        return int(answer.ByteSize())

    def close(self) -> None:
        """See Connection."""
        self._channel.close()

    def _failed(self, error: Any, timeout_s: float) -> RequestFailed:
        details = one_line(error.details() or "no reason given")
        cause = "bad_answer" if "deserializ" in details else FAILURES.get(error.code(), "server_error")
        if cause == "unreachable":
            return _unreachable(self._info.address, details)
        if cause == "deadline":
            return _too_late(timeout_s)
        return RequestFailed(cause, f"{error.code().name}: {details}")


def _check(answered: int, batch: int) -> None:
    if answered != batch:
        raise RequestFailed("bad_answer", f"the answer is for {answered} inputs, not {batch}")


def _too_late(timeout_s: float) -> RequestFailed:
    return RequestFailed("deadline", f"no answer within {timeout_s:g} s")


def _unreachable(address: str, details: str) -> RequestFailed:
    if "parsing HTTP/2" in details:
        return RequestFailed("unreachable", f"what answers at {address} is not gRPC: is that REST's port?")
    return RequestFailed("unreachable", f"nothing answers at {address} ({short_cause(details)})")
