"""ratio_of_pairs(): two series that were measured in turns, on a machine that is not always equally fast."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from experiment.records import RESOLUTION_MS
from experiment.report.statistics import Ratio, median_interval


def ratio_of_pairs(first: Sequence[float], second: Sequence[float]) -> Ratio | None:
    """Median of first over second of each pair, with its distribution-free 95 % interval; None below 6 pairs.

    The two of a pair were measured one right after the other, so a machine that becomes slower slows both.
    """
    ratios = [
        max(one, RESOLUTION_MS) / max(two, RESOLUTION_MS) for one, two in zip(first, second, strict=False)
    ]
    interval = median_interval(ratios)
    return Ratio(statistics.median(ratios), *interval) if interval else None
