"""What may be said about a handful of samples, and how surely. Pure arithmetic.

Tails need many samples: the floors below are those of MLPerf's early stopping
(inference_rules.adoc, confidence 99 %, tolerance 0). Below a floor the answer is None.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import TypedDict, TypeVar

from experiment.records import RESOLUTION_MS

T = TypeVar("T")

SAMPLES_FOR_INTERVAL = 6  # with fewer, no two samples enclose the median with 95 %
SAMPLES_FOR_P90 = 64
SAMPLES_FOR_P99 = 662
# An outlier is this many times the median absolute deviation away from the median, 10 standard deviations
# of a normal distribution: hyperfine's rule (outlier_detection.rs), after Iglewicz and Hoaglin (1993).
OUTLIER_DEVIATIONS = 14.826


# A sample is disturbed if this process was late to wake for more than this part of it; less hardly moves it.
DISTURBED_SHARE = 0.10


class Percentiles(TypedDict):
    """What samples say of themselves. Each None where there are too few."""

    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None
    min_ms: float | None
    max_ms: float | None


class LatencyStats(Percentiles):
    """What a cell says of its samples. Each None where there are too few."""

    p50_low_ms: float | None  # distribution-free 95 % interval
    p50_high_ms: float | None


def percentile(samples: Sequence[float], percent: float) -> float:
    """The value below which `percent` (0..100) of the samples lie, interpolated linearly.

    Equals numpy.percentile with its default method to the last bit. `samples` must hold
    at least one value; their order does not matter.
    """
    ordered = sorted(samples)
    position = (len(ordered) - 1) * (percent / 100)
    below = math.floor(position)
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    part = position - below
    if part >= 0.5:  # numpy does so too: exact at both ends
        return high - (high - low) * (1 - part)
    return low + (high - low) * part


def percentile_from(floor: int, samples: Sequence[float], percent: float) -> float | None:
    """The percentile, or None when there are fewer than `floor` samples."""
    return percentile(samples, percent) if len(samples) >= max(floor, 1) else None


@lru_cache(maxsize=256)
def median_ranks(count: int) -> tuple[int, int] | None:
    """Ranks (1 is the smallest) of the two samples that enclose the median with 95 %.

    Holds for any distribution: the number of samples below the median is binomial.
    None below 6 samples. 10 samples give (2, 9), 20 give (6, 15), 100 give (40, 61).
    """
    if count < SAMPLES_FOR_INTERVAL:
        return None
    allowed = 2**count // 40  # of all ways to fall, 2.5 % may lie outside on either side
    ways, below, rank = 1, 1, 0
    while below <= allowed:
        rank += 1
        ways = ways * (count - rank + 1) // rank
        below += ways
    return rank, count + 1 - rank


def median_interval(samples: Sequence[float]) -> tuple[float, float] | None:
    """The distribution-free 95 % interval of the median, or None below 6 samples."""
    ranks = median_ranks(len(samples))
    if ranks is None:
        return None
    ordered = sorted(samples)
    return ordered[ranks[0] - 1], ordered[ranks[1] - 1]


def percentiles(samples_ms: Sequence[float]) -> Percentiles:
    """The numbers that stand for any number of samples."""
    return {
        "p50_ms": percentile_from(1, samples_ms, 50),
        "p90_ms": percentile_from(SAMPLES_FOR_P90, samples_ms, 90),
        "p99_ms": percentile_from(SAMPLES_FOR_P99, samples_ms, 99),
        "min_ms": min(samples_ms, default=None),
        "max_ms": max(samples_ms, default=None),
    }


def latency_stats(samples_ms: Sequence[float], disturbed_ms: Sequence[float] = ()) -> LatencyStats:
    """The numbers that stand for the samples of one cell, `disturbed_ms` being those set apart.

    Its interval takes the time of the square of their number: of 100,000 samples, seconds.
    """
    low_ms, high_ms = interval_over(samples_ms, disturbed_ms) or (None, None)
    return {**cell_percentiles(samples_ms, disturbed_ms), "p50_low_ms": low_ms, "p50_high_ms": high_ms}


def cell_percentiles(samples_ms: Sequence[float], disturbed_ms: Sequence[float]) -> Percentiles:
    """p50 without the samples set apart; tails and extremes of all, or they would look too good: slow answers
    are in the nature of a tail."""
    return {
        **percentiles([*samples_ms, *disturbed_ms]),
        "p50_ms": percentile_from(1, samples_ms, 50),
    }


@dataclass(frozen=True, slots=True)
class Samples:
    """The latencies of one cell in ms: those that count, and those set apart, each in the order taken."""

    counted_ms: tuple[float, ...]
    disturbed_ms: tuple[float, ...] = ()  # set apart
    disturbed_counted: int = 0  # of counted_ms: disturbed too, but too few would be left without them


def is_disturbed(latency_ms: float, late_ms: float | None) -> bool:
    """Whether this machine was too busy for this sample; `late_ms` is its Measurement's."""
    return late_ms is not None and late_ms > DISTURBED_SHARE * latency_ms


def set_apart(taken: Sequence[T], disturbed: Sequence[bool]) -> tuple[list[T], list[T]]:
    """Those that count, and those set apart: the disturbed ones, if the others are half of all and enough for
    an interval. Else all count.

    What keeps this machine busy may be the backend itself, and then the others would be its luckiest answers.
    """
    quiet = [each for each, was_busy in zip(taken, disturbed, strict=True) if not was_busy]
    if len(quiet) < SAMPLES_FOR_INTERVAL or 2 * len(quiet) < len(taken):
        return list(taken), []
    return quiet, [each for each, was_busy in zip(taken, disturbed, strict=True) if was_busy]


def interval_over(samples_ms: Sequence[float], disturbed_ms: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of the median, whether or not the disturbed samples should count; None below 6.

    A long sample is likelier to meet a late beat than a short one, so leaving such samples out makes the
    median a little too small: measured, by 0.1 % on a quiet machine and by 0.4 % on a busy one, at most by
    2.5 % (docs/numbers.md). So the interval encloses that of the samples that count and that of all.
    """
    one, other = median_interval(samples_ms), median_interval([*samples_ms, *disturbed_ms])
    if one is None or other is None:
        return None
    return min(one[0], other[0]), max(one[1], other[1])


def outliers(samples_ms: Sequence[float]) -> list[float]:
    """The samples that lie far from all others, in the order they were taken; none below 6 samples."""
    if len(samples_ms) < SAMPLES_FOR_INTERVAL:
        return []
    middle = percentile(samples_ms, 50)
    deviation = max(percentile([abs(sample - middle) for sample in samples_ms], 50), RESOLUTION_MS)
    return [sample for sample in samples_ms if abs(sample - middle) > OUTLIER_DEVIATIONS * deviation]


def jensen_shannon_distance(first: Sequence[float], second: Sequence[float]) -> float:
    """How far apart two probability distributions are: 0 (the same) to 1 (nothing shared).

    The square root of the Jensen-Shannon divergence to base 2. Both are scaled to sum 1.
    Raises ValueError when they have different lengths.
    """
    total_p, total_q = math.fsum(first), math.fsum(second)
    divergence = 0.0
    for raw_p, raw_q in zip(first, second, strict=True):
        p, q = raw_p / total_p, raw_q / total_q
        middle = (p + q) / 2
        divergence += _information(p, middle) + _information(q, middle)
    return math.sqrt(min(max(divergence / 2, 0.0), 1.0))


def _information(p: float, middle: float) -> float:
    return p * math.log2(p / middle) if p > 0 else 0.0


Z_95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Ratio:
    """First median over second median. Below 1: the first is smaller."""

    value: float
    low: float  # 95 % interval
    high: float


def ratio_of_medians(first: Sequence[float], second: Sequence[float]) -> Ratio | None:
    """How many times the second's median the first's is; None below 6 samples on either side.

    The samples of each side are taken to be independent of each other and of the other side's.
    """
    if min(len(first), len(second)) < SAMPLES_FOR_INTERVAL:
        return None
    logarithm = log_median(first) - log_median(second)
    error = math.hypot(error_of_log_median(first), error_of_log_median(second))
    return Ratio(math.exp(logarithm), math.exp(logarithm - Z_95 * error), math.exp(logarithm + Z_95 * error))


def log_median(samples: Sequence[float]) -> float:
    """The natural logarithm of the median; of 0, of the resolution."""
    return math.log(max(percentile(samples, 50), RESOLUTION_MS))


def error_of_log_median(samples: Sequence[float]) -> float:
    """Its standard error: how far apart two samples lie that enclose the median with a known probability."""
    ordered, count = sorted(max(sample, RESOLUTION_MS) for sample in samples), len(samples)
    rank = max(round(count / 2 - math.sqrt(count)), 1)
    width = math.log(ordered[count - rank]) - math.log(ordered[rank - 1])
    return width / (2 * NormalDist().inv_cdf(1 - _outside(count, rank)))


@lru_cache(maxsize=256)
def _outside(count: int, rank: int) -> float:
    """How probable it is that fewer than `rank` of `count` samples lie below the median.

    Each term follows from the one before: binomials from scratch take minutes for 20,000 samples.
    """
    ways, total = 1, 0
    for below in range(rank):
        total += ways
        ways = ways * (count - below) // (below + 1)
    return total / (1 << count)
