"""Shares of photos, how surely they are known, and whether two of them differ. Pure arithmetic.

Two variants are compared on the same photos, so what counts are the photos that only one of
them gets right: `gained` and `lost`, McNemar's b and c. All intervals are 95 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

Z_95 = 1.959963984540054  # two-sided 95 %
Z_POWER_80 = 0.8416212335729143  # a real difference is found in 80 of 100 tries

Interval = tuple[float, float]


def wilson(count: float, total: int) -> Interval:
    """The score interval of a share, 0..1. Wilson 1927; Newcombe 1998, Statist. Med. 17:857, method 3.

    Raises ZeroDivisionError for no trials.
    """
    share = count / total
    middle = share + Z_95**2 / (2 * total)
    reach = Z_95 * math.sqrt(share * (1 - share) / total + Z_95**2 / (4 * total**2))
    scale = 1 + Z_95**2 / total
    # At both ends the bound is exact; rounding must not push it past them.
    low = 0.0 if count == 0 else (middle - reach) / scale
    return low, 1.0 if count == total else (middle + reach) / scale


def paired_difference(both: int, gained: int, lost: int, neither: int) -> Interval:
    """The interval of (gained - lost) / n, the difference of two shares on the same photos, -1..1.

    Newcombe 1998, Statist. Med. 17:2635, method 10: the Wilson intervals of both shares,
    squared and added, less what they have in common.
    """
    total = both + gained + lost + neither
    first, second = (both + gained) / total, (both + lost) / total
    low_1, high_1 = wilson(both + gained, total)
    low_2, high_2 = wilson(both + lost, total)
    phi = _phi(both, gained, lost, neither)
    down = _joined(first - low_1, high_2 - second, phi)
    up = _joined(high_1 - first, second - low_2, phi)
    difference = (gained - lost) / total
    return max(difference - down, -1.0), min(difference + up, 1.0)


def mcnemar(gained: int, lost: int) -> float:
    """The exact two-sided p of McNemar's test: could as many have been lost as gained?

    McNemar 1947, Psychometrika 12:153, with the binomial distribution in place of chi squared. 1.0 where
    no photo differs.
    """
    total, fewer = gained + lost, min(gained, lost)
    tail = sum(math.comb(total, successes) for successes in range(fewer + 1))
    return min(1.0, float(Fraction(2 * tail, 2**total)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Each p as it stands when all of them are looked at. Holm 1979, Scand. J. Statist. 6:65."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, so_far = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        so_far = max(so_far, min(1.0, p_values[place] * (len(p_values) - rank)))
        adjusted[place] = so_far
    return adjusted


def photos_needed(differing_share: float, difference: float) -> int:
    """Photos with which McNemar's test finds a `difference` (0..1) in 80 of 100 tries, at 5 %.

    `differing_share` of the photos are right in one of the two only; at least the difference
    itself. Connor 1987, Biometrics 43:207.
    """
    differing_share = max(differing_share, difference)
    spread = Z_95 * math.sqrt(differing_share)
    spread += Z_POWER_80 * math.sqrt(max(differing_share - difference**2, 0.0))
    return math.ceil((spread / difference) ** 2)


def photos_to_settle(differing_share: float, gap: float) -> int:
    """Photos whose interval reaches no further than `gap` (0..1) below the difference, in 80 of 100 tries.

    The same sum as photos_needed() for two variants that are equally good.
    """
    return math.ceil(differing_share * ((Z_95 + Z_POWER_80) / gap) ** 2)


def detectable_difference(differing_share: float, total: int) -> float:
    """The smallest difference (0..1) that `total` photos show in 80 of 100 tries; photos_needed() solved."""
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if photos_needed(differing_share, middle) > total else (low, middle)
    return high


def reach(share: float, total: int) -> float:
    """How far the longer arm of the Wilson interval reaches from a `share` seen in `total` photos, 0..1."""
    low, high = wilson(share * total, total)
    return max(share - low, high - share)


def photos_to_know(share: float, within: float) -> int:
    """The fewest photos whose interval of a `share` reaches no further than `within` (0..1); see reach()."""
    few, enough = 0, 1
    while reach(share, enough) > within:
        few, enough = enough, 2 * enough
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (middle, enough) if reach(share, middle) > within else (few, middle)
    return enough


def _phi(both: int, gained: int, lost: int, neither: int) -> float:
    """How alike the two are, -1..1, with Newcombe's correction for small samples."""
    product = (both + gained) * (lost + neither) * (both + lost) * (gained + neither)
    if not product:
        return 0.0
    excess: float = both * neither - gained * lost
    if excess > 0:
        excess = max(excess - (both + gained + lost + neither) / 2, 0.0)
    return excess / math.sqrt(product)


def _joined(first: float, second: float, phi: float) -> float:
    return math.sqrt(max(first**2 - 2 * phi * first * second + second**2, 0.0))
