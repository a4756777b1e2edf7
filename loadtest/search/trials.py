"""trial_of(): what one load at a fixed rate says, and whether it says anything of the target."""

from __future__ import annotations

from dataclasses import replace

from experiment.wording import count, milliseconds
from loadtest.records import Taken
from loadtest.search.records import Trial

# The queue that fits to a rate takes some time to build up from an empty one.
SETTLE_LIMITS = 5.0  # times the limit,
SETTLE_PART = 0.25  # but at most this part of the trial
MOST_LATE_MS = 1.0  # that a request may be sent after it was due,
MOST_LATE_OF_LIMIT = 0.05  # or this part of the limit, if that is more
MOST_CPU_PERCENT = 90.0  # of the one core that the generator can use
LEAST_S = 0.5  # CPU time says little of a load that was over sooner


def trial_of(taken: Taken, rate_per_s: float, planned_s: float, limit_ms: float, share: float) -> Trial:
    """The trial, with `not_used` if the generator and not the target may have set its latencies.

    `share` (0..1) of the requests may be over the limit, so that many may be late as well: their delay is in
    latencies that do not matter.
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
    allowed_ms = max(MOST_LATE_MS, MOST_LATE_OF_LIMIT * limit_ms)
    late = sum((sample.sent_s - sample.due_s) * 1e3 > allowed_ms for sample in taken.samples)
    if late > max(share * len(taken.samples), 1):
        return (
            f"The generator was late: it sent {late:,} of {count(len(taken.samples), 'request')} more than "
            f"{milliseconds(allowed_ms)} after they were due."
        )
    if taken.generator.cpu_percent > MOST_CPU_PERCENT and taken.seconds >= LEAST_S:
        return f"The generator used {taken.generator.cpu_percent:.0f} % of the one core that it can use."
    return None
