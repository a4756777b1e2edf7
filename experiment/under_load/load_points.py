"""points_of(): from the stored trials of a load test to the points of a curve. Pure arithmetic."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, compress, groupby, repeat

from experiment.records import LoadPoint, LoadTrial, Validity
from experiment.report.statistics import percentiles

DEFAULT_PERCENTILE = 99
ENDED_EARLY = (
    "A trial ended early because too many requests were late: in more time they would have been later still."
)


@dataclass(frozen=True, slots=True)
class Requests:
    """What came of some requests of a trial."""

    answered_ms: tuple[float, ...]  # in the order they were due
    causes: Mapping[str, int]  # of failures -> how many
    right: int | None  # answers; None: it is not known of any which are right
    late_max_ms: float

    @property
    def count(self) -> int:
        """All of them."""
        return len(self.answered_ms) + sum(self.causes.values())


@dataclass(frozen=True, slots=True)
class TrialPart:
    """What a curve needs of a trial: a third of its memory, for a load may have a million requests."""

    offered_per_s: float
    settled: Requests
    filling: Requests  # those while the queue was still filling
    seconds: float  # of the settled ones
    stopped: bool
    not_used: str | None


def part_of(trial: LoadTrial) -> TrialPart:
    """The part of a trial that a curve needs."""
    first = bisect_left(trial.due_s, trial.settled_s)
    return TrialPart(
        offered_per_s=trial.offered_per_s,
        settled=_requests(trial, slice(first, None)),
        filling=_requests(trial, slice(None, first)),
        seconds=trial.seconds - trial.settled_s,
        stopped=trial.stopped is not None,
        not_used=trial.not_used,
    )


def _requests(trial: LoadTrial, which: slice) -> Requests:
    latency_ms, causes = trial.latency_ms[which], trial.causes[which] or repeat(None)
    answered = [cause is None for _, cause in zip(latency_ms, causes, strict=False)]
    right = list(compress(trial.right[which], answered))
    return Requests(
        answered_ms=tuple(compress(latency_ms, answered)),
        causes=Counter(cause for cause in trial.causes[which] if cause is not None),
        right=sum(map(bool, right)) if any(each is not None for each in right) else None,
        late_max_ms=max(trial.late_ms[which], default=0.0),
    )


def points_of(trials: Iterable[TrialPart], limit_ms: float, percentile: int | None) -> tuple[LoadPoint, ...]:
    """One point for each rate, the lowest first. `percentile` (99 where None) may reach `limit_ms`.

    A trial in which the generator was late says nothing of the backend. Its rate is INVALID if no other trial
    has it, else only those others count.
    """
    ordered = sorted(trials, key=lambda trial: trial.offered_per_s)
    groups = groupby(ordered, key=lambda trial: trial.offered_per_s)
    allowed = 100 - (percentile or DEFAULT_PERCENTILE)
    return tuple(_point(rate_per_s, list(group), limit_ms, allowed) for rate_per_s, group in groups)


def _point(rate_per_s: float, trials: Sequence[TrialPart], limit_ms: float, allowed: int) -> LoadPoint:
    """`allowed`: how many of 100 requests may be over the limit."""
    used = [trial for trial in trials if not trial.not_used] or trials
    counted = [trial.settled for trial in used]
    rest = [trial.filling for trial in trials]
    rest += [trial.settled for trial in trials if trial.not_used] if len(used) < len(trials) else []
    samples_ms = _joined(counted)
    count = sum(requests.count for requests in counted)
    over_limit = count - sum(sample_ms <= limit_ms for sample_ms in samples_ms)
    seconds = max(sum(trial.seconds for trial in used), 1e-6)
    right = [requests.right for requests in counted if requests.right is not None]
    stats, (validity, reasons) = percentiles(samples_ms), _verdict(used)
    return LoadPoint(
        offered_per_s=rate_per_s,
        achieved_per_s=len(samples_ms) / seconds,
        goodput_per_s=sum(right) / seconds if right else None,
        seconds=seconds,
        trials=len(used),
        count=count,
        failures=count - len(samples_ms),
        over_limit=over_limit,
        p50_ms=stats["p50_ms"],
        p90_ms=stats["p90_ms"],
        p99_ms=stats["p99_ms"],
        max_ms=stats["max_ms"],
        keeps_limit=bool(count) and 100 * over_limit <= allowed * count,
        validity=validity,
        reasons=reasons,
        causes=_causes(counted),
        late_max_ms=max(requests.late_max_ms for requests in counted),
        samples_ms=samples_ms,
        uncounted_ms=_joined(rest),
        uncounted_causes=_causes(rest),
    )


def _joined(parts: Iterable[Requests]) -> tuple[float, ...]:
    return tuple(chain.from_iterable(requests.answered_ms for requests in parts))


def _causes(parts: Iterable[Requests]) -> dict[str, int]:
    """Of failed requests -> how many, the most frequent first."""
    return dict(sum((Counter(requests.causes) for requests in parts), Counter[str]()).most_common())


def _verdict(used: Sequence[TrialPart]) -> tuple[Validity, tuple[str, ...]]:
    late = tuple(dict.fromkeys(trial.not_used for trial in used if trial.not_used))
    if late:
        return "INVALID", late
    return ("NOISY", (ENDED_EARLY,)) if any(trial.stopped for trial in used) else ("VALID", ())
