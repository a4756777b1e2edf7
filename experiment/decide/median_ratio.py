"""The ratio of two medians with its 95 % interval, whatever the distribution.

Price and Bonett, Distribution-free confidence intervals for difference and ratio of medians,
Journal of Statistical Computation and Simulation 72 (2002) 119-124, as R's statpsych computes
it (ci.ratio.median2). No random numbers: the same samples always give the same interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

from experiment.report.statistics import SAMPLES_FOR_INTERVAL, percentile

Z_95 = NormalDist().inv_cdf(0.975)
LEAST_MS = 0.001  # what a latency of 0 stands for: one below the resolution


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
    logarithm = _log_median(first) - _log_median(second)
    error = math.hypot(_error_of_log_median(first), _error_of_log_median(second))
    return Ratio(math.exp(logarithm), math.exp(logarithm - Z_95 * error), math.exp(logarithm + Z_95 * error))


def _log_median(samples: Sequence[float]) -> float:
    return math.log(max(percentile(samples, 50), LEAST_MS))


def _error_of_log_median(samples: Sequence[float]) -> float:
    """Standard error: how far apart two samples lie that enclose the median with a known probability."""
    ordered, count = sorted(max(each, LEAST_MS) for each in samples), len(samples)
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
