"""How a measured figure is printed: its median over the blocks, the 95 % interval, and its target.

A target is met when the bad end of the interval meets it, and missed when even the good end does not.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from experiment.report.statistics import median_interval

WIDTH = 62


def figure(
    name: str,
    samples: Sequence[float],
    unit: str = "",
    at_most: float | None = None,
    at_least: float | None = None,
) -> str:
    """One line."""
    interval = median_interval(samples)
    shown = f"{statistics.median(samples):.3f}{unit and ' ' + unit}"
    spread = f"95 %: {interval[0]:.3f} to {interval[1]:.3f}" if interval else "too few blocks"
    return f"{name:{WIDTH}} {shown} ({spread}){_target(interval, at_most, at_least)}"


def ratios(ones: Sequence[float], others: Sequence[float]) -> list[float]:
    """Block by block, how many times as large as the other."""
    return [one / other for one, other in zip(ones, others, strict=True)]


def _target(interval: tuple[float, float] | None, at_most: float | None, at_least: float | None) -> str:
    if at_most is not None:
        return f", target <= {at_most}: {_verdict(interval, lambda value: value <= at_most)}"
    if at_least is not None:
        return f", target >= {at_least}: {_verdict(interval, lambda value: value >= at_least)}"
    return ""


def _verdict(interval: tuple[float, float] | None, meets: Callable[[float], bool]) -> str:
    if interval is None:
        return "not known"
    ends = [meets(end) for end in interval]
    return "met" if all(ends) else "not sure" if any(ends) else "missed"
