"""What serving costs on top of computing: our server against the same servable in a process without one.

Both on one core, the callers on another. The p50 of one caller minus the p50 without a server (target:
at most 0.30 ms) stands beside what two bare gRPC servers in Python cost: one that does nothing, and one that
computes the same with a picture that it has already. What is left is our own doing. The rate with four
callers is compared with the rate without a server (target: at least 0.97).
"""

from __future__ import annotations

import random
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from bench.support import servables
from bench.support.callers import WARMUPS, asking, calling, rate_per_s, request_of, times_ms
from bench.support.cores import client_and_server, on_core
from bench.support.figures import figure, ratios
from bench.support.processes import echoes, loop, server

BLOCKS = 20
CALLERS = 4
GROUP, GROUPS = 2, 4  # requests one after another, and how often in a block
LITE_COUNT, INCEPTION_COUNT = 32, 12  # requests of the callers together in a block
MOST_OVERHEAD_MS, LEAST_RATE = 0.30, 0.97

Figures = dict[str, list[float]]
Times = Callable[[int], list[float]]


def bench() -> Iterator[str]:
    """The lines to print."""
    yield from compared("EfficientNet-Lite0", servables.default(), LITE_COUNT)
    yield from compared("Inception v3", servables.made("inception"), INCEPTION_COUNT)


def compared(name: str, model: Path, count: int, blocks: int = BLOCKS) -> Iterator[str]:
    """The lines of one model, with so many requests at once in a block."""
    client, core = client_and_server()
    photo = servables.photo_of()
    request = request_of(photo)
    with ExitStack() as stack:
        path = Path(stack.enter_context(tempfile.NamedTemporaryFile(suffix=".jpg")).name)
        path.write_bytes(photo)
        bare = stack.enter_context(loop(model, core, path))
        served = stack.enter_context(server(model, core))
        predict = stack.enter_context(calling(served.address))
        answer_bytes = len(predict(request))
        echoing = stack.enter_context(echoes(core, answer_bytes))
        floor = stack.enter_context(echoes(core, answer_bytes, model, path))
        echo = stack.enter_context(calling(echoing.grpc_address))
        bare_grpc = stack.enter_context(calling(floor.grpc_address))
        stack.enter_context(on_core(client))  # last, because a child may use no more cores than its parent
        for method in (predict, echo, bare_grpc):
            times_ms(asking(method, request), WARMUPS)
        alone = {
            "bare_ms": bare.times_ms,
            "served_ms": lambda count: times_ms(asking(predict, request), count),
            "bare_grpc_ms": lambda count: times_ms(asking(bare_grpc, request), count),
            "echo_ms": lambda count: times_ms(asking(echo, request), count),
        }
        together = {
            "bare_rate": lambda: count * 1e3 / sum(bare.times_ms(count)),
            "served_rate": lambda: rate_per_s(asking(predict, request), CALLERS, count),
        }
        found = _measured(alone, together, blocks)
    yield from _lines(name, found, len(request))


def _measured(alone: dict[str, Times], together: dict[str, Callable[[], float]], blocks: int) -> Figures:
    """One p50 of each and one rate of each in every block."""
    found: Figures = defaultdict(list)
    shuffled = random.Random(0)
    for _ in range(blocks):
        for name, p50 in _p50s_ms(alone, shuffled).items():
            found[name].append(p50)
        for name in shuffled.sample(list(together), len(together)):
            found[name].append(together[name]())
    return found


def _p50s_ms(ways: dict[str, Times], shuffled: random.Random) -> dict[str, float]:
    """Requests of one way and the other take turns in small groups: a slow second hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(GROUPS):
        for name in shuffled.sample(list(ways), len(ways)):
            times[name] += ways[name](GROUP)
    return {name: statistics.median(taken) for name, taken in times.items()}


def _lines(name: str, found: Figures, request_bytes: int) -> Iterator[str]:
    overhead_ms = _differences(found["served_ms"], found["bare_ms"])
    rates = ratios(found["served_rate"], found["bare_rate"])
    bare_ms = statistics.median(found["bare_ms"])
    yield f"{name}, a request of {request_bytes / 1e3:.0f} kB, {bare_ms:.1f} ms without a server"
    yield figure("  p50 served - p50 without a server", overhead_ms, "ms", at_most=MOST_OVERHEAD_MS)
    yield figure("  p50 served / p50 without a server", ratios(found["served_ms"], found["bare_ms"]))
    yield figure("  p50 of a gRPC server that does nothing", found["echo_ms"], "ms")
    floor_ms = _differences(found["bare_grpc_ms"], found["bare_ms"])
    yield figure("  one that computes the same - p50 without a server", floor_ms, "ms")
    yield figure("  our own doing: served - that", _differences(overhead_ms, floor_ms), "ms")
    yield figure(f"  rate with {CALLERS} callers / rate without a server", rates, at_least=LEAST_RATE)


def _differences(those: list[float], these: list[float]) -> list[float]:
    return [one - other for one, other in zip(those, these, strict=True)]
