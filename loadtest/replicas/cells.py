"""Bursts: a cell is a number of requests, replicas and hosts, and holds several bursts."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from experiment.report.statistics import (
    Ratio,
    median_interval,
    percentile_from,
    ratio_of_medians,
)
from experiment.wording import count
from loadtest.records import Load

# As SAMPLES_FOR_P90 of experiment/report/statistics.py, by the same rule (MLPerf's early stopping).
SAMPLES_FOR_P95 = 130
PASSES = 2


class Place(NamedTuple):
    """Where a burst goes."""

    replicas: int | None  # on each host; None: as many as there are, which is not known
    hosts: int
    requests: int


@dataclass(slots=True)
class Cell:
    """The bursts of one place."""

    place: Place
    loads: list[Load] = field(default_factory=list)

    @property
    def makespans_s(self) -> list[float]:
        """From the start to the last answer, of every burst in which no request failed."""
        return [
            max(sample.due_s + sample.latency_ms / 1e3 for sample in load.taken.samples)
            for load in self.loads
            if load.taken.samples and all(sample.ok for sample in load.taken.samples)
        ]

    @property
    def latencies_ms(self) -> list[float]:
        """Of every answered request, all bursts together."""
        return [sample.latency_ms for load in self.loads for sample in load.taken.samples if sample.ok]

    @property
    def failures(self) -> int:
        """Failed requests of all bursts."""
        return sum(not sample.ok for load in self.loads for sample in load.taken.samples)

    @property
    def makespan_s(self) -> float | None:
        """The burst in the middle."""
        return percentile_from(1, self.makespans_s, 50)

    @property
    def interval_s(self) -> tuple[float, float] | None:
        """95 % interval of the median makespan; None below 6 bursts."""
        return median_interval(self.makespans_s)

    @property
    def p50_ms(self) -> float | None:
        """Median latency of a request."""
        return percentile_from(1, self.latencies_ms, 50)

    @property
    def p95_ms(self) -> float | None:
        """None below SAMPLES_FOR_P95 requests."""
        return percentile_from(SAMPLES_FOR_P95, self.latencies_ms, 95)

    def images_per_s(self, makespan_s: float) -> float:
        """Images of a burst over its length."""
        return self.place.requests * self.loads[0].payload.batch / makespan_s

    @property
    def spread(self) -> list[int]:
        """Requests that each replica got, of all bursts; empty if there is only one, or it is not told."""
        counts: dict[str, int] = {}
        for load in self.loads:
            for sample in load.taken.samples:
                if sample.peer is not None:
                    counts[sample.peer] = counts.get(sample.peer, 0) + 1
        return sorted(counts.values())


def compared(first: Cell, second: Cell) -> Ratio | None:
    """How many times as long the first takes; None below 6 bursts without failures on either side."""
    return ratio_of_medians(first.makespans_s, second.makespans_s)


def where(place: Place) -> str:
    """In words: "4 replicas on 1 host"."""
    hosts = count(place.hosts, "host")
    return hosts if place.replicas is None else f"{count(place.replicas, 'replica')} on {hosts}"


def plan(places: Sequence[Place], bursts: int, is_cheap: bool, seed: int) -> list[Place]:
    """Every place `bursts` times, in shuffled order, so that no place has the quiet minutes for itself.

    If changing the number of replicas is not cheap, it changes PASSES times through all numbers at most, and
    only the bursts between two changes are shuffled.
    """
    shuffle = random.Random(seed)
    if is_cheap:
        return [place for _ in range(bursts) for place in shuffle.sample(places, len(places))]
    planned: list[Place] = []
    numbers = list(dict.fromkeys(place.replicas for place in places))
    for number in range(PASSES):
        turns = len(range(number, bursts, PASSES))
        for replicas in shuffle.sample(numbers, len(numbers)):
            own = [place for place in places if place.replicas == replicas] * turns
            planned += shuffle.sample(own, len(own))
    return planned
