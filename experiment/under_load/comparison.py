"""The capacities of two runs: how much more one answers, where the intervals can show it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from experiment.figures.section import table_of
from experiment.figures.view import View
from experiment.records import LoadCurve
from experiment.report.statistics import Ratio
from experiment.under_load.capacities import capacity_words, limit_words
from experiment.under_load.figure import curve_name
from experiment.wording import bounds

COLUMNS = ("Variant and backend", "Other run", "This run", "Difference")
TITLE = "Capacity under load, where both runs have it"


@dataclass(frozen=True, slots=True)
class CapacityPair:
    """One cell that both runs put under load."""

    name: str  # of the cell
    this: LoadCurve
    other: LoadCurve

    @property
    def why_not(self) -> str:
        """Why the two can't be compared; "" if they can."""
        both = (self.this, self.other)
        if any(curve.per_s is None for curve in both):
            return "one run found no capacity"
        if any(curve.validity == "INVALID" for curve in both):
            return "one of them is INVALID"
        if limit_words(self.this) != limit_words(self.other):
            limits = f"{limit_words(self.other)} in the other run, {limit_words(self.this)} in this one"
            return f"the limit was {limits}"
        if any(curve.outcome == "at_least" for curve in both):
            return "one of them is only a lower bound"
        return ""

    @property
    def words(self) -> str:
        """ "capacity +8 % (95 %: 5 to 11)"."""
        found = None if self.why_not else ratio_of_capacities(self.this, self.other)
        if found is None:
            return f"not compared: {self.why_not or 'one of them has no interval'}"
        if found.low <= 1 <= found.high:
            return f"no difference we can detect (95 %: {_percent(found.low)} to {_percent(found.high)} %)"
        low, high = sorted((100 * abs(found.low - 1), 100 * abs(found.high - 1)))
        ends = f"{low:.0f} to {high:.0f}" if high - low >= 1 else bounds(low, high)
        return f"capacity {_percent(found.value)} % (95 %: {ends})"


def ratio_of_capacities(this: LoadCurve, other: LoadCurve) -> Ratio | None:
    """This capacity over the other, with the 95 % interval that follows from both intervals.

    Zou and Donner's MOVER on logarithms; it takes the two for independent. None: an interval is missing.
    """
    mine, theirs = (_logarithms(curve) for curve in (this, other))
    if mine is None or theirs is None:
        return None
    middle = mine[1] - theirs[1]
    low = middle - math.hypot(mine[1] - mine[0], theirs[2] - theirs[1])
    high = middle + math.hypot(mine[2] - mine[1], theirs[1] - theirs[0])
    return Ratio(math.exp(middle), math.exp(low), math.exp(high))


def _logarithms(curve: LoadCurve) -> tuple[float, float, float] | None:
    """Of the lower end, the capacity and the upper end."""
    ends = curve.low_per_s, curve.per_s, curve.high_per_s
    if not all(ends):
        return None
    low, middle, high = (math.log(end or 1.0) for end in ends)
    return low, middle, high


def _percent(ratio: float) -> str:
    return f"{100 * (ratio - 1):+.0f}".replace("-0", "0").replace("+0", "0")


def compared_capacities(this: View, other: View) -> list[CapacityPair]:
    """Those that both have."""
    theirs = {curve.key: curve for curve in other.load}
    return [
        CapacityPair(curve_name(curve, this), curve, theirs[curve.key])
        for curve in this.load
        if curve.key in theirs
    ]


def capacity_table(pairs: list[CapacityPair]) -> dict[str, Any]:
    """All of them."""
    rows = [[pair.name, capacity_words(pair.other), capacity_words(pair.this), pair.words] for pair in pairs]
    return table_of(TITLE, COLUMNS, rows)


def doubts(pairs: list[CapacityPair]) -> Iterator[str]:
    """What speaks against a comparison."""
    for pair in pairs:
        if pair.this.shares_machine != pair.other.shares_machine:
            yield f"{pair.name}: in only one of the runs the load generator shared the backend's machine."
