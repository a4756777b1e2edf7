"""What a run says about fixed limits: times, bytes, answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from experiment.check.cells import CheckedCell, NotJudged
from experiment.check.findings import Finding, fact
from experiment.check.tails import binomial_at_most, lost_by_chance, lost_z, quantile_ranks
from experiment.records import Share
from experiment.report.statistics import percentile
from experiment.wording import bounds, count, milliseconds, number, percent, share_words, short_label

ALWAYS = "it is the original itself"


def quantile(cell: CheckedCell, limit_ms: float, share: float) -> Finding:
    """Whether a share of the requests took no longer than the limit.

    The number of samples below a limit is binomial, whatever their distribution. A request that failed or was
    not sent counts as longer than any limit.
    """
    times_ms = sorted([*cell.cell.samples_ms, *[math.inf] * cell.cell.unanswered])
    total = len(times_ms)
    kept = sum(time_ms <= limit_ms for time_ms in times_ms)
    return Finding(
        measured=_times(cell, times_ms, share),
        is_within=not cell.doubt and _interval(times_ms, share)[1] <= limit_ms,
        p=binomial_at_most(kept, total, share),
        samples=total,
        noun=cell.noun,
        z=_below(kept, total, share),
        doubt=cell.doubt,
    )


def _times(cell: CheckedCell, times_ms: Sequence[float], share: float) -> str:
    """ "61 ms (58 to 64)"."""
    unanswered = cell.cell.unanswered
    failed = f"; {unanswered} of {count(len(times_ms), 'request')} got no answer" if unanswered else ""
    middle = (
        times_ms[math.ceil(len(times_ms) * share) - 1] if unanswered else percentile(times_ms, 100 * share)
    )
    low, high = _interval(times_ms, share)
    if not math.isfinite(middle):
        return f"no time{failed}"
    interval = bounds(low, high) if math.isfinite(high) else f"{number(low)} or more"
    return f"{milliseconds(middle)} ({interval}){failed}"


def _interval(ordered: Sequence[float], share: float) -> tuple[float, float]:
    """The 95 % interval of a quantile; an end that so few samples don't have is 0 or infinite."""
    low, high = quantile_ranks(len(ordered), share)
    return ordered[low - 1] if low else 0.0, ordered[high - 1] if high else math.inf


def size(cell: CheckedCell, limit_bytes: float) -> Finding:
    """Bytes are counted, not sampled. Of a set: the median of its photos."""
    size_bytes = cell.variant.size_bytes
    return fact(f"{size_bytes:,} bytes", size_bytes <= limit_bytes)


def at_least(found: Share | None, limit_percent: float, missing: str) -> Finding:
    """A share of photos, as a sample of all photos of their kind; 100 % is about these photos alone."""
    if found is None:
        raise NotJudged(missing)
    if limit_percent == 100:
        return fact(f"{found.count:,} of {found.total:,} photos", found.count == found.total)
    return Finding(
        measured=share_words(found),
        is_within=100 * found.low >= limit_percent,
        p=binomial_at_most(found.count, found.total, limit_percent / 100),
        samples=found.total,
        noun="photo",
        z=_below(found.count, found.total, limit_percent / 100),
    )


def _below(count: int, total: int, share: float) -> float:
    """Standard deviations; the tail of few whole numbers would plan for too many more."""
    return (share * total - count) / math.sqrt(total * share * (1 - share))


def agreement(cell: CheckedCell, limit_percent: float) -> Finding:
    """Same answers as those to the originals."""
    if cell.variant.is_reference:
        return fact(ALWAYS, True)
    _needs_set(cell, "min_agreement_percent", "same_answer = true")
    over = cell.cell.over_photos
    missing = f"No photo was answered both as {cell.variant.id} and as the original."
    return at_least(over.agreement if over else None, limit_percent, missing)


def top1(cell: CheckedCell, limit_percent: float) -> Finding:
    """Right answers."""
    _needs_set(cell, "min_top1_percent", "right_answer = true")
    over = cell.cell.over_photos
    return at_least(over.top1 if over else None, limit_percent, _unlabelled(cell))


def lost(cell: CheckedCell, limit_points: float) -> Finding:
    """Right answers that only the original gets, less those that only this variant gets."""
    if cell.variant.is_reference:
        return fact(ALWAYS, True)
    _needs_set(cell, "max_accuracy_lost_points", "right_answer = true")
    over = cell.cell.over_photos
    found = over.difference if over else None
    if found is None:
        raise NotJudged(_unlabelled(cell))
    return Finding(
        measured=lost_words(-found.points, -found.high_points, -found.low_points),
        is_within=-found.low_points <= limit_points,
        p=lost_by_chance(found.gained, found.lost, found.photos, limit_points / 100),
        z=lost_z(found.gained, found.lost, found.photos, limit_points / 100),
        samples=found.photos,
        noun="photo",
    )


def lost_words(lost_points: float, low: float, high: float) -> str:
    """ "1.6 points lost (0.2 to 3.0)"; a gain is a negative loss."""
    return f"{lost_points + 0.0:.1f} points lost ({low + 0.0:.1f} to {high + 0.0:.1f})"


def same_answer(cell: CheckedCell, limit: float) -> Finding:
    """One photo: the top answer is that to the original."""
    if cell.variant.is_reference:
        return fact(ALWAYS, True)
    _needs_photo(cell, "same_answer", "min_agreement_percent")
    if cell.cell.same_top1 is None:
        raise NotJudged(f"{cell.name} or the original got no answer.")
    return fact(answer_words(cell), cell.cell.same_top1)


def right_answer(cell: CheckedCell, limit: float) -> Finding:
    """One photo: the top answer is the true label."""
    _needs_photo(cell, "right_answer", "min_top1_percent")
    if cell.cell.correct_top1 is None:
        raise NotJudged("The run has no true label. Give it with --true-label.")
    return fact(answer_words(cell), cell.cell.correct_top1)


def answer_words(cell: CheckedCell) -> str:
    """ "tabby (71 %)"."""
    if not cell.cell.top:
        return "no answer"
    best = cell.cell.top[0]
    return f"{short_label(best.label)} ({percent(best.score)})"


def _unlabelled(cell: CheckedCell) -> str:
    return f"No photo of {cell.name} has a label that the model knows, so its accuracy is not known."


def _needs_set(cell: CheckedCell, key: str, instead: str) -> None:
    if not cell.is_of_set:
        raise NotJudged(
            f"{key} needs a set of photos, and this run is about one. Use {instead} for one photo."
        )


def _needs_photo(cell: CheckedCell, key: str, instead: str) -> None:
    if cell.is_of_set:
        raise NotJudged(f"{key} is for a run of one photo. Use {instead} for a set of photos.")


# Key of GOALS -> what says whether it is kept. Raises NotJudged where the run does not know.
JUDGES: Final[Mapping[str, Callable[[CheckedCell, float], Finding]]] = {
    "max_p50_ms": lambda cell, limit: quantile(cell, limit, 0.5),
    "max_p90_ms": lambda cell, limit: quantile(cell, limit, 0.9),
    "max_size_bytes": size,
    "min_agreement_percent": agreement,
    "min_top1_percent": top1,
    "max_accuracy_lost_points": lost,
    "same_answer": same_answer,
    "right_answer": right_answer,
}
