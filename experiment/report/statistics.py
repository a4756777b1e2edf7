"""What may be said about a handful of samples, and how surely. Pure arithmetic.

Tails need many samples: the floors below are those of MLPerf's early stopping
(inference_rules.adoc, confidence 99 %, tolerance 0). Below a floor the answer is None.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

SAMPLES_FOR_INTERVAL = 6  # with fewer, no two samples enclose the median with 95 %
SAMPLES_FOR_P90 = 64
SAMPLES_FOR_P99 = 662
# An outlier is this many times the median absolute deviation away from the median, 10 standard deviations
# of a normal distribution: hyperfine's rule (outlier_detection.rs), after Iglewicz and Hoaglin (1993).
OUTLIER_DEVIATIONS = 14.826
RESOLUTION_MS = 0.001  # samples are whole microseconds, so no deviation is known finer


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


def outliers(samples_ms: Sequence[float]) -> list[float]:
    """The samples that lie far from all others, in the order they were taken; none below 6 samples."""
    if len(samples_ms) < SAMPLES_FOR_INTERVAL:
        return []
    middle = percentile(samples_ms, 50)
    deviation = max(percentile([abs(each - middle) for each in samples_ms], 50), RESOLUTION_MS)
    return [each for each in samples_ms if abs(each - middle) > OUTLIER_DEVIATIONS * deviation]


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
