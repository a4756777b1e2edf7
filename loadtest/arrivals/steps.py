"""Steps and spikes: a rate for some seconds, then another one. "10:5,100:1,10:5" is a spike of a second.

>>> steps_of("10:5,50:5")
[Step(rate_per_s=10.0, seconds=5.0), Step(rate_per_s=50.0, seconds=5.0)]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from loadtest.arrivals.limits import check_count, check_rate
from loadtest.arrivals.schedules import Schedule, even, poisson
from loadtest.errors import LoadRefused


class Step(NamedTuple):
    """A constant mean rate."""

    rate_per_s: float
    seconds: float


def steps_of(text: str) -> list[Step]:
    """The steps in "rate:seconds,rate:seconds". Raises LoadRefused with the place of what is wrong."""
    found = []
    for number, part in enumerate(text.split(","), start=1):
        rate, colon, seconds = part.partition(":")
        try:
            step = Step(float(rate), float(seconds))
        except ValueError:
            missing = "" if colon else " It has no colon."
            raise LoadRefused(
                f"Step {number} of --steps, `{part.strip()}`, is not rate:seconds.{missing} "
                "Write for example 10:5,100:1,10:5."
            ) from None
        check_rate(*step)
        found.append(step)
    check_count(sum(step.rate_per_s * step.seconds for step in found), f"--steps {text}")
    return found


def stepped(steps: Sequence[Step], seed: int | None = None) -> Schedule:
    """The requests of all steps, one after another: even, or with a seed as of independent users."""
    schedule: Schedule = []
    start_s = 0.0
    for number, step in enumerate(steps):
        due_s = even(*step) if seed is None else poisson(*step, seed + number)
        schedule += [start_s + due for due in due_s]
        start_s += step.seconds
    return schedule
