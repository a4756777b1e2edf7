"""How probable it is to see as much by chance: tails of distributions. Pure arithmetic.

Every p here is one-sided: how often data this far beyond a limit would come if the truth were at the limit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

NORMAL = NormalDist()
EXACT_UP_TO = 100  # differences, for the distribution of their signed ranks
MOST_DIFFERENCES = 1000  # more are averaged in groups of neighbours: all pairs of them are looked at


def binomial_at_most(count: int, total: int, share: float) -> float:
    """How probable at most `count` hits of `total` are, each with probability `share` (between 0 and 1)."""
    return (
        1.0 if count >= total else min(1.0, math.fsum(_hits(hits, total, share) for hits in range(count + 1)))
    )


def _hits(hits: int, total: int, share: float) -> float:
    """How probable exactly so many are."""
    ways = math.lgamma(total + 1) - math.lgamma(hits + 1) - math.lgamma(total - hits + 1)
    return math.exp(ways + hits * math.log(share) + (total - hits) * math.log1p(-share))


@lru_cache(maxsize=256)
def quantile_ranks(total: int, share: float) -> tuple[int | None, int | None]:
    """Ranks (1 is the smallest) of the samples that enclose a quantile with 95 %, of any distribution.

    None: so few samples have no such end. 20 give (6, 15) for the median, and (15, None) for p90.
    """
    low, high, below = None, None, 0.0
    for rank in range(1, total + 1):
        below += _hits(rank - 1, total, share)  # that fewer than `rank` samples are below the quantile
        if below <= 0.025:
            low = rank
        if below >= 0.975:
            high = rank
            break
    return low, high


def normal_above(z: float) -> float:
    """How probable a value above `z` standard deviations is."""
    return math.erfc(z / math.sqrt(2)) / 2


def z_of(p: float) -> float:
    """How many standard deviations a value with that tail lies above the mean."""
    return -NORMAL.inv_cdf(min(max(p, 1e-300), 1 - 1e-15))


def student_above(t: float, freedom: int) -> float:
    """How probable a value above `t` is, Student's with so many degrees of freedom.

    The finite sums of Abramowitz and Stegun, 26.7.3 and 26.7.4.
    """
    angle = math.atan(t / math.sqrt(freedom))
    cosine, sine = math.cos(angle), math.sin(angle)
    term, total = (cosine, cosine) if freedom % 2 else (1.0, 1.0)
    for k in range(3 if freedom % 2 else 2, freedom - 1, 2):
        term *= cosine**2 * (k - 1) / k
        total += term
    if freedom % 2 == 0:
        return (1 - sine * total) / 2
    return (1 - 2 / math.pi * (angle + (sine * total if freedom > 1 else 0.0))) / 2


def student_quantile(share: float, freedom: int) -> float:
    """The value that Student's distribution stays below with probability `share` (above 0.5)."""
    low, high = 0.0, 1e6
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if student_above(middle, freedom) > 1 - share else (low, middle)
    return high


def lost_by_chance(gained: int, lost: int, photos: int, limit_share: float) -> float:
    """McNemar's question with a limit: how probable are so many lost if no more than `limit_share` of the
    photos is lost in truth?

    Without a limit it is the exact test. With one, the score test of Tango 1998, Statist. Med. 17:891, and
    never less than the exact test gives for no loss at all, which holds for few photos too.
    """
    exact = binomial_at_most(gained, gained + lost, 0.5)
    return max(exact, normal_above(lost_z(gained, lost, photos, limit_share))) if limit_share else exact


def lost_z(gained: int, lost: int, photos: int, limit_share: float) -> float:
    """Standard deviations by which the photos lost are beyond the limit, as Tango 1998 counts them."""
    half = -gained - lost + (2 * photos - lost + gained) * limit_share
    root = math.sqrt(max(half**2 + 8 * photos * gained * limit_share * (1 - limit_share), 0.0))
    gained_share = (root - half) / (4 * photos)
    spread = math.sqrt(photos * (2 * gained_share + limit_share * (1 - limit_share)))
    return (lost - gained - photos * limit_share) / spread if spread else 0.0


class Shift(NamedTuple):
    """The middle of differences, with its 95 % interval."""

    value: float
    low: float
    high: float


def in_groups(differences: Sequence[float]) -> np.ndarray:
    """At most MOST_DIFFERENCES of them: means of neighbours where there are more."""
    values = np.asarray(differences, dtype=float)
    if len(values) <= MOST_DIFFERENCES:
        return values
    return np.array([part.mean() for part in np.array_split(values, MOST_DIFFERENCES)])


def signed_rank_above(differences: Sequence[float]) -> float:
    """How probable differences at least this far above 0 are, if each might as well have the other sign.

    Wilcoxon 1945, Biometrics Bulletin 1:80; exact for up to EXACT_UP_TO differences.
    """
    values = in_groups(differences)
    values = values[values != 0]
    count = len(values)
    if not count:
        return 1.0
    ranks = np.empty(count, dtype=int)
    ranks[np.argsort(np.abs(values), kind="stable")] = np.arange(1, count + 1)
    above, most = int(ranks[values > 0].sum()), count * (count + 1) // 2
    if count > EXACT_UP_TO:
        spread = math.sqrt(count * (count + 1) * (2 * count + 1) / 24)
        return normal_above((above - 0.5 - most / 2) / spread)
    ways = np.zeros(most + 1)  # of the signs, for each sum of ranks; as shares, so that none overflows
    ways[0] = 1.0
    for rank in range(1, count + 1):
        ways[rank:] += ways[:-rank].copy()
        ways /= 2
    return float(min(1.0, ways[above:].sum()))


def shift_of(differences: Sequence[float]) -> Shift:
    """Hodges and Lehmann's estimate: the median of the means of all pairs. Belongs to signed_rank_above().

    Needs 6 differences for an interval; with fewer it reaches over all of them.
    """
    values = in_groups(differences)
    count = len(values)
    first, second = np.triu_indices(count)
    means = np.sort((values[first] + values[second]) / 2)
    spread = math.sqrt(count * (count + 1) * (2 * count + 1) / 24)
    rank = max(math.floor(count * (count + 1) / 4 - NORMAL.inv_cdf(0.975) * spread), 0)
    return Shift(float(np.median(means)), float(means[rank]), float(means[len(means) - 1 - rank]))
