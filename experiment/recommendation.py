"""What to serve: the smallest variant that keeps the answer, on the backend that is fastest with it.

Among cells that answered every request and meet every goal, the fewest bytes win, then
the lowest p50. "Keeps the answer" means the original's top label on the same backend, or,
when the user gave the true label, that label: a wrong answer is not worth keeping.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from experiment.contention import NOT_THERE
from experiment.goals import Candidate, Goal, candidates_among, goals_of
from experiment.records import BackendInfo, Cell, Plan, Recommendation, RunState, Variant
from experiment.wording import full_name, listed, milliseconds, percent, ratio, sentence, size, span, times

MOST_OTHERS = 3  # backends that are compared with the best one by name


def recommend(
    plan: Plan,
    state: RunState,
    true_label: str | None,
    variants: Sequence[Variant],
    backends: Sequence[BackendInfo],
    cells: Sequence[Cell],
) -> Recommendation:
    """The best choice among `cells`, or a sentence that says why there is none."""
    so_far = state in {"queued", "running"}
    candidates = candidates_among(variants, backends, cells)
    if not candidates:
        return _nothing_measured(so_far, backends, cells)
    goals = goals_of(plan, true_label)
    eligible = [each for each in candidates if all(goal.met(each) for goal in goals)]
    if not eligible:
        return _nothing_fits(so_far, candidates, goals)
    best = min(eligible, key=lambda each: each.rank)
    serve = "So far: serve" if so_far else "Serve"
    return Recommendation(
        variant_id=best.variant.id,
        backend_name=best.backend.name,
        sentence=f"{serve} {full_name(best.variant)} on {best.backend.name}.",
        why=_why(best, true_label),
        why_not=tuple(_why_not(best, eligible, candidates, goals)),
        validity=best.cell.validity,
    )


def _why(best: Candidate, true_label: str | None) -> str:
    parts = [_answer(best, true_label), f"p50 {milliseconds(best.p50_ms)}"]
    if best.cell.max_ms is not None and best.cell.count > 1:
        parts.append(f"slowest of {best.cell.count}: {milliseconds(best.cell.max_ms)}")
    return ", ".join([*parts, size(best.variant.size_bytes)]) + "."


def _answer(each: Candidate, true_label: str | None) -> str:
    if not each.cell.top:
        return "No label given"
    label = f"{each.label}, {percent(each.cell.top[0].score)}"
    if true_label is not None and each.cell.correct_top1:
        by_luck = ", where the original's was wrong" if each.cell.same_top1 is False else ""
        return f"Right answer ({label}){by_luck}"
    if true_label is not None:
        return f"Wrong answer ({label})"
    if each.variant.is_reference or each.cell.same_top1 is None:
        return f"Its answer: {label}"
    return (
        f"Same top answer as the original ({label})" if each.cell.same_top1 else f"Another answer ({label})"
    )


def _why_not(
    best: Candidate, eligible: Sequence[Candidate], candidates: Sequence[Candidate], goals: Sequence[Goal]
) -> Iterator[str]:
    """The runner-up first: the largest of the smaller ones that failed a goal."""
    smaller = _next_smaller(best, candidates)
    if smaller:
        unmet = listed([goal.but(smaller) for goal in goals if not goal.met(smaller)])
        yield f"Next best: {smaller.place}, p50 {milliseconds(smaller.p50_ms)}, {unmet}."
    others = [each for each in eligible if each.variant == best.variant and each.backend != best.backend]
    for each in sorted(others, key=lambda each: each.p50_ms)[:MOST_OTHERS]:
        yield _slower(best, each)
    larger = [each for each in eligible if each.rank[0] > best.rank[0]]
    if larger:
        yield _heavier(best, min(larger, key=lambda each: each.rank))
    quickest = min(eligible, key=lambda each: each.p50_ms)
    if quickest.variant != best.variant and _is_faster(quickest, best):
        yield _faster(best, quickest)


def _next_smaller(best: Candidate, candidates: Sequence[Candidate]) -> Candidate | None:
    """The largest variant below the best one, on the same backend where it was measured there."""
    smaller = [each for each in candidates if each.variant.size_bytes < best.variant.size_bytes]
    key = lambda each: (each.variant.size_bytes, each.backend.name == best.backend.name, -each.p50_ms)  # noqa: E731
    return max(smaller, key=key, default=None)


def _is_faster(first: Candidate, second: Candidate) -> bool:
    """Whether the 95 % intervals of p50 lie apart. Without intervals nothing is claimed."""
    high, low = first.cell.p50_high_ms, second.cell.p50_low_ms
    return high is not None and low is not None and high < low


def _slower(best: Candidate, other: Candidate) -> str:
    if not _is_faster(best, other):
        return (
            f"{other.backend.name} can't be told apart from {best.backend.name}: "
            f"p50 {milliseconds(other.p50_ms)}{_interval(other)} "
            f"against {milliseconds(best.p50_ms)}{_interval(best)}."
        )
    price = _price(other.backend, best.backend)
    factor = times(ratio(other.p50_ms, best.p50_ms))
    return f"On {other.backend.name} it takes {factor} as long, p50 {milliseconds(other.p50_ms)}{price}."


def _heavier(best: Candidate, other: Candidate) -> str:
    factor = times(other.variant.size_bytes / best.variant.size_bytes)
    return (
        f"{sentence(other.place)[:-1]} meets the goals too, with {factor} the bytes "
        f"({size(other.variant.size_bytes)}) and p50 {milliseconds(other.p50_ms)}."
    )


def _faster(best: Candidate, other: Candidate) -> str:
    factor = times(ratio(best.p50_ms, other.p50_ms))
    price = _price(other.backend, best.backend)
    return (
        f"{sentence(other.place)[:-1]} would be {factor} faster (p50 {milliseconds(other.p50_ms)}), "
        f"with {size(other.variant.size_bytes)} to send{price}."
    )


def _interval(each: Candidate) -> str:
    low, high = each.cell.p50_low_ms, each.cell.p50_high_ms
    return f" ({span(low, high)})" if low is not None and high is not None else ""


def _price(dearer: BackendInfo, than: BackendInfo) -> str:
    if not dearer.price_per_hour or not than.price_per_hour or dearer.name == than.name:
        return ""
    return f", at {times(dearer.price_per_hour / than.price_per_hour)} the price per hour"


def _nothing_fits(so_far: bool, candidates: Sequence[Candidate], goals: Sequence[Goal]) -> Recommendation:
    blockers = [goal for goal in goals if not any(goal.met(each) for each in candidates)]
    reason = blockers[0].nobody(candidates) if blockers else "no variant meets all goals at once."
    nearest = min(candidates, key=lambda each: _distance(each, goals))
    unmet = listed([goal.but(nearest) for goal in goals if not goal.met(nearest)])
    figures = f"p50 {milliseconds(nearest.p50_ms)}, {size(nearest.variant.size_bytes)}"
    why = f"Nearest: {nearest.place}, {figures}, {unmet}."
    return _none(so_far, reason, why)


def _distance(each: Candidate, goals: Sequence[Goal]) -> tuple[int, float, int, float]:
    """Few unmet goals first, then how far they are missed, then the usual rank."""
    unmet = [goal for goal in goals if not goal.met(each)]
    return len(unmet), sum(goal.overshoot(each) for goal in unmet), *each.rank


def _nothing_measured(so_far: bool, backends: Sequence[BackendInfo], cells: Sequence[Cell]) -> Recommendation:
    failed = max((cell for cell in cells if cell.failures), key=lambda cell: cell.failures, default=None)
    usable = [info for info in backends if info.state not in NOT_THERE]
    if backends and not usable:
        return _none(so_far, "no backend can be used.", _states(backends))
    if failed is not None:
        return _none(so_far, "no request was answered.", sentence(failed.failure_reasons[0].message))
    if so_far:
        return _none(so_far, "no answer has come in yet.", "The first ones take about a second.")
    return _none(so_far, "nothing was measured.", "Run again to get results.")


def _states(backends: Sequence[BackendInfo]) -> str:
    return " ".join(f"{info.name}: {sentence(info.detail or info.state)}" for info in backends)


def _none(so_far: bool, reason: str, why: str) -> Recommendation:
    start = "Nothing to recommend so far" if so_far else "Nothing can be recommended"
    return Recommendation(None, None, f"{start}: {reason}", why, (), "INVALID")
