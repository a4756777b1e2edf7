"""The stall test: the server is stopped for 1.4 s (SIGSTOP) in the middle of a minute. Who notices?

An open loop at 100 requests/s has 140 requests due in that time. Its p99 over 60 s is some 0.8 s; the exact
value follows from the schedule. A tool that waits for an answer before it sends again has one slow request.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from loadtest.arrivals.schedules import Schedule, even
from loadtest.cross_check import loadgen
from loadtest.cross_check.closed_loops import CLOSED_LOOPS, ClosedLoop, figures_from
from loadtest.cross_check.comparison import OURS, sample_at
from loadtest.cross_check.stub import Stub, running_stub
from loadtest.cross_check.target import TIMEOUT_S, closed_loop_of, our_figures, target_of
from loadtest.cross_check.tools import LOADGEN, Tool
from loadtest.errors import LoadRefused
from loadtest.send.load import offer
from loadtest.send.recording import Watch

SECONDS, RATE_PER_S, SERVICE_MS = 60, 100.0, 10.0
STOP_S = 1.4
CLOSED_LOOP_MS = SERVICE_MS + 1  # how often one connection can send
P99_TOLERANCE_PERCENT = 5.0  # the target for ours: scheduling and the answers' own time


@dataclass(frozen=True, slots=True)
class Stop:
    """When the servers did not run: seconds since the epoch, or from the start of a schedule."""

    begin_s: float
    end_s: float

    def after(self, started_at: float) -> Stop:
        """The same, counted from a start."""
        return Stop(self.begin_s - started_at, self.end_s - started_at)


@dataclass(frozen=True, slots=True)
class Minute:
    """What one tool says of its run."""

    p99_ms: float
    dictated_ms: float | None = None  # None: a closed loop, without a schedule


@dataclass(frozen=True, slots=True)
class StallRow:
    """That, beside what is right."""

    tool: str
    loop: str  # "open" or "closed"
    p99_ms: float
    dictated_ms: float  # by the tool's own schedule; of a closed loop, by ours

    @property
    def error_percent(self) -> float:
        """How far the tool is from it."""
        return 100 * (self.p99_ms / self.dictated_ms - 1)


def dictated_p99_ms(due_s: Schedule, stop: Stop, service_ms: float) -> float:
    """The exact p99, if all requests are worked on at once. `stop` counts from the schedule's start."""
    service_s, latencies_ms = service_ms / 1e3, []
    for due in due_s:
        begin_s = stop.end_s if stop.begin_s <= due < stop.end_s else due
        end_s = begin_s + service_s
        if stop.begin_s <= end_s < stop.end_s:  # it was being worked on
            end_s = stop.end_s
        latencies_ms.append((end_s - due) * 1e3)
    return sample_at(latencies_ms, 99)


@dataclass(frozen=True, slots=True)
class Asked:
    """How long all of them run, where their files go, and what ends them early."""

    folder: Path
    seconds: int = SECONDS
    cancel: threading.Event = field(default_factory=threading.Event)


def stall(tools: Sequence[Tool], asked: Asked) -> tuple[list[StallRow], list[str]]:
    """A row for each tool, ours first; a sentence for each that failed. Raises LoadRefused if ours did.

    First the open loops at the same time, then the others, each against a stub server of its own. After a
    cancel there are no rows.
    """
    names = [tool.name for tool in tools]
    open_loops = _together([OURS, *(name for name in names if name not in CLOSED_LOOPS)], asked)
    others = _together([name for name in names if name in CLOSED_LOOPS], asked)
    if asked.cancel.is_set():
        return [], []
    ours_ms = open_loops[OURS].result().dictated_ms
    rows, problems = [], []
    for name, run in {**open_loops, **others}.items():
        try:
            minute = run.result()
        except LoadRefused as error:
            problems.append(f"{name} was left out of the stall test: {error.message}")
        else:
            loop = "closed" if minute.dictated_ms is None else "open"
            rows.append(StallRow(name, loop, minute.p99_ms, minute.dictated_ms or ours_ms or 0.0))
    return rows, problems


def _together(names: Sequence[str], asked: Asked) -> dict[str, Future[Minute]]:
    """Every tool at the same time; all servers are stopped together. The futures are done."""
    if not names or asked.cancel.is_set():
        return {}
    with ExitStack() as stack:
        stubs = [stack.enter_context(running_stub(SERVICE_MS)) for _ in names]
        pool = stack.enter_context(ThreadPoolExecutor(len(names)))
        stop: Future[Stop] = Future()
        runs = {
            name: pool.submit(_minute, name, stub, asked, stop)
            for name, stub in zip(names, stubs, strict=True)
        }
        asked.cancel.wait(asked.seconds / 3)
        stop.set_result(_stopped(stubs))
        wait(runs.values())
    return runs


def _stopped(stubs: Sequence[Stub]) -> Stop:
    """Stop the servers, all at the same time, and let them go on."""
    begin_s = time.time()
    try:
        for stub in stubs:
            os.kill(stub.pid, signal.SIGSTOP)
        time.sleep(STOP_S)
    finally:
        end_s = time.time()
        for stub in stubs:
            os.kill(stub.pid, signal.SIGCONT)
    return Stop(begin_s, end_s)


def _minute(name: str, stub: Stub, asked: Asked, stop: Future[Stop]) -> Minute:
    """One tool's run. Raises LoadRefused."""
    folder = asked.folder / name
    folder.mkdir(parents=True)
    if name in CLOSED_LOOPS:
        return _closed(CLOSED_LOOPS[name], stub, folder, asked.seconds)
    target = target_of(stub.grpc, folder)
    if name == LOADGEN.name:
        requests = int(asked.seconds * RATE_PER_S)
        due_s = loadgen.poisson_of_loadgen(RATE_PER_S, requests, seed=0)
        told = loadgen.loadgen(
            loadgen.Asked(
                scenario="Server",
                address=stub.grpc.address,
                body=target.body,
                folder=folder,
                requests=requests,
                rate_per_s=RATE_PER_S,
            )
        )
        figures, started_at = told.figures, told.started_at
    else:
        due_s = even(RATE_PER_S, asked.seconds)
        taken = offer(stub.grpc, target.payload, due_s, TIMEOUT_S, Watch(asked.cancel))
        figures, started_at = our_figures(taken, folder), taken.started_at
    dictated_ms = dictated_p99_ms(due_s, stop.result().after(started_at), SERVICE_MS)
    return Minute(_known(figures.p99_ms, name), dictated_ms)


def _closed(loop: ClosedLoop, stub: Stub, folder: Path, seconds: int) -> Minute:
    target = target_of(stub.rest if loop.protocol == "rest" else stub.grpc, folder)
    requests = int(seconds * 1e3 / CLOSED_LOOP_MS)
    figures = figures_from(loop, closed_loop_of(target, folder, requests, seconds, RATE_PER_S))
    return Minute(_known(figures.p99_ms, loop.tool.name))


def _known(p99_ms: float | None, name: str) -> float:
    if p99_ms is None:
        raise LoadRefused(f"{name} gave no p99.")
    return p99_ms
