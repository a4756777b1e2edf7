"""What a recommended variant must fulfil over a set of photos.

"No significant difference" proves nothing where photos are few. So a variant has to be shown
not to lose more than a margin: the lower end of the interval of its difference must be above
it (a non-inferiority test). Too few photos then say so, and never pass for good news.
"""

from __future__ import annotations

from experiment.records import Difference, OverPhotos, Plan
from experiment.report.goals import Candidate, Goal, fast_enough, small_enough
from experiment.report.proportions import photos_to_settle
from experiment.wording import beside, count, margin_words, points

# Percentage points that a variant may lose, unless the plan says otherwise. Without labels a
# changed answer is not yet a worse one, so more of them may pass.
MARGIN_POINTS, MARGIN_POINTS_WITHOUT_LABELS = 1.0, 5.0
MOST_FAILED_SHARE = 0.01  # of a cell's requests; more would make its photos another sample
MOST_PHOTOS_NAMED = 10_000_000
ADVICE = "Use more photos, or a wider margin."


def margin_points(plan: Plan, has_labels: bool) -> float:
    """How much a variant may lose."""
    if plan.margin_points is not None:
        return plan.margin_points
    return MARGIN_POINTS if has_labels else MARGIN_POINTS_WITHOUT_LABELS


def set_goals(plan: Plan, has_labels: bool) -> list[Goal]:
    """The goals of a run over a set, those that rule out most first."""
    margin = margin_points(plan, has_labels)
    goals = [_answers_nearly_always()]
    if plan.keep_top1:
        goals.append(_loses_little(margin) if has_labels else _agrees(margin))
    if plan.max_p50_ms is not None:
        goals.append(fast_enough(plan.max_p50_ms))
    if plan.max_size_bytes is not None:
        goals.append(small_enough(plan.max_size_bytes))
    return goals


def _answers_nearly_always() -> Goal:
    return Goal(
        met=lambda each: _failed_share(each) <= MOST_FAILED_SHARE,
        overshoot=_failed_share,
        lack=_unanswered_words,
        nobody=lambda all_: "too many requests failed for every variant",
    )


def _unanswered_words(each: Candidate) -> str:
    left_out = " or were not sent" if each.cell.not_sent else ""
    return f"{each.cell.unanswered:,} of its requests failed{left_out}"


def _failed_share(each: Candidate) -> float:
    return each.cell.unanswered / (each.cell.unanswered + each.cell.count)


def _loses_little(margin: float) -> Goal:
    return Goal(
        met=lambda each: each.variant.is_reference or _most_lost(each) < margin,
        overshoot=lambda each: max(0.0, _most_lost(each) - margin),
        lack=lambda each: _worse(each, margin),
        nobody=lambda all_: f"no variant is shown to lose less than {margin_words(margin)} of accuracy",
        advice=lambda all_: ADVICE,
    )


def _most_lost(each: Candidate) -> float:
    """The points that it may lose at worst; for the original itself none."""
    if each.variant.is_reference:
        return 0.0
    difference = _difference(each)
    return 100.0 if difference is None else -difference.low_points


def _worse(each: Candidate, margin: float) -> str:
    difference = _difference(each)
    if difference is None:
        return "no photo with a known label was answered both here and as the original"
    interval = f"({difference.low_points:.1f} to {difference.high_points:.1f})"
    if difference.high_points < 0 and difference.points < -margin:
        return f"its top-1 accuracy is {points(-difference.points)} lower {interval}"
    needed = _needed(difference, margin)
    tell = f"; about {count(needed, 'photo')} would tell" if needed else ""
    lost = beside(-difference.low_points, margin, 1).removesuffix(".0")
    relation = "above" if -difference.low_points > margin else "as much as"
    return (
        f"it may lose up to {lost} point{'' if lost == '1' else 's'} {interval}, {relation} the margin of "
        f"{margin_words(margin)}{tell}"
    )


def _needed(difference: Difference, margin: float) -> int | None:
    """Photos that would show it to be within the margin, should the difference be what it looks like."""
    gap = margin / 100 + min(difference.points, 0.0) / 100
    if gap <= 0:
        return None
    differing = max(difference.gained + difference.lost, 1) / difference.photos
    needed = max(photos_to_settle(differing, gap), difference.photos + 1)
    return round(needed, 1 - len(str(needed))) if needed < MOST_PHOTOS_NAMED else None


def _agrees(margin: float) -> Goal:
    least = 1 - margin / 100
    return Goal(
        met=lambda each: _least_agreement(each) >= least,
        overshoot=lambda each: max(0.0, least - _least_agreement(each)),
        lack=lambda each: _disagrees(each, 100 - margin),
        nobody=lambda all_: (
            f"no variant is shown to keep the original's answer for {100 - margin:g} % of photos"
        ),
        advice=lambda all_: ADVICE,
    )


def _least_agreement(each: Candidate) -> float:
    if each.variant.is_reference:
        return 1.0
    over = each.cell.over_photos
    return over.agreement.low if over is not None and over.agreement is not None else 0.0


def _disagrees(each: Candidate, least_percent: float) -> str:
    over = each.cell.over_photos
    if over is None or over.agreement is None:
        return "no photo was answered both here and as the original"
    kept = beside(100 * over.agreement.low, least_percent, 1)
    return (
        f"it is only shown to keep the original's answer for {kept} % of photos, "
        f"less than {least_percent:g} %"
    )


def _difference(each: Candidate) -> Difference | None:
    over: OverPhotos | None = each.cell.over_photos
    return None if over is None else over.difference
