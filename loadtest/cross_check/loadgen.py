"""LoadGen: MLPerf's load generator as the referee. It runs in a process of its own; its own summary counts.

SingleStream  a closed loop with one request in flight
Server        an open loop, Poisson arrivals; latency from when a query was scheduled, not sent
Offline       everything at once; samples per second
"""

from __future__ import annotations

import json
import math
import random
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

from loadtest.arrivals.schedules import Schedule
from loadtest.cross_check.comparison import Figures
from loadtest.errors import LoadRefused

ROOT = Path(__file__).resolve().parents[2]
LONGEST_S = 300
SCHEDULE_TOLERANCE_S = 0.05  # a late send is no other schedule

Scenario = Literal["SingleStream", "Server", "Offline"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One test. `rate_per_s` and `seed` are for Server."""

    scenario: Scenario
    address: str  # of a gRPC model server
    body: Path  # with a serialised PredictRequest
    folder: Path  # for LoadGen's own files; exists
    requests: int
    rate_per_s: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """What LoadGen said, and when it sent its first query, in seconds since the epoch."""

    figures: Figures
    started_at: float


def loadgen(asked: Asked) -> Told:
    """Run one test; its figures are those of LoadGen's summary. Raises LoadRefused."""
    told = _run({**asdict(asked), "body": str(asked.body), "folder": str(asked.folder)})
    if told["failures"]:
        raise LoadRefused(f"{told['failures']} of LoadGen's requests failed: {told['message']}")
    if asked.scenario == "Server":
        _check_schedule(told["sent_s"], poisson_of_loadgen(asked.rate_per_s, asked.requests, asked.seed))
    summary = (asked.folder / "mlperf_log_summary.txt").read_text("utf-8")
    return Told(figures_in(summary), told["started_at"])


def figures_in(summary: str) -> Figures:
    """The figures of an mlperf_log_summary.txt."""

    def value(label: str, divisor: float = 1e6) -> float | None:
        found = re.search(rf"^{label}\s*:\s*([\d.e+]+)\s*$", summary, re.MULTILINE)
        return float(found[1]) / divisor if found else None

    return Figures(
        p50_ms=value(r"50\.00 percentile latency \(ns\)"),
        p90_ms=value(r"90\.00 percentile latency \(ns\)"),
        p99_ms=value(r"99\.00 percentile latency \(ns\)"),
        rate_per_s=value("Samples per second", 1) or value("Completed samples per second", 1),
    )


def poisson_of_loadgen(rate_per_s: float, requests: int, seed: int) -> Schedule:
    """The schedule that LoadGen draws from a seed, so that ours can be the same.

    It uses C++'s std::exponential_distribution, which in libstdc++ takes 53 random bits from two draws.
    """
    twister = mersenne_twister(seed)
    due_s, schedule = 0.0, []
    for _ in range(requests):
        schedule.append(due_s)
        low, high = twister.getrandbits(32), twister.getrandbits(32)
        due_s -= math.log(1 - (low + high * 2**32) / 2**64) / rate_per_s
    return schedule


def mersenne_twister(seed: int) -> random.Random:
    """C++'s std::mt19937: getrandbits(32) is its next draw. Python's own seeding is another one."""
    state = [seed & 0xFFFFFFFF]
    for index in range(1, 624):
        state.append((1812433253 * (state[-1] ^ (state[-1] >> 30)) + index) & 0xFFFFFFFF)
    twister = random.Random()
    twister.setstate((3, (*state, 624), None))
    return twister


def _check_schedule(sent_s: Sequence[float], schedule: Schedule) -> None:
    off_s = median(abs(sent - due) for sent, due in zip(sent_s, schedule, strict=True))
    if off_s > SCHEDULE_TOLERANCE_S:
        raise LoadRefused(
            f"LoadGen sent at other times than its seed gives here: half of its queries were {off_s:.3f} s "
            "or more away. Either this machine is overloaded, or this build draws other random numbers."
        )


def _run(facts: dict[str, Any]) -> dict[str, Any]:
    command = [sys.executable, "-m", "loadtest.cross_check.loadgen_child", json.dumps(facts)]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=LONGEST_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise LoadRefused(f"LoadGen did not end within {LONGEST_S} s.") from None
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise LoadRefused(f"LoadGen ended with {done.returncode}: {last}")
    return dict(json.loads(done.stdout.splitlines()[-1]))
