"""trial_of(): what one load at a fixed rate says, and whether it says anything of the target."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from experiment.wording import count, milliseconds
from loadtest.records import Sample, Taken
from loadtest.search.records import Trial

# The queue that fits to a rate takes some time to build up from an empty one.
SETTLE_LIMITS = 5.0  # times the limit,
SETTLE_PART = 0.25  # but at most this part of the trial
# A burst of requests that were sent late together waits in the target as well: a delay may count twice.
DELAY_COUNTS = 2.0
MOST_CPU_PERCENT = 90.0  # of the one core that the generator can use
LEAST_S = 0.5  # CPU time says little of a load that was over sooner


def trial_of(taken: Taken, rate_per_s: float, planned_s: float, limit_ms: float, share: float) -> Trial:
    """The trial, with `not_used` if the generator and not the target may have decided it.

    `share` (0..1) of the requests may be over the limit; that many may be over it by the generator's delay.
    """
    last_due_s = max((sample.due_s for sample in taken.samples), default=0.0)
    lasted_s = min(planned_s, last_due_s) if taken.stopped else planned_s
    return Trial(
        offered_per_s=rate_per_s,
        planned_s=planned_s,
        settled_s=min(SETTLE_LIMITS * limit_ms / 1e3, SETTLE_PART * lasted_s),
        taken=replace(taken, samples=tuple(taken.samples)),
        not_used=_why_not_used(taken, limit_ms, share),
    )


def _why_not_used(taken: Taken, limit_ms: float, share: float) -> str | None:
    if not taken.samples:
        return "No request was sent."
    if not any(sample.ok for sample in taken.samples):
        return "Nothing was answered."
    late = _late_by_delay(taken.samples, limit_ms)
    if late > max(share * len(taken.samples), 1):
        return (
            f"The generator was late, by up to {milliseconds(taken.generator.late_max_ms)}: without that "
            f"{late:,} of {count(len(taken.samples), 'request')} may have been within the limit."
        )
    if taken.generator.cpu_percent > MOST_CPU_PERCENT and taken.seconds >= LEAST_S:
        return f"The generator used {taken.generator.cpu_percent:.0f} % of the one core that it can use."
    return None


def _late_by_delay(samples: Sequence[Sample], limit_ms: float) -> int:
    """Requests over the limit that might not be without delays of the generator.

    What counts is the largest delay of those that were due less than the limit before.
    """
    late, recent = 0, deque[tuple[float, float]]()  # due_s and delay_ms, the largest delay first
    for sample in samples:
        delay_ms = (sample.sent_s - sample.due_s) * 1e3
        while recent and recent[-1][1] <= delay_ms:
            recent.pop()
        recent.append((sample.due_s, delay_ms))
        while recent[0][0] < sample.due_s - limit_ms / 1e3:
            recent.popleft()
        over_ms = sample.latency_ms - limit_ms
        late += sample.ok and 0 < over_ms <= DELAY_COUNTS * recent[0][1]
    return late
