"""What a recommended variant must fulfil over a set of photos.

"No significant difference" proves nothing where photos are few. So a variant has to be shown
not to lose more than a margin: the lower end of the interval of its difference must be above
it (a non-inferiority test). Too few photos then say so, and never pass for good news.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiment.records import Difference, OverPhotos, Plan
from experiment.report.goals import Candidate, Goal, limits_of
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
    goals: list[Goal] = [AnswersNearlyAlways()]
    if plan.keep_top1:
        goals.append(LosesLittle(margin) if has_labels else Agrees(margin))
    return [*goals, *limits_of(plan)]


class AnswersNearlyAlways(Goal):
    """Few enough requests failed for the photos to be the same sample still."""

    def is_met(self, candidate: Candidate) -> bool:
        return candidate.unanswered_share <= MOST_FAILED_SHARE

    def overshoot(self, candidate: Candidate) -> float:
        return candidate.unanswered_share

    def lack(self, candidate: Candidate) -> str:
        left_out = " or were not sent" if candidate.cell.not_sent else ""
        return f"{candidate.cell.unanswered:,} of its requests failed{left_out}"

    def nobody(self, candidates: Sequence[Candidate]) -> str:
        return "too many requests failed for every variant"


@dataclass(frozen=True, slots=True)
class LosesLittle(Goal):
    """Its accuracy is shown to be less than the margin below the original's."""

    margin: float  # percentage points

    def is_met(self, candidate: Candidate) -> bool:
        return candidate.variant.is_reference or _most_lost(candidate) < self.margin

    def overshoot(self, candidate: Candidate) -> float:
        return max(0.0, _most_lost(candidate) - self.margin)

    def lack(self, candidate: Candidate) -> str:
        return _worse(candidate, self.margin)

    def nobody(self, candidates: Sequence[Candidate]) -> str:
        return f"no variant is shown to lose less than {margin_words(self.margin)} of accuracy"

    def advice(self, candidates: Sequence[Candidate]) -> str:
        return ADVICE


def _most_lost(candidate: Candidate) -> float:
    """The points that it may lose at worst; for the original itself none."""
    if candidate.variant.is_reference:
        return 0.0
    difference = _difference(candidate)
    return 100.0 if difference is None else -difference.low_points


def _worse(candidate: Candidate, margin: float) -> str:
    difference = _difference(candidate)
    if difference is None:
        return "no photo with a known label was answered both here and as the original"
    interval = f"({difference.low_points:.1f} to {difference.high_points:.1f})"
    if difference.high_points < 0 and difference.points < -margin:
        return f"its top-1 accuracy is {points(-difference.points)} lower {interval}"
    needed = _needed(difference, margin)
    enough = f"; about {count(needed, 'photo')} would be enough to decide" if needed else ""
    lost = beside(-difference.low_points, margin, 1).removesuffix(".0")
    relation = "above" if -difference.low_points > margin else "as much as"
    return (
        f"it may lose up to {lost} point{'' if lost == '1' else 's'} {interval}, {relation} the margin of "
        f"{margin_words(margin)}{enough}"
    )


def _needed(difference: Difference, margin: float) -> int | None:
    """Photos that would show it to be within the margin, should the difference be what it looks like."""
    gap = margin / 100 + min(difference.points, 0.0) / 100
    if gap <= 0:
        return None
    differing = max(difference.gained + difference.lost, 1) / difference.photos
    needed = max(photos_to_settle(differing, gap), difference.photos + 1)
    return round(needed, 1 - len(str(needed))) if needed < MOST_PHOTOS_NAMED else None


@dataclass(frozen=True, slots=True)
class Agrees(Goal):
    """It is shown to get the original's answer for all photos but the margin."""

    margin: float  # percentage points

    @property
    def _least(self) -> float:
        return 1 - self.margin / 100

    def is_met(self, candidate: Candidate) -> bool:
        return _least_agreement(candidate) >= self._least

    def overshoot(self, candidate: Candidate) -> float:
        return max(0.0, self._least - _least_agreement(candidate))

    def lack(self, candidate: Candidate) -> str:
        return _disagrees(candidate, 100 - self.margin)

    def nobody(self, candidates: Sequence[Candidate]) -> str:
        return f"no variant is shown to keep the original's answer for {100 - self.margin:g} % of photos"

    def advice(self, candidates: Sequence[Candidate]) -> str:
        return ADVICE


def _least_agreement(candidate: Candidate) -> float:
    if candidate.variant.is_reference:
        return 1.0
    over = candidate.cell.over_photos
    return over.agreement.low if over is not None and over.agreement is not None else 0.0


def _disagrees(candidate: Candidate, least_percent: float) -> str:
    over = candidate.cell.over_photos
    if over is None or over.agreement is None:
        return "no photo was answered both here and as the original"
    kept = beside(100 * over.agreement.low, least_percent, 1)
    return (
        f"it is only shown to keep the original's answer for {kept} % of photos, "
        f"less than {least_percent:g} %"
    )


def _difference(candidate: Candidate) -> Difference | None:
    over: OverPhotos | None = candidate.cell.over_photos
    return None if over is None else over.difference
