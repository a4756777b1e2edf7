"""Batching that never waits for company, around a model that takes 8.2 ms + 3.3 ms for each image.

That is about what the published table of TensorFlow Serving on a Tesla P4 has for ResNet-50: 85 images/s
one by one, 279 in batches, and none at all from 100 callers on (PaddlePaddle/Serving, Benchmark_CN.md).

Idle: the p50 with batching over that without (target: at most 1.02). Saturated: the rate of 64 callers
over the rate of a loop that always has its largest batch ready (at least 0.97). Three times that offered:
answers within their deadline over that peak (at least 0.95), and every refused request gets a retry hint.
"""

from __future__ import annotations

import json
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from bench.support.callers import WARMUPS, calling, ends_s, p50_ms, request_of, times_ms
from bench.support.cores import client_and_server, on_core
from bench.support.figures import figure, ratios
from bench.support.open_loop import offer
from bench.support.processes import Child, child
from bench.support.side_by_side import by_turns
from experiment.report.statistics import percentile

FIXED_MS, EACH_MS, LARGEST = 8.2, 3.3, 32
BLOCKS = 20
IDLE_COUNT = 10  # requests of each kind in a block
CALLERS = (1, 8, 64)
CLOSED_S = 0.9  # of each loop of callers in a block
OFFERED_TIMES, OFFERED_S, DEADLINE_S = 3, 1.5, 0.3
MOST_IDLE, LEAST_RATE, LEAST_GOODPUT = 1.02, 0.97, 0.95

REQUEST = request_of(b"x" * 1000)


@dataclass(frozen=True)
class Stub:
    """A server around the stub model."""

    process: Child
    predict: Any

    def ask(self) -> object:
        return self.predict(REQUEST)

    def largest_batches_rate(self) -> float:
        """Images per second of a loop in that process with the largest batch, without the server."""
        seconds: list[float] = json.loads(self.process.ask("2"))
        return LARGEST / statistics.median(seconds)


@contextmanager
def stub(core: int, largest: int) -> Iterator[Stub]:
    """One with batches up to `largest`; 1: no batching."""
    facts = {"core": core, "fixed_ms": FIXED_MS, "each_ms": EACH_MS, "largest": largest}
    with ExitStack() as stack:
        process = stack.enter_context(child("-m", "bench.support.stub_model", json.dumps(facts)))
        yield Stub(process, stack.enter_context(calling(f"127.0.0.1:{int(process.line())}")))


def bench(blocks: int = BLOCKS) -> Iterator[str]:
    """The lines to print."""
    client, core = client_and_server()
    with ExitStack() as stack:
        alone, batching = (stack.enter_context(stub(core, largest)) for largest in (1, LARGEST))
        stack.enter_context(on_core(client))
        for server in (alone, batching):
            times_ms(server.ask, WARMUPS)
        yield from _idle(alone, batching, blocks)
        yield from _busy(batching, blocks)


def _idle(alone: Stub, batching: Stub, blocks: int) -> Iterator[str]:
    ways = {"on": lambda: p50_ms(batching.ask, IDLE_COUNT), "off": lambda: p50_ms(alone.ask, IDLE_COUNT)}
    p50s = by_turns(ways, blocks, warmups=0)
    yield figure("idle: p50 with batching / p50 without", ratios(p50s["on"], p50s["off"]), at_most=MOST_IDLE)


def _busy(batching: Stub, blocks: int) -> Iterator[str]:
    found: dict[str, list[float]] = defaultdict(list)
    codes, without_hint = Counter[str](), 0
    for _ in range(blocks):
        best = batching.largest_batches_rate()
        found["best"].append(best)
        for callers in CALLERS:
            ideal = min(best, callers / (FIXED_MS + callers * EACH_MS) * 1e3)
            ends = ends_s(batching.ask, callers, max(6, round(ideal * CLOSED_S)))
            found[f"rate {callers}"].append(steady_rate(ends) / best)
        outcome = offer(batching.predict, REQUEST, OFFERED_TIMES * best, OFFERED_S, DEADLINE_S)
        good_rate = len(outcome.latencies_ms) / outcome.last_answer_s
        found["goodput"].append(good_rate / (found[f"rate {CALLERS[-1]}"][-1] * best))
        found["p99"].append(percentile(outcome.latencies_ms, 99))
        codes += outcome.codes
        without_hint += outcome.without_hint
    yield from _lines(found)
    yield f"  of {codes.total()} requests: {dict(codes)}; refused without a retry hint: {without_hint}"


def steady_rate(ends: Sequence[float]) -> float:
    """Answers per second from the longest pause in the second quarter to the longest one in the last.

    Answers come in batches; counting from a pause to a pause counts whole ones, and the start is left out.
    """
    quarter = len(ends) // 4
    first, last = (
        max(part, key=lambda index: ends[index + 1] - ends[index])
        for part in (range(quarter, 2 * quarter), range(len(ends) - 1 - quarter, len(ends) - 1))
    )
    return (last - first) / (ends[last] - ends[first])


def _lines(found: dict[str, list[float]]) -> Iterator[str]:
    yield figure(f"rate of a loop with batches of {LARGEST}", found["best"], "images/s")
    for callers in CALLERS:
        target = LEAST_RATE if callers == CALLERS[-1] else None
        yield figure(
            f"{callers:2} callers: rate / that of the loop", found[f"rate {callers}"], at_least=target
        )
    yield figure(
        f"{OFFERED_TIMES} times that offered: good answers / the rate of {CALLERS[-1]} callers",
        found["goodput"],
        at_least=LEAST_GOODPUT,
    )
    yield figure("  p99 of the answers", found["p99"], "ms", at_most=DEADLINE_S * 1e3)
