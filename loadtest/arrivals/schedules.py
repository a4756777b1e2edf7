"""Schedules: when each request is due, in seconds from the start, in ascending order.

>>> even(4, 1.0)
[0.0, 0.25, 0.5, 0.75]
"""

from __future__ import annotations

import random
from collections.abc import Sequence

Schedule = list[float]


def even(rate_per_s: float, seconds: float) -> Schedule:
    """One request every 1 / rate seconds."""
    return [number / rate_per_s for number in range(round(rate_per_s * seconds))]


def poisson(rate_per_s: float, seconds: float, seed: int) -> Schedule:
    """Independent users: exponential intervals with the mean 1 / rate. A seed gives one schedule."""
    generator, due_s, schedule = random.Random(seed), 0.0, []
    while (due_s := due_s + generator.expovariate(rate_per_s)) < seconds:
        schedule.append(due_s)
    return schedule


def mean_rate(due_s: Sequence[float]) -> float | None:
    """Requests per second from the first to the last, whose own interval is not known; None: all at once."""
    return (len(due_s) - 1) / due_s[-1] if due_s[-1] else None


def burst(requests: int) -> Schedule:
    """All at once."""
    return [0.0] * requests
