"""The warnings of a report: what its reader must know before believing a number.

Each code stands for one kind of warning and keeps its meaning for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from experiment.records import (
    BackendInfo,
    Cell,
    Measurement,
    Plan,
    RunState,
    SourceImage,
    Variant,
    Warning_,
)
from experiment.report.agreement import SAME_SCORE
from experiment.report.backend_choice import fewer_cores
from experiment.report.contention import NOT_THERE, host_of, rivals_for_cores, rivals_for_machine
from experiment.report.failed_requests import failed_requests
from experiment.report.statistics import SAMPLES_FOR_P90
from experiment.report.validity import LATE_MS
from experiment.wording import NOT_ENCODED, count, listed, milliseconds, sentence, size, sized_name

CODES = {
    "W1": "the browser changes the pixels that it made variants of",
    "W2": "too few samples for p90",
    "W3": "backends share a machine and were measured at the same time",
    "W4": "this app was busy while measuring",
    "W5": "not every replica of a service was asked",
    "W6": "sizes above the original were skipped",
    "W7": "the same bytes got different answers",
    "W8": "a backend could not be used",
    "W9": "the photo's pixels were changed to make them usable",
    "W10": "requests failed",
    "W11": "the reference is not the file as uploaded",
    "W12": "the run ended early",
    "W13": "a backend runs on fewer cores than its name says",
}
SET_CODES = {  # of reports about many photos, which have most of the others too; see set_cautions.py
    "W14": "photos could not be used",
    "W15": "labels that the model does not know",
    "W16": "labels that no answer named",
    "W17": "too few photos to see small differences",
    "W18": "a CSV of labels and the photos of the set are not about the same files",
}
NOTES = frozenset({"W2", "W6", "W9", "W17"})  # good to know; the numbers can be believed all the same

# Answers whose probabilities differ by less than this are the same to any reader.

# The share of an upload that may be missing from the reference before it is told.
MUCH_LEFT_OUT = 0.05


class Situation(Protocol):
    """What those warnings are drawn from that a run of one photo and a set share."""

    @property
    def plan(self) -> Plan: ...
    @property
    def backends(self) -> Sequence[BackendInfo]: ...
    @property
    def cells(self) -> Sequence[Cell]: ...
    @property
    def late_ms(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Facts:
    """What the warnings are drawn from."""

    state: RunState
    source: SourceImage
    plan: Plan
    backends: Sequence[BackendInfo]
    variants: Sequence[Variant]
    skipped_sizes_px: Sequence[int]
    measurements: Sequence[Measurement]
    cells: Sequence[Cell]
    requests_planned: int
    late_ms: float | None


def cautions(facts: Facts) -> tuple[Warning_, ...]:
    """Every warning that the facts call for, in the order of their codes."""
    rows: tuple[tuple[str, Callable[[Facts], Iterator[str | Warning_]]], ...] = (
        ("W1", _canvas_noise),
        ("W2", _few_repeats),
        ("W3", shared_machine),
        ("W4", busy_app),
        ("W5", _silent_replicas),
        ("W6", _skipped_sizes),
        ("W7", _fickle_answers),
        ("W8", _unusable_backends),
        ("W9", _changed_pixels),
        ("W10", _failed_requests),
        ("W11", _other_reference),
        ("W12", _early_end),
        ("W13", short_of_cores),
    )
    return tuple(as_warning(code, found) for code, find in rows for found in find(facts))


def as_warning(code: str, found: str | Warning_) -> Warning_:
    """A found sentence with its code and level."""
    if isinstance(found, Warning_):
        return found
    return Warning_(code, found, "note" if code in NOTES else "warning")


def _canvas_noise(facts: Facts) -> Iterator[str]:
    if any(each.canvas_noise for each in facts.variants):
        yield (
            "Your browser changes pixels it reads back (fingerprinting protection). Variants made in the "
            "browser contain noise and may be judged differently by the model. Use server resize, or allow "
            "canvas for this site."
        )


def _few_repeats(facts: Facts) -> Iterator[str]:
    repeats = facts.plan.repeats
    if repeats < SAMPLES_FOR_P90:
        yield (
            f"{count(repeats, 'sample')} per cell {'is' if repeats == 1 else 'are'} too few for p90. "
            f"Add {SAMPLES_FOR_P90 - repeats} more to see it."
        )


def shared_machine(facts: Situation) -> Iterator[str]:
    """Backends that may have slowed each other."""
    for names in _distinct_groups(rivals_for_cores(facts.backends, facts.plan.order)):
        yield (
            f"{listed(names)} share cores and were measured at the same time, so they slowed each other. "
            'Run again with the order "auto".'
        )
    hosts = {info.name: host_of(info) for info in facts.backends}
    for names in _distinct_groups(rivals_for_machine(facts.backends, facts.plan.order)):
        yield (
            f"{listed(names)} run on the same machine ({hosts[names[0]]}). Measured in parallel they may "
            "slow each other. Measure one at a time to be sure."
        )


def _distinct_groups(rivals: dict[str, tuple[str, ...]]) -> list[list[str]]:
    """Each set of rivals once, its members in the order the backends have."""
    order = list(rivals)
    groups = {frozenset((name, *others)) for name, others in rivals.items()}
    largest = [group for group in groups if not any(group < other for other in groups)]
    named = [sorted(group, key=order.index) for group in largest]
    return sorted(named, key=lambda names: [order.index(name) for name in names])


def busy_app(facts: Situation) -> Iterator[str]:
    """Latencies that this app was too busy to take."""
    fastest_ms = min((cell.p50_ms for cell in facts.cells if cell.p50_ms is not None), default=None)
    if facts.late_ms is not None and fastest_ms is not None and fastest_ms < LATE_MS:
        yield (
            f"This app was busy while measuring (event delay up to {milliseconds(facts.late_ms)}). "
            f"Latencies below {LATE_MS:.0f} ms are not reliable. Close other programs and run again."
        )


def _silent_replicas(facts: Facts) -> Iterator[str]:
    """Only where it is known who answered, and that there are more who could have."""
    for info in facts.backends:
        peers = [peer for cell in facts.cells if cell.backend_name == info.name for peer in cell.peers]
        asked, there = len(set(peers)), info.replicas or 0
        if asked < there <= len(peers):
            yield (
                f"All {count(len(peers), 'answer')} of {info.name} came from "
                f"{count(asked, 'replica')} although it has {there}. "
                "You are not measuring all of it: are the others ready?"
            )


def _skipped_sizes(facts: Facts) -> Iterator[str]:
    sizes = sorted(facts.skipped_sizes_px, reverse=True)
    if sizes:
        was = "was" if len(sizes) == 1 else "were"
        yield (
            f"The original is smaller than {sizes[-1]} px, so {listed([str(size) for size in sizes])} "
            f"{was} skipped. Nothing is enlarged."
        )


def _fickle_answers(facts: Facts) -> Iterator[str]:
    for info in facts.backends:
        answers: dict[str, list[Measurement]] = {}
        for each in facts.measurements:
            if each.backend_name == info.name and each.prediction and each.prediction.top:
                answers.setdefault(each.variant_id, []).append(each)
        changed = [_change(group) for group in answers.values()]
        largest = max((points for points, _ in changed), default=0.0)
        new_label = any(other_label for _, other_label in changed)
        if new_label or largest > SAME_SCORE:
            yield (
                f"The answer changes between repeats of identical bytes on {info.name} "
                f"(by up to {largest * 100:.1f} points{', even the top label' if new_label else ''}): "
                "the backend is not deterministic. Trust agreement only where it changes by more than that."
            )


def _change(group: Sequence[Measurement]) -> tuple[float, bool]:
    """The largest change of a label's probability, and whether the top label changed."""
    tops = [each.prediction.top for each in group if each.prediction]
    scores: dict[str, list[float]] = {}
    for top in tops:
        for each in top:
            scores.setdefault(each.label, []).append(each.score)
    spread = max(max(values) - min(values) for values in scores.values())
    return spread, len({top[0].label for top in tops}) > 1


def _unusable_backends(facts: Facts) -> Iterator[Warning_]:
    for info in facts.backends:
        if info.state not in NOT_THERE or _was_answered(info, facts):
            continue
        lost = failed_requests(info.name, facts.measurements)
        parts = [f"{info.name}: {sentence(info.detail or info.state)}"]
        if lost.failed:
            parts.append(f"{lost.all_of_them} failed{lost.warmups_among}{lost.left_out}.")
        elif not _was_asked(info, facts):
            parts.append("Its cells stay empty.")
        yield Warning_("W8", " ".join(parts), "warning" if info.is_present else "note")


def _was_answered(info: BackendInfo, facts: Facts) -> bool:
    return any(cell.count for cell in facts.cells if cell.backend_name == info.name)


def _was_asked(info: BackendInfo, facts: Facts) -> bool:
    return any(each.backend_name == info.name for each in facts.measurements)


def _changed_pixels(facts: Facts) -> Iterator[str]:
    for note in facts.source.notes:
        yield sentence(note)


def _failed_requests(facts: Facts) -> Iterator[str]:
    for info in facts.backends:
        lost = failed_requests(info.name, facts.measurements)
        if lost.worst is None or (info.state in NOT_THERE and not _was_answered(info, facts)):
            continue  # W8 has said why
        asked = sum(each.backend_name == info.name for each in facts.measurements) - lost.not_sent
        what = lost.all_of_them if lost.failed == asked else f"{lost.failed:,} of {count(asked, 'request')}"
        unaffected = " Other backends are unaffected." if len(facts.backends) > 1 else ""
        yield (
            f"{what} to {info.name} failed{lost.warmups_among}, "
            f"in {count(lost.cells, 'cell')}{lost.left_out}: {sentence(lost.worst.message)}{unaffected}"
        )


def _other_reference(facts: Facts) -> Iterator[str | Warning_]:
    for each in facts.variants:
        if each.is_reference and each.made_in == "browser":
            yield (
                f"The original was not uploaded. The reference is the largest variant that the browser made, "
                f"{sized_name(each)}: agreement is with the answer to that."
            )
        elif each.is_reference and each.encoder not in NOT_ENCODED:
            yield f"The reference is not the file as uploaded. It is {sentence(each.encoder, capital=False)}"
        elif each.is_reference:
            yield from _much_left_out(facts.source, each)


def _much_left_out(source: SourceImage, reference: Variant) -> Iterator[Warning_]:
    """Of a motion photo most is no picture, and "2.6 % of original" beside the original would puzzle."""
    left_out_bytes = source.size_bytes - reference.size_bytes
    if left_out_bytes >= MUCH_LEFT_OUT * source.size_bytes:
        yield Warning_(
            "W11",
            f"{size(left_out_bytes)} of the {size(source.size_bytes)} uploaded are not the picture (but a "
            "video, a thumbnail, EXIF or the like). The original was sent without them, "
            f"{size(reference.size_bytes)}; percentages are of the whole file.",
            "note",
        )


def _early_end(facts: Facts) -> Iterator[str]:
    if facts.state not in {"cancelled", "failed"}:
        return
    what = "Stopped" if facts.state == "cancelled" else "The run failed"
    yield (
        f"{what} after {len(facts.measurements):,} of {count(facts.requests_planned, 'request')}. "
        "The results so far are kept."
    )


def short_of_cores(facts: Situation) -> Iterator[str]:
    """Backends whose name promises more than they have."""
    for info in facts.backends:
        cores = fewer_cores(info)
        if cores and info.state not in NOT_THERE:
            yield (
                f"{info.name} runs on {cores}, all that this machine has: its numbers are those of {cores}."
            )
