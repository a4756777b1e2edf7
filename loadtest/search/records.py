"""The nouns of a search: trials at fixed rates, points of a curve, capacity; rungs of a ladder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from experiment.records import Validity
from loadtest.records import Sample, Taken

# found: the capacity is known.
# at_least: no rate that could be offered was too high; `low_per_s` is the highest that was kept up.
# below_unloaded: the limit is shorter than one request takes with nothing else to do.
# not_met: the limit was missed at every rate that was tried.
# too_few: the budget allows too few requests for any percentile.
# no_answer: the target did not answer, or stopped answering before anything could be said.
# cancelled: stopped by hand before anything could be said.
Outcome = Literal["found", "at_least", "below_unloaded", "not_met", "too_few", "no_answer", "cancelled"]
CutOff = Literal["no_answer", "cancelled"]  # of a search that ended before its budget was spent


@dataclass(frozen=True, slots=True)
class Limits:
    """What is asked for."""

    limit_ms: float
    budget_s: float
    seed: int = 0
    timeout_s: float | None = None  # of each request, at most; None: what the search finds useful


@dataclass(frozen=True, slots=True)
class ClosedLoop:
    """A short closed loop before the search."""

    in_flight: int
    planned_s: float
    taken: Taken


@dataclass(frozen=True, slots=True)
class Target:
    """What is known of a target before it is loaded."""

    unloaded_ms: float | None  # p50 with one request in flight; None: it did not answer
    closed_loop_per_s: float | None  # the most answers a second, with as many in flight as helped
    batch: int = 1  # images or rows in each request
    cores: int | None = None  # None: unknown
    shares_machine: bool = False  # with the generator of the load
    closed_loops: tuple[ClosedLoop, ...] = ()  # that the first two figures are from


@dataclass(frozen=True, slots=True)
class Trial:
    """Requests at one mean rate with random intervals (Poisson)."""

    offered_per_s: float
    planned_s: float
    settled_s: float  # requests due before are not counted: the queue was still filling
    taken: Taken
    not_used: str | None = None  # a sentence: why it says nothing of the target; None: it counts

    @property
    def seconds(self) -> float:
        """From the start to the last answer."""
        return self.taken.seconds

    @property
    def samples(self) -> tuple[Sample, ...]:
        """All requests, in the order they were due."""
        return tuple(self.taken.samples)

    @property
    def stopped(self) -> str | None:
        """Why it ended early, as when far too many requests were late."""
        return self.taken.stopped

    @property
    def counted(self) -> tuple[Sample, ...]:
        """The requests of the settled part."""
        return tuple(sample for sample in self.taken.samples if sample.due_s >= self.settled_s)


@dataclass(frozen=True, slots=True)
class Point:
    """One rate of the curve: everything counted at that rate."""

    offered_per_s: float
    achieved_per_s: float  # answered requests over the time of the trials, with the wait for the last answers
    goodput_per_s: float | None  # right images over the same time; None: it is not known which are right
    count: int
    failures: int
    right: int | None  # images with the expected label; None: none was expected
    over_limit: int  # of `count`: requests that failed or took longer than the limit
    p50_ms: float | None  # of answered requests, as the others; None below the samples that each needs
    p90_ms: float | None
    p99_ms: float | None
    in_flight_max: int
    trials: int
    stopped: bool  # a trial ended early: the queue kept growing, and longer trials would show longer times
    causes: Mapping[str, int] = field(default_factory=dict)  # of failures


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """The most requests a second of which a share of 99 % (or 90 %) is answered within a limit."""

    outcome: Outcome
    sentence: str  # "at most 41 requests/s at p99 ≤ 100 ms (95 %: 39 to 43)"
    limits: Limits
    target: Target
    percentile: int | None = None  # 99, or 90 where the budget was too short for it; None: neither
    per_s: float | None = None  # None: only the `outcome` is known
    low_per_s: float | None = None  # 95 % interval
    high_per_s: float | None = None
    knee_per_s: float | None = None  # offered rate with the most throughput per p50 (Kleinrock's power)
    right_share: float | None = None  # of images with a known label, answered at rates within the capacity
    right_per_s: float | None = None  # right images a second at the capacity
    per_core_per_s: float | None = None  # requests
    points: tuple[Point, ...] = ()  # by rate
    trials: tuple[Trial, ...] = ()  # in the order they were made
    spent_s: float = 0.0
    validity: Validity = "VALID"
    reasons: tuple[str, ...] = ()  # one sentence each: what else has to be known
