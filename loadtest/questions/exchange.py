"""One request after another, bytes in and bytes out: an answer is timed before anything reads it.

The senders of loadtest/send keep answers that they have parsed before, so the same picture again would cost
this program less than another one, which a question about caching must not see.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import NamedTuple

import grpc

from experiment.backends.base import CONNECT_S, MESSAGE_LIMIT_BYTES, RequestFailed, short_cause
from experiment.backends.grpc import FAILURES, open_channel, wait_for_connection
from experiment.backends.grpc import stages_of as stages_in_metadata
from experiment.backends.http_connection import HttpConnection, NotUnderstood
from experiment.backends.rest import FAILURES as HTTP_FAILURES
from experiment.backends.rest import error_text, model_path
from experiment.backends.rest import stages_of as stages_in_header
from experiment.protocol import PREDICT
from experiment.records import BackendInfo
from experiment.wording import one_line
from loadtest.questions.target import addresses
from loadtest.send.sender import place_of

JSON_HEADERS = {"Content-Type": "application/json"}


class Reply(NamedTuple):
    """An answer that nobody has read yet."""

    body: bytes
    latency_ms: float
    stages_ms: Mapping[str, float]  # as the server reports them; empty: it does not


Ask = Callable[[bytes, float], Reply]  # body and timeout in seconds; raises RequestFailed


@contextmanager
def exchange(info: BackendInfo) -> Iterator[Ask]:
    """A connection to the server, or to the first of its replicas."""
    address = addresses(info)[0]
    with (_over_rest if info.protocol == "rest" else _over_grpc)(info, address) as ask:
        yield ask


@contextmanager
def _over_grpc(info: BackendInfo, address: str) -> Iterator[Ask]:
    with open_channel(address) as channel:
        wait_for_connection(channel, CONNECT_S)
        predict = channel.unary_unary(PREDICT)

        def ask(body: bytes, timeout_s: float) -> Reply:
            started = time.perf_counter()
            try:
                answer, call = predict.with_call(body, timeout=timeout_s)
            except grpc.RpcError as error:
                details = one_line(error.details() or "no reason given")
                cause = FAILURES.get(error.code(), "server_error")
                cause = "too_large" if "larger than max" in details else cause
                raise RequestFailed(cause, f"{place_of(info, address)}: {short_cause(details)}.") from None
            latency_ms = (time.perf_counter() - started) * 1e3
            return Reply(answer, latency_ms, stages_in_metadata(call.trailing_metadata() or ()))

        yield ask


@contextmanager
def _over_rest(info: BackendInfo, address: str) -> Iterator[Ask]:
    path, headers = f"{model_path(info)}:predict", JSON_HEADERS | {"Host": address}
    with closing(HttpConnection(address)) as connection:

        def ask(body: bytes, timeout_s: float) -> Reply:
            started = time.perf_counter()
            try:
                answer = connection.exchange("POST", path, headers, timeout_s, MESSAGE_LIMIT_BYTES, body)
            except TimeoutError:
                raise RequestFailed(
                    "deadline", f"{place_of(info, address)} did not answer in time."
                ) from None
            except OSError as error:
                cause = short_cause(str(error))
                raise RequestFailed("unreachable", f"{place_of(info, address)}: {cause}.") from None
            except NotUnderstood as error:
                raise RequestFailed("bad_answer", f"{info.name} answered {error}.") from None
            latency_ms = (time.perf_counter() - started) * 1e3
            if answer.status != 200:
                words = f"{info.name} answered HTTP {answer.status}: {error_text(answer.body)}"
                raise RequestFailed(HTTP_FAILURES.get(answer.status, "server_error"), words)
            return Reply(answer.body, latency_ms, stages_in_header(answer.headers.get("Server-Timing", "")))

        yield ask
