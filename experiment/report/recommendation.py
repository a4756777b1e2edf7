"""What to serve: the smallest variant that safely keeps the answer, on the backend that suits it best.

Among cells that answered every request and meet every goal, the fewest bytes win, then
the lowest p50; backend_choice.py says when a cheaper backend is as good as the fastest. Where copies are made
for each request, or by the client, the shortest time wins instead, with making them: a copy that takes longer
to make than it saves is no gain. "Keeps
the answer" means the original's top label on the same backend, or, when the user gave the
true label, that label: a wrong answer is not worth keeping. Its probability must not fall
by more than a margin either: a copy whose answer has become unsure is not recommended, but named beside it as
the smallest that still works.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from experiment.records import BreakingPoint, Copies, KeyFigures, Label, Plan, Recommendation, Smallest
from experiment.report.backend_choice import (
    cheapest_alike,
    compared,
    fewer_cores,
    is_faster,
    overlaps,
    price_words,
)
from experiment.report.contention import NOT_THERE
from experiment.report.goals import (
    AnswersAlways,
    Candidate,
    Goal,
    IsRight,
    KeepsAnswer,
    Results,
    allowed_fall_points,
    candidates_among,
    fall_points,
    goals_of,
)
from experiment.report.no_choice import nothing_fits, nothing_measured, original_to_come
from experiment.report.statistics import SAMPLES_FOR_INTERVAL, Ratio, ratio_of_medians
from experiment.wording import (
    capitalised,
    compared_with,
    count,
    full_name,
    joined,
    listed,
    margin_words,
    milliseconds,
    percent,
    ratio,
    short_name,
    size,
    times,
)

MOST_OTHERS = 3  # backends that are compared with the best one by name
LESS_SURE_POINTS = 10.0  # a fall of the label's probability that is worth a sentence
LEAST_TOP5_KEPT = 0.6  # below it as well
DIGITS = 6  # of the large numbers, as the report exports scores
HOW_MADE: dict[Copies, str] = {
    "in_advance": "",
    "per_request": " for each request",
    "client": " on the client",
}


def recommend(results: Results) -> Recommendation:
    """The best choice among the results of one photo, or a sentence that says why there is none."""
    plan, true_label = results.plan, results.true_label
    other = compared_with(results.variants)
    made = choose(
        results,
        goals_of(plan, true_label, results.is_running),
        needs_reference=plan.keep_top1 and true_label is None,
        lead=lambda _: "For this photo:",
        why=lambda best: _why(best, results, other),
    )
    return replace(made, smallest=_smallest(made, results))


def choose(
    results: Results,
    goals: Sequence[Goal],
    *,
    needs_reference: bool,
    lead: Callable[[Candidate], str],
    why: Callable[[Candidate], str],
) -> Recommendation:
    """The best variant that meets all `goals`, on the backend that suits it. `lead` says what the choice is
    about, "For this photo:", or begins an order, "Serve"; `why` gives its figures."""
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
    copies = results.plan.copies
    chosen = _best_variant(eligible, copies)
    best = cheapest_alike([candidate for candidate in eligible if candidate.variant == chosen.variant])
    return Recommendation(
        variant_id=best.variant.id,
        backend_name=best.backend.name,
        sentence=_headline(best, eligible, lead(best), results),
        why=why(best),
        why_not=(*_why_not(best, eligible, copies), *gaps),
        validity=best.cell.validity,
        next_lighter=_next_lighter(best, candidates, goals),
        figures=key_figures(best, _reference(best, candidates)),
    )


def _best_variant(eligible: Sequence[Candidate], copies: Copies) -> Candidate:
    """Stored copies cost bytes, so the fewest win. Else the shortest time.

    Of those that can't be told apart from it a server takes the original, for which it makes nothing, and a
    client the one with the fewest bytes.
    """
    if copies == "in_advance":
        return min(eligible, key=lambda candidate: candidate.rank)
    fastest = min(eligible, key=lambda candidate: candidate.total_ms)
    alike = [candidate for candidate in eligible if candidate == fastest or overlaps(candidate, fastest)]
    originals = [candidate for candidate in alike if candidate.variant.is_reference]
    return min(originals if originals and copies == "per_request" else alike, key=lambda each: each.rank)


def _reference(best: Candidate, candidates: Sequence[Candidate]) -> Candidate | None:
    """The original on the same backend."""
    found = (
        candidate
        for candidate in candidates
        if candidate.variant.is_reference and candidate.backend.name == best.backend.name
    )
    return next(found, None)


def _headline(best: Candidate, eligible: Sequence[Candidate], lead: str, results: Results) -> str:
    """What is recommended, its time and, if the numbers behind it can't be believed, that."""
    copies, is_running = results.plan.copies, results.is_running
    cores = fewer_cores(best.backend)
    figures = [f"{cores} here" if cores else "", time_words(best, copies)]
    if best.cell.validity == "INVALID" and not is_running:
        lead = "Provisional:"
        figures.append(_unreliable(best))
    elif is_running:
        lead = f"{lead.removesuffix(':')}, so far:" if lead.endswith(":") else f"So far: {lead.lower()}"
    place = f"({', '.join(figure for figure in figures if figure)})"
    if not best.variant.is_reference or copies == "in_advance":
        return f"{lead} {best.full_place} {place}."
    send = "send" if lead.endswith(":") else lead.replace("Serve", "Send").replace("serve", "send")
    words = f"{send} the original to {best.backend.name} {place}."
    return joined(
        f"{lead} {words}" if lead.endswith(":") else words, _not_worth_making(best, eligible, copies)
    )


def time_words(candidate: Candidate, copies: Copies) -> str:
    """ "85 ms with making the copy"; the whole time of a request as it counts where copies are made so."""
    total = milliseconds(candidate.total_ms)
    if copies == "client":
        return f"{total} end to end, modelled"
    return f"{total} with making the copy" if candidate.extra.making_ms else total


def _unreliable(best: Candidate) -> str:
    samples = len(best.cell.samples_ms)
    if samples < SAMPLES_FOR_INTERVAL:
        return f"only {count(samples, 'request')}"
    return "timing unreliable"


def _not_worth_making(original: Candidate, eligible: Sequence[Candidate], copies: Copies) -> str:
    """Where the original is the quickest: what making the best copy takes, and what that would save."""
    others = [
        each
        for each in eligible
        if not each.variant.is_reference and each.backend.name == original.backend.name
    ]
    copy = min(others, key=lambda each: each.total_ms, default=None)
    if copy is None or copy.extra.making_ms is None:
        return ""
    making_ms = copy.extra.making_ms
    saved_ms = (original.total_ms - (original.extra.making_ms or 0.0)) - (copy.total_ms - making_ms)
    saves = f"saves {milliseconds(saved_ms)}" if saved_ms > 0 else "saves no time"
    of_upload = " of upload and request, modelled" if copies == "client" and saved_ms > 0 else ""
    name = f"{copy.variant.size_px} px copy{HOW_MADE[copies]}"
    return f"Making a {name} takes {milliseconds(making_ms)} and {saves}{of_upload}."


def _why(best: Candidate, results: Results, other: str) -> str:
    plan, true_label, is_running = results.plan, results.true_label, results.is_running
    parts = [_answer(best, true_label, other), *time_parts(best, plan.copies)]
    if best.cell.max_ms is not None and len(best.cell.samples_ms) > 1:
        parts.append(f"max {milliseconds(best.cell.max_ms)} ({len(best.cell.samples_ms)} requests)")
    figures = ", ".join([*parts, size(best.variant.size_bytes)]) + "."
    unknown = _unknown_fall(best, true_label, is_running, other) if plan.keep_top1 else ""
    return joined(doubt(best, is_running), figures, unknown, _less_sure(best, plan, other))


def time_parts(candidate: Candidate, copies: Copies) -> list[str]:
    """What the time of time_words() is made of: ["p50 18 ms", "making 61 ms"]."""
    making_ms = candidate.extra.making_ms
    made = [f"making {milliseconds(making_ms)}"] if making_ms else []
    sent = [f"uploading {milliseconds(candidate.extra.upload_ms)} (modelled)"] if copies == "client" else []
    return [f"p50 {milliseconds(candidate.p50_ms)}", *made, *sent]


def doubt(best: Candidate, is_running: bool) -> str:
    """Why an INVALID cell should not decide; "" for the others."""
    samples = len(best.cell.samples_ms)
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
    original, unknown = best.reference, "Whether confidence drops is not known"
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
    if -cell.reference_score_change > LESS_SURE_POINTS:
        allowed = f" ({margin_words(allowed_fall_points(plan))} allowed)" if plan.keep_top1 else ""
        signs.append(f"confidence drops from {percent(before)} to {percent(cell.top[0].score)}{allowed}")
    if cell.top5_overlap is not None and cell.top5_overlap < LEAST_TOP5_KEPT:
        signs.append(f"only {percent(cell.top5_overlap)} of the {other}'s top 5 is kept")
    return f"{capitalised(listed(signs))}." if signs else ""


def _why_not(best: Candidate, eligible: Sequence[Candidate], copies: Copies) -> Iterator[str]:
    """Those that meet the goals too: other backends, the runner-up, and what is faster."""
    others = [
        candidate
        for candidate in eligible
        if candidate.variant == best.variant and candidate.backend != best.backend
    ]
    for other in sorted(others, key=lambda candidate: candidate.total_ms)[:MOST_OTHERS]:
        yield compared(best, other)
    runner_up = _runner_up(best, eligible, copies)
    if runner_up:
        figures = f"{time_words(runner_up, copies)}, {size(runner_up.variant.size_bytes)}"
        yield f"Next best: {runner_up.place} ({figures})."
    quickest = min(eligible, key=lambda candidate: candidate.total_ms)
    if quickest.variant not in {best.variant, runner_up and runner_up.variant} and is_faster(quickest, best):
        yield _faster(best, quickest)


def _runner_up(best: Candidate, eligible: Sequence[Candidate], copies: Copies) -> Candidate | None:
    """The next by what decides: bytes, or time. It meets the goals, as the best one does."""
    if copies != "in_advance":
        others = [candidate for candidate in eligible if candidate.variant != best.variant]
        return min(others, key=lambda candidate: candidate.total_ms, default=None)
    larger = [candidate for candidate in eligible if candidate.variant.size_bytes > best.variant.size_bytes]
    return min(larger, key=lambda candidate: candidate.rank, default=None)


def _next_lighter(best: Candidate, candidates: Sequence[Candidate], goals: Sequence[Goal]) -> str | None:
    """What is lost below the best one, or below all that meet the goals.

    Of the same format where there is one: few weigh a JPEG against a PNG of a quarter of its size.
    """
    lighter = [
        candidate for candidate in candidates if candidate.variant.size_bytes < best.variant.size_bytes
    ]
    failing = [candidate for candidate in lighter if not all(goal.is_met(candidate) for goal in goals)]
    key = lambda candidate: (  # noqa: E731
        candidate.variant.format == best.variant.format,
        candidate.variant.size_bytes,
        candidate.backend.name == best.backend.name,
        -candidate.p50_ms,
    )
    next_one = max(failing, key=key, default=None)
    if next_one is None:
        return None
    at = short_name(next_one.variant) if next_one.backend.name == best.backend.name else next_one.place
    unmet = [goal for goal in goals if not goal.is_met(next_one)]
    start = "Below this" if len(failing) == len(lighter) else "With smaller copies"
    return f"{start} {unmet[0].below(next_one, at, unmet)}."


def _faster(best: Candidate, other: Candidate) -> str:
    factor = times(ratio(best.total_ms, other.total_ms))
    price = price_words(other.backend, best.backend)
    return (
        f"{capitalised(other.place)} would be {factor} faster ({milliseconds(other.total_ms)}), "
        f"with {size(other.variant.size_bytes)} to send{price}."
    )


def _smallest(made: Recommendation, results: Results) -> Smallest | None:
    """The smallest copy that keeps the answer at all, on the recommended backend if there is one.

    Of those that were tried, or what a search for the breaking point found below them. None: it is the
    recommended one, or no copy keeps the answer.
    """
    label = results.true_label
    keeps: tuple[Goal, ...] = (AnswersAlways(), KeepsAnswer(False) if label is None else IsRight(label))
    candidates = [
        candidate
        for candidate in candidates_among(results)
        if made.backend_name in {None, candidate.backend.name}
    ]
    best = next((each for each in candidates if each.variant.id == made.variant_id), None)
    working = [each for each in candidates if all(goal.is_met(each) for goal in keeps)]
    tried = min(working, key=lambda each: each.rank, default=None)
    found = _found(made, results)
    least = min(each.variant.size_bytes for each in (best, tried) if each) if best or tried else None
    if found and found.size_bytes and (least is None or found.size_bytes < least):
        name = f"{found.size_px} px JPEG q{found.quality} ({size(found.size_bytes)})"
        return Smallest(None, found.backend_name, f"Smallest that still works: {name}.")
    if tried is None or tried.variant.is_reference or (best and best.variant == tried.variant):
        return None
    if best and best.variant.size_bytes <= tried.variant.size_bytes:
        return None
    return Smallest(tried.variant.id, tried.backend.name, _smallest_words(tried))


def _found(made: Recommendation, results: Results) -> BreakingPoint | None:
    """The smallest copy that a search found, by the same idea of what is right."""
    found = [
        point
        for point in results.breaking_points
        if point.size_bytes is not None
        and made.backend_name in {None, point.backend_name}
        and point.by_true_label == (results.true_label is not None)
    ]
    return min(found, key=lambda point: point.size_bytes or 0, default=None)


def _smallest_words(tried: Candidate) -> str:
    before = _original_score(tried)
    drop = ""
    if before is not None and percent(before) != percent(tried.cell.top[0].score):
        score = tried.cell.top[0].score
        way = "down" if score < before else "up"
        drop = f", with confidence {way} from {percent(before)} to {percent(score)}"
    return f"Smallest that still works: {full_name(tried.variant)} ({size(tried.variant.size_bytes)}){drop}."


def _gaps(results: Results) -> Iterator[str]:
    """Backends that were meant to answer and gave nothing; not those that this machine lacks."""
    for info in results.backends:
        own = [cell for cell in results.cells if cell.backend_name == info.name]
        gave_up = info.state in NOT_THERE or any(cell.unanswered for cell in own)
        if info.is_present and not any(cell.count for cell in own) and (gave_up or not results.is_running):
            yield f"No results from {info.name}."


def key_figures(best: Candidate, reference: Candidate | None) -> KeyFigures:
    """The recommended cell beside the original on the same backend; None: that was not answered there."""
    top, before = _top(best), _top(reference)
    faster = _times_faster(best, reference)
    return KeyFigures(
        smaller_times=None
        if reference is None
        else _six(reference.variant.size_bytes / best.variant.size_bytes),
        faster_times=None if reference is None else _six(ratio(reference.total_ms, best.total_ms)),
        faster_is_clear=faster is not None and not faster.low <= 1 <= faster.high,
        latency_ms=best.total_ms,
        reference_latency_ms=None if reference is None else reference.total_ms,
        size_bytes=best.variant.size_bytes,
        reference_size_bytes=None if reference is None else reference.variant.size_bytes,
        label=top.label if top else None,
        reference_label=before.label if before else None,
        score=round(top.score, DIGITS) if top else None,
        reference_score=round(before.score, DIGITS) if before else None,
        same_answer=best.cell.same_top1,
    )


def _top(candidate: Candidate | None) -> Label | None:
    return candidate.cell.top[0] if candidate is not None and candidate.cell.top else None


def _times_faster(best: Candidate, reference: Candidate | None) -> Ratio | None:
    """The original's time over this one's, with its interval; None: the same cell, or too few samples."""
    if reference is None or reference.variant == best.variant:
        return None
    samples = [
        [candidate.with_extra(sample_ms) for sample_ms in candidate.cell.samples_ms]
        for candidate in (reference, best)
    ]
    return ratio_of_medians(*samples)


def _six(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
