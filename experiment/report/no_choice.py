"""What the recommendation says when there is none: what is missing, and what comes nearest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from experiment.records import BackendInfo, Cell, Recommendation, RunState, Variant, is_live
from experiment.report.contention import NOT_THERE
from experiment.report.goals import Candidate, Goal, unmet_by
from experiment.wording import listed, milliseconds, sentence, size


def nothing_fits(
    so_far: bool, candidates: Sequence[Candidate], goals: Sequence[Goal], gaps: Iterable[str]
) -> Recommendation:
    """Something was measured, but no cell meets every goal. `gaps`: sentences about what is missing."""
    blockers = [goal for goal in goals if not any(goal.met(each) for each in candidates)]
    reasons = [goal.nobody(candidates) for goal in blockers] or ["no variant meets all goals at once"]
    advice = [] if so_far else [goal.advice(candidates) for goal in blockers]
    nearest = min(candidates, key=lambda each: _distance(each, goals))
    figures = f"p50 {milliseconds(nearest.p50_ms)}, {size(nearest.variant.size_bytes)}"
    parts = [*advice, f"Nearest: {nearest.place}, {figures}, {unmet_by(nearest, goals)}.", *gaps]
    return _none(so_far, f"{listed(reasons)}.", " ".join(part for part in parts if part))


def original_to_come(variants: Sequence[Variant], cells: Sequence[Cell]) -> Recommendation:
    """The run goes on, and nothing can be compared before the original was answered."""
    references = {each.id for each in variants if each.is_reference}
    failed = _most_failed([cell for cell in cells if cell.variant_id in references])
    if failed is None:
        return _none(
            True, "the original has not been measured yet.", "Copies are compared with it once it has."
        )
    return _none(True, "the original's requests failed so far.", sentence(failed.failure_reasons[0].message))


def nothing_measured(
    state: RunState, backends: Sequence[BackendInfo], cells: Sequence[Cell]
) -> Recommendation:
    """No request that counts was answered."""
    so_far = is_live(state)
    failed = _most_failed(cells)
    if backends and all(info.state in NOT_THERE for info in backends):
        return _none(so_far, "no backend can be used.", _states(backends))
    if failed is not None:
        return _none(so_far, "no request was answered.", sentence(failed.failure_reasons[0].message))
    if state == "queued":
        return _none(so_far, "the run has not begun.", "It starts when it is its turn.")
    if so_far:
        return _none(so_far, "still warming up.", "The first results take about a second.")
    return _none(so_far, "nothing was measured.", "Run again to get results.")


def _distance(each: Candidate, goals: Sequence[Goal]) -> tuple[int, float, int, float]:
    """Few unmet goals first, then how far they are missed, then the usual rank."""
    unmet = [goal for goal in goals if not goal.met(each)]
    return len(unmet), sum(goal.overshoot(each) for goal in unmet), *each.rank


def _most_failed(cells: Sequence[Cell]) -> Cell | None:
    failed = (cell for cell in cells if cell.unanswered)
    return max(failed, key=lambda cell: (cell.failures, cell.not_sent), default=None)


def _states(backends: Sequence[BackendInfo]) -> str:
    return " ".join(f"{info.name}: {sentence(info.detail or info.state)}" for info in backends)


def _none(so_far: bool, reason: str, why: str) -> Recommendation:
    start = "Nothing to recommend yet" if so_far else "Nothing can be recommended"
    return Recommendation(None, None, f"{start}: {reason}", why, (), "INVALID")
