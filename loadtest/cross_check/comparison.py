"""Comparison: the figures of another tool beside ours, pair by pair, and whether they are equivalent."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from experiment.report.statistics import median_interval

OURS = "ours"
TOLERANCE_PERCENT = 2.0
Verdict = Literal["yes", "no", "not sure", "too few pairs"]


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run of one tool says. None: that tool does not say, or has too few requests to."""

    p50_ms: float | None = None
    p90_ms: float | None = None
    p99_ms: float | None = None
    rate_per_s: float | None = None


def figures_of(latencies_ms: Sequence[float], seconds: float | None = None) -> Figures:
    """The figures of our samples, counted as the other tools count.

    LoadGen, ab, wrk and locust all print a sample of a run, not a value between two, as
    experiment.report.statistics does. In a queue with some hundred requests that alone is 1.5 % at p90.
    """
    rate_per_s = len(latencies_ms) / seconds if seconds else None
    return Figures(
        sample_at(latencies_ms, 50), sample_at(latencies_ms, 90), sample_at(latencies_ms, 99), rate_per_s
    )


def sample_at(samples: Sequence[float], percent: int) -> float:
    """The sample with `percent` of all below it: LoadGen's rule (loadgen/results.cc)."""
    return sorted(samples)[len(samples) * percent // 100]


def in_turn(names: Sequence[str], pairs: int) -> Iterator[tuple[int, str]]:
    """(block, name) in the order to run: forwards and backwards in turn, A B B A A B ...

    What drifts or jumps on the machine hits all alike.
    """
    for block in range(pairs):
        for name in names if block % 2 == 0 else reversed(names):
            yield block, name


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of one tool in one scenario, beside ours."""

    tool: str
    scenario: str
    figure: str  # a field of Figures
    theirs: tuple[float, ...]  # one value of each pair, in the figure's unit
    ours: tuple[float, ...]
    dictated: tuple[float, ...] = ()  # by schedule and service times alone; empty: not computed
    resolution: float = 0.0  # of what the tool prints, in the figure's unit

    @property
    def differences_percent(self) -> list[float]:
        """Of each pair, how much larger ours is."""
        return [100 * (our / their - 1) for their, our in zip(self.theirs, self.ours, strict=True)]

    @property
    def difference_percent(self) -> float:
        """The median over the pairs."""
        return statistics.median(self.differences_percent)

    @property
    def interval_percent(self) -> tuple[float, float] | None:
        """The distribution-free 95 % interval of that median; None below 6 pairs."""
        return median_interval(self.differences_percent)

    @property
    def tolerance_percent(self) -> float:
        """2 %, or what the tool rounds to if that is more."""
        return max(TOLERANCE_PERCENT, 100 * self.resolution / statistics.median(self.theirs))

    @property
    def agrees(self) -> Verdict:
        """Equivalence by two one-sided tests: "yes" only if the whole interval is within the tolerance.

        A 95 % interval rather than the 90 % that such a test needs at 5 %: the stricter of the two.
        """
        interval = self.interval_percent
        if interval is None:
            return "too few pairs"
        low, high = interval
        if -self.tolerance_percent <= low and high <= self.tolerance_percent:
            return "yes"
        return "no" if low > self.tolerance_percent or high < -self.tolerance_percent else "not sure"


def rows_of(
    scenario: str,
    runs: Mapping[str, Sequence[Figures]],
    names: Sequence[str],
    dictated: Sequence[Figures] = (),
    resolutions_ms: Mapping[str, float] | None = None,
) -> list[Row]:
    """A row for every figure of `names`, fields of Figures, that a tool says in all of its runs."""
    rows = []
    for tool in runs:
        if tool == OURS:
            continue
        for name in names:
            theirs, ours, exact = (_values(many, name) for many in (runs[tool], runs[OURS], dictated))
            if theirs and len(theirs) == len(ours):
                resolution = (resolutions_ms or {}).get(tool, 0.0) if name.endswith("_ms") else 0.0
                rows.append(Row(tool, scenario, name, theirs, ours, exact, resolution))
    return rows


def _values(many: Sequence[Figures], name: str) -> tuple[float, ...]:
    """That figure of every run, or nothing if one has none."""
    values = [getattr(figures, name) for figures in many]
    return () if None in values else tuple(values)
