"""Finding: what a run says about one goal on one cell; and how many more samples would make it clear."""

from __future__ import annotations

import math
from dataclasses import dataclass

from experiment.check.tails import z_of
from experiment.wording import count

ALARM_SHARE = 0.01  # of checks of runs that keep all goals, in which any goal fails by chance
FOUND_SHARE = 0.95  # of tries in which the samples that are asked for are enough
SURE = z_of(0.025)  # the interval that is shown: 95 %
FOUND = z_of(1 - FOUND_SHARE)
MOST_MORE = 1_000_000
NEAR = 0.15  # standard deviations from the limit: no affordable number of samples tells the side


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was measured, beside a limit."""

    measured: str  # "61 ms (58 to 64)"
    is_within: bool  # the 95 % interval is within the limit; of a fact: the goal is kept
    p: float | None = None  # of such data if the goal is kept; None: a fact, not a sample
    samples: int = 0
    noun: str = "repeat"
    z: float | None = None  # standard deviations beyond the limit; None: as `p` says
    doubt: str = ""  # why it says nothing either way; "" is none
    advice: str | None = None  # what would make it clear; None: more samples

    def unclear_words(self, comparisons: int) -> str:
        """Why it is not clear, and what would make it so."""
        if self.doubt or self.advice is not None:
            return self.doubt or self.advice or ""
        more = more_needed(self.samples, z_of(self.p or 0.0) if self.z is None else self.z, comparisons)
        if more is None:
            return f"Too close to the limit for any number of {self.noun}s to tell."
        return f"About {count(more, f'more {self.noun}')} would tell, if it is as it looks."


def fact(measured: str, is_within: bool) -> Finding:
    """Something that is so, whatever chance does."""
    return Finding(measured=measured, is_within=is_within)


def more_needed(samples: int, z: float, comparisons: int) -> int | None:
    """How many samples more make a goal fail or pass in 95 of 100 tries, if the truth is as it
    looks; None: too many."""
    if abs(z) < NEAR or not samples:
        return None
    wanted = (z_of(ALARM_SHARE / max(comparisons, 1)) if z > 0 else SURE) + FOUND
    more = max(math.ceil(samples * ((wanted / z) ** 2 - 1)), 1)
    return None if more > MOST_MORE else rounded(more)


def rounded(number: int) -> int:
    """Two digits that count, rounded up."""
    step: int = 10 ** max(len(str(number)) - 2, 0)
    return -(-number // step) * step
