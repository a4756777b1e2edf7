"""What the recommendation says when there is none: what is missing, and what comes nearest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from experiment.records import Cell, Recommendation
from experiment.report.contention import NOT_THERE
from experiment.report.goals import Candidate, Goal, Results, unmet_by
from experiment.wording import listed, milliseconds, sentence, size


def nothing_fits(
    is_running: bool, candidates: Sequence[Candidate], goals: Sequence[Goal], gaps: Iterable[str]
) -> Recommendation:
    """Something was measured, but no cell meets every goal. `gaps`: sentences about what is missing."""
    blockers = [goal for goal in goals if not any(goal.is_met(candidate) for candidate in candidates)]
    reasons = [goal.nobody(candidates) for goal in blockers] or ["no variant meets all goals at once"]
    advice = [] if is_running else [goal.advice(candidates) for goal in blockers]
    nearest = min(candidates, key=lambda candidate: _distance(candidate, goals))
    figures = f"{milliseconds(nearest.total_ms)}, {size(nearest.variant.size_bytes)}"
    parts = [*advice, f"Nearest: {nearest.place}, {figures}, {unmet_by(nearest, goals)}.", *gaps]
    return _none(is_running, f"{listed(reasons)}.", " ".join(part for part in parts if part))


def original_to_come(results: Results) -> Recommendation:
    """The run goes on, and nothing can be compared before the original was answered."""
    references = {variant.id for variant in results.variants if variant.is_reference}
    failed = _most_failed([cell for cell in results.cells if cell.variant_id in references])
    if failed is None:
        return _none(
            True, "the original has not been measured yet.", "Copies are compared with it once it has."
        )
    return _none(True, "the original's requests failed so far.", sentence(failed.failure_reasons[0].message))


def nothing_measured(results: Results) -> Recommendation:
    """No request that counts was answered."""
    is_running, backends = results.is_running, results.backends
    failed = _most_failed(results.cells)
    if backends and all(info.state in NOT_THERE for info in backends):
        states = " ".join(f"{info.name}: {sentence(info.detail or info.state)}" for info in backends)
        return _none(is_running, "no backend can be used.", states)
    if failed is not None:
        return _none(is_running, "no request was answered.", sentence(failed.failure_reasons[0].message))
    if results.state == "queued":
        return _none(is_running, "the run has not started.", "It starts when the runs before it have ended.")
    if is_running:
        return _none(is_running, "still warming up.", "The first results take about a second.")
    return _none(is_running, "nothing was measured.", "Run again to get results.")


def _distance(candidate: Candidate, goals: Sequence[Goal]) -> tuple[int, float, int, float]:
    """Few unmet goals first, then how far they are missed, then the usual rank."""
    unmet = [goal for goal in goals if not goal.is_met(candidate)]
    return len(unmet), sum(goal.overshoot(candidate) for goal in unmet), *candidate.rank


def _most_failed(cells: Sequence[Cell]) -> Cell | None:
    failed = (cell for cell in cells if cell.unanswered)
    return max(failed, key=lambda cell: (cell.failures, cell.not_sent), default=None)


def _none(is_running: bool, reason: str, why: str) -> Recommendation:
    start = "Nothing to recommend yet" if is_running else "Nothing can be recommended"
    return Recommendation(None, None, f"{start}: {reason}", why, (), "INVALID")
