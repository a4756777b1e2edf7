"""SCENARIOS: the same load by us and by others, against a stub server with one worker.

    SingleStream  closed loop, one request in flight, gRPC: LoadGen, ghz
    Server        open loop, Poisson arrivals, a queue, gRPC: LoadGen. One seed gives both the same schedule
    Offline       everything at once, gRPC: LoadGen
    REST          closed loop, one request in flight, one connection: ab, wrk, hey, locust

Latencies are dictated by the schedule and the service time; what is above is the way there and back and the
tool's own work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from loadtest.arrivals.schedules import Schedule, burst
from loadtest.cross_check import loadgen
from loadtest.cross_check.closed_loops import CLOSED_LOOPS, figures_from
from loadtest.cross_check.comparison import OURS, Figures, figures_of
from loadtest.cross_check.hdr import write_hlog
from loadtest.cross_check.stub import Stub
from loadtest.cross_check.target import TIMEOUT_S, Target, closed_loop_of, our_figures, target_of
from loadtest.cross_check.tools import LOADGEN, Tool
from loadtest.send.load import keep_in_flight, offer

SERVICE_MS = 20.0
CLOSED_LOOP: loadgen.Scenario = "SingleStream"
OPEN_LOOP: loadgen.Scenario = "Server"
CLOSED_REQUESTS, CLOSED_S = 95, 2  # 21 ms each
SERVER_REQUESTS, SERVER_RATE_PER_S = 150, 25.0  # half of what the stub can take
OFFLINE_REQUESTS = 60

Way = Callable[[int, Path], Figures]  # number of the pair, folder for the tool's files


@dataclass(frozen=True, slots=True)
class Scenario:
    """One load, and everybody who can generate it."""

    name: str
    figures: Sequence[str]  # that are compared, fields of Figures
    ways: Mapping[str, Way]  # ours first
    dictated: Callable[[int], Figures]  # of a pair, without any way to the server and back


def scenarios(stub: Stub, tools: Sequence[Tool], bodies: Path) -> list[Scenario]:
    """Those in which at least one of `tools` takes part. The request bodies are written into `bodies`."""
    grpc, rest = (target_of(info, bodies) for info in (stub.grpc, stub.rest))
    all_of_them = [_single_stream(grpc, tools), _rest(rest, tools)]
    if LOADGEN in tools:
        all_of_them += [_server(grpc), _offline(grpc)]
    return [scenario for scenario in all_of_them if len(scenario.ways) > 1]


def _single_stream(target: Target, tools: Sequence[Tool]) -> Scenario:
    ways: dict[str, Way] = {OURS: partial(_our_closed_loop, target)}
    if LOADGEN in tools:
        ways[LOADGEN.name] = partial(_loadgen, target, CLOSED_LOOP, CLOSED_REQUESTS)
    ways |= _closed_loops(target, tools)
    return Scenario(CLOSED_LOOP, ("p50_ms", "p90_ms"), ways, _of_service)


def _rest(target: Target, tools: Sequence[Tool]) -> Scenario:
    ways: dict[str, Way] = {OURS: partial(_our_closed_loop, target), **_closed_loops(target, tools)}
    return Scenario("REST, one connection", ("p50_ms", "p90_ms"), ways, _of_service)


def _server(target: Target) -> Scenario:
    def schedule(pair: int) -> Schedule:
        return loadgen.poisson_of_loadgen(SERVER_RATE_PER_S, SERVER_REQUESTS, pair)

    def dictated(pair: int) -> Figures:
        return queue_of_one(schedule(pair), SERVICE_MS)

    ways: dict[str, Way] = {
        OURS: lambda pair, folder: _our_open_loop(target, schedule(pair), folder),
        LOADGEN.name: partial(_loadgen, target, OPEN_LOOP, SERVER_REQUESTS),
    }
    return Scenario(OPEN_LOOP, ("p50_ms", "p90_ms"), ways, dictated)


def _offline(target: Target) -> Scenario:
    ways: dict[str, Way] = {
        OURS: lambda pair, folder: _our_open_loop(target, burst(OFFLINE_REQUESTS), folder),
        LOADGEN.name: partial(_loadgen, target, "Offline", OFFLINE_REQUESTS),
    }
    return Scenario("Offline", ("rate_per_s",), ways, _of_service)


def queue_of_one(due_s: Schedule, service_ms: float) -> Figures:
    """The exact figures of a queue with one server: first come, first served (Lindley's recursion)."""
    free_s, latencies_ms = 0.0, []
    for due in due_s:
        free_s = max(free_s, due) + service_ms / 1e3
        latencies_ms.append((free_s - due) * 1e3)
    return figures_of(latencies_ms, free_s)


def _of_service(pair: int) -> Figures:
    return Figures(SERVICE_MS, SERVICE_MS, SERVICE_MS, 1e3 / SERVICE_MS)


def _our_closed_loop(target: Target, pair: int, folder: Path) -> Figures:
    taken = keep_in_flight(target.info, target.payload, 1, TIMEOUT_S, TIMEOUT_S, requests=CLOSED_REQUESTS)
    return our_figures(taken, folder)


def _our_open_loop(target: Target, due_s: Schedule, folder: Path) -> Figures:
    taken = offer(target.info, target.payload, due_s, TIMEOUT_S)
    figures = our_figures(taken, folder)
    write_hlog(target, taken, folder)
    return figures


def _loadgen(target: Target, scenario: loadgen.Scenario, requests: int, pair: int, folder: Path) -> Figures:
    asked = loadgen.Asked(
        scenario=scenario,
        address=target.info.address,
        body=target.body,
        folder=folder,
        requests=requests,
        rate_per_s=SERVER_RATE_PER_S,
        seed=pair,
    )
    return loadgen.loadgen(asked).figures


def _closed_loops(target: Target, tools: Sequence[Tool]) -> dict[str, Way]:
    def way(name: str) -> Way:
        return lambda pair, folder: figures_from(
            CLOSED_LOOPS[name], closed_loop_of(target, folder, CLOSED_REQUESTS, CLOSED_S)
        )

    names = [tool.name for tool in tools if tool.name in CLOSED_LOOPS]
    return {name: way(name) for name in names if CLOSED_LOOPS[name].protocol == target.info.protocol}
