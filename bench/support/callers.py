"""Those who ask: one after another, or several at once. They send bytes and read none of the answer."""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from bench.support.echo import LENGTH_BYTES, receive
from bench.support.processes import MODEL
from experiment.backends.grpc import open_channel
from experiment.protocol import PREDICT, predict_pb2, types_pb2

WARMUPS = 10
Ask = Callable[[], object]
Predict = Any  # gRPC has no types: bytes to bytes


def request_of(image: bytes, signature: str = "predict_images") -> bytes:
    """A serialised Predict request."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = MODEL, signature
    tensor = request.inputs["images"]
    tensor.dtype = types_pb2.DT_STRING
    tensor.tensor_shape.dim.add().size = 1
    tensor.string_val.append(image)
    return bytes(request.SerializeToString())


def asking(predict: Predict, request: bytes) -> Ask:
    """That request, again and again."""
    return lambda: predict(request)


@contextmanager
def calling(address: str) -> Iterator[Predict]:
    """The Predict method over our own client's channel, bytes to bytes."""
    with open_channel(address) as channel:
        yield channel.unary_unary(PREDICT)


@contextmanager
def sending(tcp_port: int, data: bytes, answer_bytes: int) -> Iterator[Ask]:
    """The same bytes over plain TCP."""
    with socket.create_connection(("127.0.0.1", tcp_port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head, answer = len(data).to_bytes(LENGTH_BYTES, "big"), memoryview(bytearray(answer_bytes))

        def ask() -> None:
            connection.sendall(head)
            connection.sendall(data)
            receive(connection, answer)

        yield ask


def times_ms(ask: Ask, count: int) -> list[float]:
    """Of requests one after another."""
    found = []
    for _ in range(count):
        started = time.perf_counter()
        ask()
        found.append((time.perf_counter() - started) * 1e3)
    return found


def p50_ms(ask: Ask, count: int) -> float:
    return statistics.median(times_ms(ask, count))


def ends_s(ask: Ask, callers: int, count: int) -> list[float]:
    """When each of `count` requests was answered, from the start on; so many ask without a pause."""
    started = time.perf_counter()

    def one(_: int) -> float:
        ask()
        return time.perf_counter() - started

    with ThreadPoolExecutor(callers) as pool:
        return sorted(pool.map(one, range(count)))


def rate_per_s(ask: Ask, callers: int, count: int) -> float:
    """Answers per second, from the first question to the last answer."""
    return count / ends_s(ask, callers, count)[-1]
