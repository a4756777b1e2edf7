"""capacity_of(): from the trials of a search to what may be said of the target's capacity."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from experiment.records import Validity
from experiment.report.statistics import SAMPLES_FOR_P90, SAMPLES_FOR_P99, percentile
from experiment.under_load import load_points
from experiment.wording import bounds, count, milliseconds, number
from loadtest.records import Sample
from loadtest.search.adaptive import FLOORS, NEAR, SHARES, TOO_HIGH, posterior, used
from loadtest.search.edge import Edge
from loadtest.search.records import Capacity, CutOff, Limits, Outcome, Point, Target, Trial

LOW, MIDDLE, HIGH = 0.025, 0.5, 0.975  # quantiles of a 95 % interval
MOST_DELAY_MS = 1.0  # of the generator, that 99 % of the requests keep,
MOST_DELAY_OF_LIMIT = 0.05  # or this part of the limit, if that is more
HARDLY = 0.25  # of the share that may be late
P90_OF_LESS = (
    f"p90 instead of p99: the search ended before it had the {SAMPLES_FOR_P99} requests near the capacity "
    "that p99 needs."
)
WHY_UNKNOWN: Mapping[CutOff, str] = {"cancelled": "stopped", "no_answer": "the target stopped answering"}
FAR = 1.4  # the edge is this factor beyond every rate that was tried: it was not found


def unmeasured(limits: Limits, target: Target, outcome: Outcome, sentence: str, spent_s: float) -> Capacity:
    """The capacity of a target to which no load was offered."""
    return Capacity(outcome=outcome, sentence=sentence, limits=limits, target=target, spent_s=spent_s)


def capacity_of(
    limits: Limits,
    target: Target,
    trials: Sequence[Trial],
    spent_s: float,
    why_ended: str | None = None,
    cut_off: CutOff | None = None,
) -> Capacity:
    """The capacity with its interval, or why there is none; everything measured is kept.

    `target` has answered: both of its figures are known. `why_ended` and `cut_off` are those of a search that
    ended before its budget was spent.
    """
    points = points_of(used(trials), limits.limit_ms)
    unusable = [trial for trial in trials if trial.not_used]
    reasons = [why_ended] if why_ended else []
    if unusable:
        reasons.append(
            f"{len(unusable):,} of {count(len(trials), 'trial')} were not used. {unusable[0].not_used}"
        )
    validity: Validity = "INVALID" if not points else "NOISY" if 2 * len(unusable) > len(trials) else "VALID"
    if delay := _delay(trials, limits.limit_ms):
        reasons.append(delay)
        validity = "NOISY" if validity == "VALID" else validity
    found, more = _found(limits, target, trials, points)
    if cut_off is not None:
        found |= _cut_off(found, cut_off)
        more = [P90_OF_LESS] if more else []
        validity = "NOISY" if validity == "VALID" else validity
    return Capacity(
        limits=limits,
        target=target,
        knee_per_s=knee_of(points),
        points=points,
        trials=tuple(trials),
        spent_s=spent_s,
        validity=validity,
        reasons=(*reasons, *more),
        **found,
    )


def _cut_off(found: Mapping[str, Any], cut_off: CutOff) -> dict[str, Any]:
    """What has to be said otherwise of a search that ended before its budget was spent."""
    if found["outcome"] == "found":
        return {}
    if found["outcome"] == "at_least":
        kept_up = found["sentence"].partition(": ")[0]
        return {"sentence": f"{kept_up}: the search ended before a rate was too high"}
    return {"outcome": cut_off, "sentence": f"unknown: {WHY_UNKNOWN[cut_off]} before the capacity was found"}


def _delay(trials: Sequence[Trial], limit_ms: float) -> str | None:
    """A sentence, if delays of the generator are a part of the latencies that counts."""
    late_ms = [
        (sample.sent_s - sample.due_s) * 1e3 for trial in used(trials) for sample in trial.taken.samples
    ]
    if not late_ms or percentile(late_ms, 99) <= max(MOST_DELAY_MS, MOST_DELAY_OF_LIMIT * limit_ms):
        return None
    delay = milliseconds(percentile(late_ms, 99))
    return (
        f"The generator sent 1 % of the requests more than {delay} after they were due, and the latencies "
        "contain that: run it on a machine with nothing else to do."
    )


def _found(
    limits: Limits, target: Target, trials: Sequence[Trial], points: Sequence[Point]
) -> tuple[dict[str, Any], list[str]]:
    """The fields of Capacity that say what was found, and reasons."""
    if not any(point.count > point.failures for point in points):
        return _nothing(trials), []
    unloaded_ms, scale_per_s = target.unloaded_ms or 0.0, target.closed_loop_per_s or 1.0
    for percent in (99, 90):
        edge = posterior(trials, limits.limit_ms, unloaded_ms, scale_per_s, SHARES[percent])
        per_s, words = edge.quantile(MIDDLE), f"p{percent} ≤ {limits.limit_ms:,.15g} ms"
        highest = points[-1]
        if _is_beyond(per_s, points, percent):
            return _at_least(highest, _unit(target), words, percent), []
        near = sum(point.count for point in points if 1 / NEAR <= point.offered_per_s / per_s <= NEAR)
        too_late = TOO_HIGH * SHARES[percent] * points[0].count
        if per_s * NEAR < points[0].offered_per_s and points[0].over_limit > too_late:
            return _not_met(points[0], _unit(target), words, percent), []
        if near >= FLOORS[percent]:
            reasons = [] if percent == 99 else [_why_p90(limits, near, per_s, _unit(target))]
            return _with_rate(target, edge, points, words, percent), reasons
    return _too_few(limits, trials, points), []


def _unit(target: Target) -> str:
    """ "requests/s", "requests/s of 8"."""
    return "requests/s" + (f" of {target.batch}" if target.batch > 1 else "")


def _with_rate(
    target: Target, edge: Edge, points: Sequence[Point], words: str, percentile: int
) -> dict[str, Any]:
    low, per_s, high = (edge.quantile(part) for part in (LOW, MIDDLE, HIGH))
    right_share = _right_share(points, high, target.batch)
    return {
        "outcome": "found",
        "sentence": f"at most {number(per_s)} {_unit(target)} at {words} (95 %: {bounds(low, high)})",
        "percentile": percentile,
        "per_s": per_s,
        "low_per_s": low,
        "high_per_s": high,
        "right_share": right_share,
        "right_per_s": None if right_share is None else right_share * per_s * target.batch,
        "per_core_per_s": per_s / target.cores if target.cores else None,
    }


def _is_beyond(per_s: float, points: Sequence[Point], percent: int) -> bool:
    """Whether the edge `per_s` is a guess, beyond every rate that was tried.

    The highest rates have enough requests for the percentile and keep it; either the edge is far from them,
    or hardly anything was late at any rate, so that nothing says where the edge is.
    """
    high = [point for point in points if point.offered_per_s * NEAR >= points[-1].offered_per_s]
    made, late = sum(point.count for point in high), sum(point.over_limit for point in high)
    most_late = max(point.over_limit / point.count for point in points if point.count)
    is_guess = per_s > FAR * points[-1].offered_per_s or most_late < HARDLY * SHARES[percent]
    return is_guess and made >= FLOORS[percent] and late <= SHARES[percent] * made


def _at_least(highest: Point, unit: str, words: str, percentile: int) -> dict[str, Any]:
    kept_up = f"at least {number(highest.offered_per_s)} {unit} at {words}"
    return {
        "outcome": "at_least",
        "sentence": f"{kept_up}: no rate that was tried was too high",
        "percentile": percentile,
        "low_per_s": highest.offered_per_s,
    }


def _not_met(lowest: Point, unit: str, words: str, percentile: int) -> dict[str, Any]:
    late = f"{lowest.over_limit:,} of {count(lowest.count, 'request')} failed or took longer"
    return {
        "outcome": "not_met",
        "sentence": (
            f"none at {words}: already at {number(lowest.offered_per_s)} {unit}, the lowest rate that "
            f"was tried, {late}"
        ),
        "percentile": percentile,
    }


def _too_few(limits: Limits, trials: Sequence[Trial], points: Sequence[Point]) -> dict[str, Any]:
    made, unusable = sum(point.count for point in points), sum(bool(trial.not_used) for trial in trials)
    if 2 * unusable > len(trials):
        late = f"{unusable} of {count(len(trials), 'trial')} could not be used, and p90 needs"
        sentence = f"unknown: {late} {SAMPLES_FOR_P90} requests near the limit"
        return {"outcome": "too_few", "sentence": sentence}
    enough_s = math.ceil(limits.budget_s * 2 * SAMPLES_FOR_P90 / made / 10) * 10  # half of them near the edge
    enough_s = max(enough_s, math.ceil(2 * limits.budget_s))
    return {
        "outcome": "too_few",
        "sentence": (
            f"unknown: p90 needs {SAMPLES_FOR_P90} requests near the limit, and {count(made, 'request')} "
            f"could be made in {limits.budget_s:g} s. Allow about {enough_s:,} s"
        ),
    }


def _nothing(trials: Sequence[Trial]) -> dict[str, Any]:
    if any(sample.ok for trial in trials for sample in trial.samples):
        return {"outcome": "too_few", "sentence": "unknown: the generator was late in every trial"}
    return {"outcome": "no_answer", "sentence": "unknown: no request under load was answered"}


def _why_p90(limits: Limits, near: int, per_s: float, unit: str) -> str:
    needed_s = math.ceil(limits.budget_s * SAMPLES_FOR_P99 / near / 10) * 10
    return (
        f"p90 instead of p99: p99 needs {SAMPLES_FOR_P99} requests near {number(per_s)} {unit}, and "
        f"{limits.budget_s:g} s were enough for {near}. Allow about {needed_s:,} s for p99."
    )


def _right_share(points: Iterable[Point], most_per_s: float, batch: int) -> float | None:
    """Of images at rates up to `most_per_s`, those answered with the right label; None: not known."""
    known = [point for point in points if point.right is not None and point.offered_per_s <= most_per_s]
    total = batch * sum(point.count for point in known)
    return sum(point.right or 0 for point in known) / total if total else None


def points_of(trials: Iterable[Trial], limit_ms: float) -> tuple[Point, ...]:
    """The curve: trials at the same rate are one point."""
    ordered = sorted(trials, key=lambda trial: trial.offered_per_s)
    groups = groupby(ordered, key=lambda trial: trial.offered_per_s)
    return tuple(_point(list(group), limit_ms) for _, group in groups)


def _point(trials: Sequence[Trial], limit_ms: float) -> Point:
    """A report's point of these trials, with what only a search needs."""
    (found,) = load_points.points_of(map(_part, trials), limit_ms, None)
    samples = [sample for trial in trials for sample in trial.counted]
    right = [sample.right for sample in samples if sample.right is not None]
    return Point(
        offered_per_s=found.offered_per_s,
        achieved_per_s=found.achieved_per_s,
        right=sum(right) if right else None,
        goodput_per_s=found.goodput_per_s,
        count=found.count,
        failures=found.failures,
        over_limit=found.over_limit,
        p50_ms=found.p50_ms,
        p90_ms=found.p90_ms,
        p99_ms=found.p99_ms,
        in_flight_max=max((sample.in_flight for sample in samples), default=0),
        trials=found.trials,
        stopped=any(trial.stopped for trial in trials),
        causes=found.causes,
    )


def _part(trial: Trial) -> load_points.TrialPart:
    settled, filling = trial.counted, [each for each in trial.samples if each.due_s < trial.settled_s]
    return load_points.TrialPart(
        offered_per_s=trial.offered_per_s,
        settled=_requests(settled),
        filling=_requests(filling),
        seconds=trial.seconds - trial.settled_s,
        stopped=trial.stopped is not None,
        not_used=trial.not_used,
    )


def _requests(samples: Sequence[Sample]) -> load_points.Requests:
    right = [sample.right for sample in samples if sample.right is not None]
    return load_points.Requests(
        answered_ms=tuple(sample.latency_ms for sample in samples if sample.ok),
        causes=Counter(sample.cause or "unknown" for sample in samples if not sample.ok),
        right=sum(right) if right else None,
        late_max_ms=max((1e3 * (sample.sent_s - sample.due_s) for sample in samples), default=0.0),
    )


def knee_of(points: Sequence[Point]) -> float | None:
    """The rate with the most answers per second for each ms of p50; None below three points.

    Kleinrock's power, "Power and deterministic rules of thumb for probabilistic problems in computer
    communications" (1979): below the knee more load costs little time, above it time buys little load.
    """
    sound = [point for point in points if point.p50_ms]
    if len(sound) < 3:
        return None
    return max(sound, key=lambda point: point.achieved_per_s / (point.p50_ms or 1.0)).offered_per_s
