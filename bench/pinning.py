"""Does a server of one CPU use one CPU, and does a busy neighbour slow it?

CPU seconds per second while four callers keep it busy (target: at most 1.02). Then a process that does
nothing but burn CPU runs on the other core in every other block. The callers need that core too, so it is
the nicest of processes there; the server's own stages, from the metadata of its answers, don't see the
callers at all. Target: the p50 with it at most 1.10 of the p50 without it.
"""

from __future__ import annotations

import os
import signal
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from bench.support import servables
from bench.support.callers import WARMUPS, calling, ends_s, request_of
from bench.support.cores import client_and_server, on_core
from bench.support.figures import figure
from bench.support.processes import child, server

BLOCKS = 20
CALLERS, BUSY_COUNT = 4, 60  # requests of a block that measures CPU time
COUNT = 12  # requests of a block with or without the neighbour
MOST_CPUS, MOST_SLOWER = 1.02, 1.10
CPU_CLOCK = 2  # CPUCLOCK_SCHED, linux/posix-timers.h: a process's clock is ~pid << 3 | this
BURN = """
import os, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
os.nice(19)
print(flush=True)
while True: pass
"""


def bench(blocks: int = BLOCKS) -> Iterator[str]:
    """The lines to print."""
    client, core = client_and_server()
    request = request_of(servables.photo_of())
    with ExitStack() as stack:
        served = stack.enter_context(server(servables.default(), core))
        predict = stack.enter_context(calling(served.address))
        neighbour = stack.enter_context(_neighbour(client))
        stack.enter_context(on_core(client))
        for _ in range(WARMUPS):
            predict(request)
        cpus = [_cpus(served.pid, predict, request) for _ in range(blocks)]
        yield figure("CPU seconds per second, saturated", cpus, at_most=MOST_CPUS)
        yield from _beside(neighbour, predict, request, blocks)


def _cpus(pid: int, predict: Any, request: bytes) -> float:
    """CPU seconds of all threads of the server, per second in which it always has work."""
    used_s, started = _cpu_s(pid), time.perf_counter()
    ends_s(lambda: predict(request), CALLERS, BUSY_COUNT)
    return (_cpu_s(pid) - used_s) / (time.perf_counter() - started)


def _cpu_s(pid: int) -> float:
    """As /proc/PID/stat has it, but to the nanosecond instead of the hundredth."""
    return time.clock_gettime(~pid << 3 | CPU_CLOCK)


@contextmanager
def _neighbour(core: int) -> Iterator[int]:
    """A process that burns CPU there, stopped for now."""
    with child("-c", BURN, str(core)) as process:
        process.line()
        pid = process.process.pid
        os.kill(pid, signal.SIGSTOP)
        yield pid


def _beside(neighbour: int, predict: Any, request: bytes, blocks: int) -> Iterator[str]:
    p50s, stages = [], []
    for block in range(blocks):
        order = (signal.SIGSTOP, signal.SIGCONT) if block % 2 else (signal.SIGCONT, signal.SIGSTOP)
        p50_ms, stage_ms = {}, {}
        for state in order:
            os.kill(neighbour, state)
            p50_ms[state], stage_ms[state] = _p50s_ms(predict, request)
        p50s.append(p50_ms[signal.SIGCONT] / p50_ms[signal.SIGSTOP])
        stages.append(stage_ms[signal.SIGCONT] / stage_ms[signal.SIGSTOP])
    yield figure("p50 with a busy neighbour / without, the server's stages", stages, at_most=MOST_SLOWER)
    yield figure("p50 with a busy neighbour / without, as its callers see it", p50s, at_most=MOST_SLOWER)


def _p50s_ms(predict: Any, request: bytes) -> tuple[float, float]:
    """Of whole requests, and of the server's stages."""
    whole, stages = [], []
    for _ in range(COUNT):
        started = time.perf_counter()
        _, call = predict.with_call(request)
        whole.append((time.perf_counter() - started) * 1e3)
        stages.append(sum(float(value) for _, value in call.trailing_metadata()))
    return statistics.median(whole), statistics.median(stages)
