"""Requests at fixed times, however long the answers take: what many independent users do.

Latency counts from when a request was due, so a late sender can't hide a slow server.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import grpc

OK = "OK"
PUSHBACK = "grpc-retry-pushback-ms"


@dataclass
class Outcome:
    """Of all requests of one run."""

    last_answer_s: float = 0.0  # after the start
    latencies_ms: list[float] = field(default_factory=list)  # of the answers
    codes: Counter[str] = field(default_factory=Counter)  # by gRPC's name, OK included
    without_hint: int = 0  # refused without saying when to come again
    sent_late_ms: float = 0.0  # the worst
    others: list[Any] = field(default_factory=list)  # what `read` made of each answer


def offer(
    predict: Any,
    request: bytes,
    rate_per_s: float,
    seconds: float,
    timeout_s: float,
    read: Callable[[bytes], Any] | None = None,
) -> Outcome:
    """Send evenly spaced requests; returns when all are answered."""
    outcome, guard, count = Outcome(), threading.Lock(), int(rate_per_s * seconds)
    finished = threading.Semaphore(0)
    start = time.perf_counter() + 0.01

    def done(call: Any, due: float) -> None:
        now = time.perf_counter()
        with guard:
            _note(outcome, call, (now - due) * 1e3, read)
            if call.code() is grpc.StatusCode.OK:
                outcome.last_answer_s = now - start
        finished.release()

    for number in range(count):
        due = start + number / rate_per_s
        time.sleep(max(0.0, due - time.perf_counter()))
        outcome.sent_late_ms = max(outcome.sent_late_ms, (time.perf_counter() - due) * 1e3)
        call = predict.future(request, timeout=timeout_s)
        call.add_done_callback(lambda call, due=due: done(call, due))
    for _ in range(count):
        finished.acquire()
    return outcome


def _note(outcome: Outcome, call: Any, took_ms: float, read: Callable[[bytes], Any] | None) -> None:
    code = call.code()
    outcome.codes[code.name] += 1
    if code is grpc.StatusCode.OK:
        outcome.latencies_ms.append(took_ms)
        if read:
            outcome.others.append(read(call.result()))
    elif code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        outcome.without_hint += PUSHBACK not in dict(call.trailing_metadata() or ())
