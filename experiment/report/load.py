"""points_of(): from the stored trials of a load test to the points of a curve. Pure arithmetic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

from experiment.records import LoadPoint, LoadTrial, Validity
from experiment.report.statistics import latency_stats

DEFAULT_PERCENTILE = 99
ENDED_EARLY = (
    "A trial ended early because too many requests were late: in more time they would have been later still."
)


def points_of(trials: Iterable[LoadTrial], limit_ms: float, percentile: int | None) -> tuple[LoadPoint, ...]:
    """One point for each rate, the lowest first. `percentile` (99 where None) may reach `limit_ms`.

    A trial in which the generator was late says nothing of the backend. Its rate is INVALID if no other trial
    has it, else only those others count.
    """
    ordered = sorted(trials, key=lambda trial: trial.offered_per_s)
    groups = groupby(ordered, key=lambda trial: trial.offered_per_s)
    allowed = 100 - (percentile or DEFAULT_PERCENTILE)
    return tuple(_point(rate_per_s, list(group), limit_ms, allowed) for rate_per_s, group in groups)


def _point(rate_per_s: float, trials: Sequence[LoadTrial], limit_ms: float, allowed: int) -> LoadPoint:
    """`allowed`: how many of 100 requests may be over the limit."""
    used = [trial for trial in trials if not trial.not_used] or trials
    counted = [(trial, number) for trial in used for number in _numbers(trial) if _is_settled(trial, number)]
    rest = [
        (trial, number)
        for trial in trials
        for number in _numbers(trial)
        if trial not in used or not _is_settled(trial, number)
    ]
    samples_ms = tuple(trial.latency_ms[n] for trial, n in counted if _cause(trial, n) is None)
    failures = len(counted) - len(samples_ms)
    over_limit = failures + sum(sample_ms > limit_ms for sample_ms in samples_ms)
    seconds = max(sum(trial.seconds - trial.settled_s for trial in used), 1e-6)
    right = [trial.right[n] for trial, n in counted if trial.right and _cause(trial, n) is None]
    stats, (validity, reasons) = latency_stats(samples_ms), _verdict(used)
    return LoadPoint(
        offered_per_s=rate_per_s,
        achieved_per_s=len(samples_ms) / seconds,
        goodput_per_s=sum(map(bool, right)) / seconds if any(each is not None for each in right) else None,
        seconds=seconds,
        trials=len(used),
        count=len(counted),
        failures=failures,
        over_limit=over_limit,
        p50_ms=stats["p50_ms"],
        p90_ms=stats["p90_ms"],
        p99_ms=stats["p99_ms"],
        max_ms=stats["max_ms"],
        keeps_limit=bool(counted) and 100 * over_limit <= allowed * len(counted),
        validity=validity,
        reasons=reasons,
        causes=dict(Counter(cause for trial, n in counted if (cause := _cause(trial, n))).most_common()),
        late_max_ms=max((trial.late_ms[n] for trial, n in counted), default=0.0),
        samples_ms=samples_ms,
        uncounted_ms=tuple(trial.latency_ms[n] for trial, n in rest if _cause(trial, n) is None),
    )


def _numbers(trial: LoadTrial) -> range:
    return range(len(trial.due_s))


def _is_settled(trial: LoadTrial, number: int) -> bool:
    return trial.due_s[number] >= trial.settled_s


def _cause(trial: LoadTrial, number: int) -> str | None:
    """Of a failed request."""
    return trial.causes[number] if trial.causes else None


def _verdict(used: Sequence[LoadTrial]) -> tuple[Validity, tuple[str, ...]]:
    late = tuple(dict.fromkeys(trial.not_used for trial in used if trial.not_used))
    if late:
        return "INVALID", late
    return ("NOISY", (ENDED_EARLY,)) if any(trial.stopped for trial in used) else ("VALID", ())
