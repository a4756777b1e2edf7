"""What to serve: the smallest variant that keeps the answer, on the backend that suits it best.

Among cells that answered every request and meet every goal, the fewest bytes win, then
the lowest p50; backend_choice.py says when a cheaper backend is as good as the fastest. "Keeps
the answer" means the original's top label on the same backend, or, when the user gave the
true label, that label: a wrong answer is not worth keeping. Its probability must not fall
by more than a margin either: a copy whose answer has become unsure is not recommended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from experiment.records import Plan, Recommendation
from experiment.report.backend_choice import cheapest_alike, compared, fewer_cores, is_faster, price_words
from experiment.report.contention import NOT_THERE
from experiment.report.goals import (
    Candidate,
    Goal,
    Results,
    allowed_fall_points,
    candidates_among,
    fall_points,
    fall_words,
    goals_of,
    unmet_by,
)
from experiment.report.no_choice import nothing_fits, nothing_measured, original_to_come
from experiment.report.statistics import SAMPLES_FOR_INTERVAL
from experiment.wording import (
    capitalised,
    compared_with,
    count,
    format_name,
    full_name,
    milliseconds,
    percent,
    ratio,
    sentence,
    size,
    times,
)

MOST_OTHERS = 3  # backends that are compared with the best one by name
LESS_SURE_POINTS = 10.0  # a fall of the label's probability that is worth a sentence
LEAST_TOP5_KEPT = 0.6  # below it as well


def recommend(results: Results) -> Recommendation:
    """The best choice among the results of one photo, or a sentence that says why there is none."""
    plan, true_label = results.plan, results.true_label
    other = compared_with(results.variants)
    return choose(
        results,
        goals_of(plan, true_label, results.is_running),
        needs_reference=plan.keep_top1 and true_label is None,
        why=lambda best: _why(best, results, other),
    )


def choose(
    results: Results, goals: Sequence[Goal], *, needs_reference: bool, why: Callable[[Candidate], str]
) -> Recommendation:
    """The smallest variant that meets all `goals`, on the backend that suits it; `why` gives its figures."""
    candidates = candidates_among(results)
    if not candidates:
        return nothing_measured(results)
    if (
        results.is_running
        and needs_reference
        and not any(candidate.variant.is_reference for candidate in candidates)
    ):
        return original_to_come(results)
    eligible = [candidate for candidate in candidates if all(goal.is_met(candidate) for goal in goals)]
    gaps = tuple(_gaps(results))
    if not eligible:
        return nothing_fits(results.is_running, candidates, goals, gaps)
    smallest = min(eligible, key=lambda candidate: candidate.rank).variant
    best = cheapest_alike([candidate for candidate in eligible if candidate.variant == smallest])
    return Recommendation(
        variant_id=best.variant.id,
        backend_name=best.backend.name,
        sentence=_headline(best, results.is_running),
        why=why(best),
        why_not=(*_why_not(best, eligible), *gaps),
        validity=best.cell.validity,
        next_lighter=_next_lighter(best, candidates, goals),
    )


def _headline(best: Candidate, is_running: bool) -> str:
    """An order, unless the numbers behind it can't be believed."""
    cores = fewer_cores(best.backend)
    what = best.full_place + (f" ({cores} here)" if cores else "")
    if best.cell.validity == "INVALID":
        return f"Best of what was measured so far: {what}."
    return f"So far: serve {what}." if is_running else f"Serve {what}."


def _why(best: Candidate, results: Results, other: str) -> str:
    plan, true_label, is_running = results.plan, results.true_label, results.is_running
    parts = [_answer(best, true_label, other), f"p50 {milliseconds(best.p50_ms)}"]
    if best.cell.max_ms is not None and best.cell.count > 1:
        parts.append(f"slowest of {best.cell.count}: {milliseconds(best.cell.max_ms)}")
    figures = ", ".join([*parts, size(best.variant.size_bytes)]) + "."
    unknown = _unknown_fall(best, true_label, is_running, other) if plan.keep_top1 else ""
    parts = [doubt(best, is_running), figures, unknown, _less_sure(best, plan, other)]
    return " ".join(part for part in parts if part)


def doubt(best: Candidate, is_running: bool) -> str:
    """Why an INVALID cell should not decide; "" for the others."""
    samples = best.cell.count
    if best.cell.validity != "INVALID":
        return ""
    if samples >= SAMPLES_FOR_INTERVAL:
        return best.cell.reasons[0]
    few = f"{count(samples, 'sample')} {'is' if samples == 1 else 'are'} too few to recommend by"
    return f"{few}; more may come." if is_running else f"{few}; use at least {SAMPLES_FOR_INTERVAL} repeats."


def _answer(candidate: Candidate, true_label: str | None, other: str) -> str:
    if not candidate.cell.top:
        return "No label given"
    label = f"{candidate.label}, {percent(candidate.cell.top[0].score)}"
    before = _original_score(candidate)
    both = label if before is None else f"{label}; {other} {percent(before)}"
    if true_label is not None and candidate.cell.correct_top1:
        by_luck = f", where the {other}'s was wrong" if candidate.cell.same_top1 is False else ""
        return f"Right answer ({both}){by_luck}"
    if true_label is not None:
        return f"Wrong answer ({label})"
    if candidate.variant.is_reference or candidate.cell.same_top1 is None:
        return f"Its answer: {label}"
    return (
        f"Same top answer as the {other} ({both})"
        if candidate.cell.same_top1
        else f"Another answer ({label})"
    )


def _original_score(candidate: Candidate) -> float | None:
    """The original's probability of the same top label, 0..1. None: not known, or this is the original."""
    cell = candidate.cell
    if (
        candidate.variant.is_reference
        or not (cell.same_top1 and cell.top)
        or cell.reference_score_change is None
    ):
        return None
    return max(cell.top[0].score - cell.reference_score_change / 100, 0.0)


def _unknown_fall(best: Candidate, true_label: str | None, is_running: bool, other: str) -> str:
    """A sentence if it is not known how far the probability falls.

    A right answer that the original did not have among its top 5 has not fallen.
    """
    original, unknown = best.reference, "Whether the probability falls is not known"
    if best.variant.is_reference or fall_points(best.cell, original, true_label) is not None:
        return ""
    if original is not None and original.top:
        return f"{unknown}." if true_label is None else ""
    if is_running and not (original and original.unanswered):
        return f"{unknown}: the {other} has not been measured there yet."
    return f"{unknown}: the {other} got no answer there."


def _less_sure(best: Candidate, plan: Plan, other: str) -> str:
    """A warning where the top label stays, but only just."""
    cell, before = best.cell, _original_score(best)
    if before is None or cell.reference_score_change is None:
        return ""
    signs = []
    fall = -cell.reference_score_change
    if fall > LESS_SURE_POINTS:
        words = fall_words(fall, allowed_fall_points(plan)) if plan.keep_top1 else f"{fall:.0f} points"
        signs.append(f"the probability falls by {words}")
    if cell.top5_overlap is not None and cell.top5_overlap < LEAST_TOP5_KEPT:
        signs.append(f"only {percent(cell.top5_overlap)} of the {other}'s top 5 is kept")
    return f"But it is less sure: {' and '.join(signs)}." if signs else ""


def _why_not(best: Candidate, eligible: Sequence[Candidate]) -> Iterator[str]:
    """Those that meet the goals too, by rank; the original after copies."""
    others = [
        candidate
        for candidate in eligible
        if candidate.variant == best.variant and candidate.backend != best.backend
    ]
    for other in sorted(others, key=lambda candidate: candidate.p50_ms)[:MOST_OTHERS]:
        yield compared(best, other)
    larger = [candidate for candidate in eligible if candidate.variant.size_bytes > best.variant.size_bytes]
    heavier = min(larger, key=lambda candidate: candidate.rank, default=None)
    if heavier and not heavier.variant.is_reference:
        yield f"Next best: {_heavier(best, heavier)}."
    if heavier and heavier.variant.is_reference:
        yield sentence(f"{_heavier(best, heavier)}, meets the goals too")
    quickest = min(eligible, key=lambda candidate: candidate.p50_ms)
    if quickest.variant != best.variant and is_faster(quickest, best):
        yield _faster(best, quickest)


def _next_lighter(best: Candidate, candidates: Sequence[Candidate], goals: Sequence[Goal]) -> str | None:
    """What the next variant of fewer bytes would save, and which goal that would cost.

    Of the same format where there is one: few weigh a JPEG against a PNG of a quarter of its size.
    """
    next_one = _lighter(best, candidates)
    if next_one is None:
        return None
    is_there = next_one.backend.name == best.backend.name
    saved = size(best.variant.size_bytes - next_one.variant.size_bytes)
    if is_there and is_faster(next_one, best):
        saved += f" and {milliseconds(best.p50_ms - next_one.p50_ms)}"
    name = full_name(next_one.variant) if is_there else next_one.full_place
    kind = format_name(best.variant.format)
    if next_one.variant.format == best.variant.format:
        name = f"{kind}, {name.removeprefix(kind).strip()}"
    else:
        name = f"one, {name}"
    return f"The next lighter {name}, would save {saved}, {unmet_by(next_one, goals)}."


def _lighter(best: Candidate, candidates: Sequence[Candidate]) -> Candidate | None:
    """The largest variant below the best one; of the same format and on the same backend, if there is one."""
    lighter = [
        candidate for candidate in candidates if candidate.variant.size_bytes < best.variant.size_bytes
    ]
    key = lambda candidate: (  # noqa: E731
        candidate.variant.format == best.variant.format,
        candidate.variant.size_bytes,
        candidate.backend.name == best.backend.name,
        -candidate.p50_ms,
    )
    return max(lighter, key=key, default=None)


def _heavier(best: Candidate, other: Candidate) -> str:
    factor = times(other.variant.size_bytes / best.variant.size_bytes)
    figures = (
        f"with {factor} the bytes ({size(other.variant.size_bytes)}) and p50 {milliseconds(other.p50_ms)}"
    )
    return f"{other.place}, {figures}"


def _faster(best: Candidate, other: Candidate) -> str:
    factor = times(ratio(best.p50_ms, other.p50_ms))
    price = price_words(other.backend, best.backend)
    return (
        f"{capitalised(other.place)} would be {factor} faster (p50 {milliseconds(other.p50_ms)}), "
        f"with {size(other.variant.size_bytes)} to send{price}."
    )


def _gaps(results: Results) -> Iterator[str]:
    """Backends that were meant to answer and gave nothing; not those that this machine lacks."""
    for info in results.backends:
        own = [cell for cell in results.cells if cell.backend_name == info.name]
        gave_up = info.state in NOT_THERE or any(cell.unanswered for cell in own)
        if info.is_present and not any(cell.count for cell in own) and (gave_up or not results.is_running):
            yield f"No results from {info.name}."
