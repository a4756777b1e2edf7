"""The warnings of a report: what its reader must know before believing a number.

Each code stands for one kind of warning and keeps its meaning for ever.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from experiment.records import (
    BackendInfo,
    Cell,
    Failure,
    Label,
    Measurement,
    Order,
    Run,
    SourceImage,
    Variant,
    Warning_,
)
from experiment.report.agreement import SAME_SCORE
from experiment.report.backend_choice import fewer_cores
from experiment.report.contention import NOT_THERE, host_of, rivals_for_cores, rivals_for_machine
from experiment.report.statistics import SAMPLES_FOR_P90, SAMPLES_FOR_P99
from experiment.report.validity import LATE_MS, MAY_BE_OFF
from experiment.report.versions import seen_in, several_versions
from experiment.wording import NOT_ENCODED, count, format_name, listed, sentence, size, sized_name

CODES = {
    "W1": "the browser changes the pixels that it made variants of",
    "W2": "too few samples for p90",
    "W3": "backends share a machine and were measured at the same time",
    "W4": "this machine was busy with other work while measuring",
    "W5": "not every replica of a service was asked",
    "W6": "sizes above the original were skipped",
    "W7": "the same bytes got different answers",
    "W8": "a backend could not be used",
    "W9": "the photo's pixels were changed to make them usable",
    "W10": "requests failed",
    "W11": "the reference is not the file as uploaded",
    "W12": "the run ended early",
    "W13": "a backend runs on fewer cores than its name says",
    "W22": "the backends serve different models",
    "W23": "a backend can't read a format of the plan",
    "W24": "a backend answered with several versions of its model",
}
SET_CODES = {  # of reports about many photos, which have most of the others too; see photo_sets/warnings.py
    "W14": "photos could not be used",
    "W15": "labels that the model does not know",
    "W16": "labels that no answer named",
    "W17": "too few photos to see small differences",
    "W18": "a CSV of labels and the photos of the set are not about the same files",
    "W19": "several workers asked the same backends at once",
}
# Good to know; the numbers can be believed all the same.
NOTES = frozenset({"W2", "W6", "W9", "W13", "W17", "W22"})

ENDED_EARLY = frozenset({"cancelled", "failed"})  # states of runs

# The share of an upload that may be missing from the reference before a note says so.
MUCH_LEFT_OUT = 0.05


def warnings_of(run: Run, cells: Sequence[Cell], *, was_busy: bool) -> tuple[Warning_, ...]:
    """Every warning that a run calls for, in the order of their codes. `was_busy` as in validity.py."""
    found: tuple[tuple[str, Iterable[str | Warning_]], ...] = (
        ("W1", _canvas_noise(run.variants)),
        ("W2", _few_samples(run, cells)),
        ("W3", shared_machine(run.backends, run.plan.order)),
        ("W4", busy_machine(cells, was_busy=was_busy)),
        ("W5", _silent_replicas(run)),
        ("W6", _skipped_sizes(run.skipped_sizes_px)),
        ("W7", _fickle_answers(run)),
        ("W8", _unusable_backends(run, cells)),
        ("W9", map(sentence, run.source.notes)),
        ("W10", _failed_requests(run, cells)),
        ("W11", _other_reference(run)),
        ("W12", _early_end(run)),
        ("W13", short_of_cores(run.backends)),
        ("W22", different_models(run.backends, cells)),
        ("W23", unread_formats(run.backends, run.plan.formats)),
        ("W24", several_versions(run.backends, seen_in(run.measurements))),
    )
    return as_warnings(found)


def as_warnings(found: Iterable[tuple[str, Iterable[str | Warning_]]]) -> tuple[Warning_, ...]:
    """What was found under each code, as warnings with its level."""
    return tuple(
        found_one
        if isinstance(found_one, Warning_)
        else Warning_(code, found_one, "note" if code in NOTES else "warning")
        for code, words in found
        for found_one in words
    )


def unread_formats(backends: Iterable[BackendInfo], formats: Sequence[str]) -> Iterator[str]:
    """The formats that backends refused before the run, so that none of their variants was sent."""
    for info in backends:
        unread = dict.fromkeys(format_name(key) for key in formats if not info.reads_format(key))
        if unread:
            yield f"{info.name} can't read {listed(list(unread))}: those variants were not sent to it."


def different_models(backends: Iterable[BackendInfo], cells: Iterable[Cell]) -> Iterator[str]:
    """That agreement does not compare the models of those that answered, if they have several."""
    answered = {cell.backend_name for cell in cells if cell.count}
    names: dict[str, list[str]] = {}
    for info in backends:
        if info.name in answered and info.model:
            names.setdefault(info.model, []).append(info.name)
    if len(names) > 1:
        served = listed([f"{model} ({', '.join(served_by)})" for model, served_by in names.items()])
        yield (
            f'The backends serve different models: {served}. "Same answer" compares each with its own answer '
            "to the original, so it does not say which model is right more often. To see that, give the true "
            "label, or measure a set of photos with labels."
        )


def _canvas_noise(variants: Iterable[Variant]) -> Iterator[str]:
    if any(variant.canvas_noise for variant in variants):
        yield (
            "Your browser changes pixels it reads back (fingerprinting protection). Variants made in the "
            "browser contain noise and may be judged differently by the model. Use server resize, or allow "
            "canvas for this site."
        )


def _few_samples(run: Run, cells: Iterable[Cell]) -> Iterator[str]:
    """By the plan, or by what there is if the run ended early."""
    counts = [run.plan.repeats]
    if run.state in ENDED_EARLY:
        counts = [cell.count for cell in cells if cell.count]
    if not counts or max(counts) >= SAMPLES_FOR_P90:
        return
    fewest, most = min(counts), max(counts)
    samples = count(most, "sample") if fewest == most else f"{fewest:,} to {count(most, 'sample')}"
    gives = "gives" if most == 1 else "give"
    yield f"{samples} per cell {gives} a median; p90 needs {SAMPLES_FOR_P90}, p99 needs {SAMPLES_FOR_P99}."


def shared_machine(backends: Sequence[BackendInfo], order: Order) -> Iterator[str]:
    """Backends that may have slowed each other."""
    for names in _distinct_groups(rivals_for_cores(backends, order)):
        yield (
            f"{listed(names)} share cores and were measured at the same time, so they slowed each other. "
            'Run again with the order "auto".'
        )
    hosts = {info.name: host_of(info) for info in backends}
    for names in _distinct_groups(rivals_for_machine(backends, order)):
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


def busy_machine(cells: Sequence[Cell], *, was_busy: bool) -> Iterator[str | Warning_]:
    """Samples that other work on this machine touched: a note while they could be set apart."""
    apart = sum(len(cell.disturbed_samples_ms) for cell in cells)
    kept = [cell for cell in cells if cell.disturbed_counted]
    touched = apart + sum(cell.disturbed_counted for cell in kept)
    if touched:
        samples = sum(cell.count for cell in cells)
        words = f"Other work on this machine delayed {touched:,} of {count(samples, 'sample')}. "
        if kept:
            cells_are = "1 cell is" if len(kept) == 1 else f"{len(kept):,} cells are"
            words += f"{cells_are} NOISY for it, as too few others are left there. Close other programs."
        else:
            words += "Each p50 is without them, and its interval allows for that."
        yield Warning_("W4", words, "warning" if kept else "note")
    if was_busy and any(cell.p50_ms is not None and cell.p50_ms < LATE_MS for cell in cells):
        yield MAY_BE_OFF


def _silent_replicas(run: Run) -> Iterator[str]:
    """Only where it is known who answered, and that there are more who could have."""
    answers: dict[str, list[str]] = defaultdict(list)
    for each in run.measurements:
        if each.prediction and each.prediction.peer and not each.is_warmup and each.asked_for == "predict":
            answers[each.backend_name].append(each.prediction.peer)
    for info in run.backends:
        peers = answers[info.name]
        asked, there = len(set(peers)), info.replicas or 0
        if asked < there <= len(peers):
            yield (
                f"All {count(len(peers), 'answer')} of {info.name} came from "
                f"{count(asked, 'replica')} although it has {there}. "
                "You are not measuring all of it: are the others ready?"
            )


def _skipped_sizes(skipped_sizes_px: Iterable[int]) -> Iterator[str]:
    sizes = sorted(skipped_sizes_px, reverse=True)
    if sizes:
        was = "was" if len(sizes) == 1 else "were"
        yield (
            f"The original is smaller than {sizes[-1]} px, so {listed([str(size) for size in sizes])} "
            f"{was} skipped. Nothing is enlarged."
        )


def _fickle_answers(run: Run) -> Iterator[str]:
    for info in run.backends:
        answers: dict[str, list[tuple[Label, ...]]] = {}
        for measurement in run.measurements:
            prediction = measurement.prediction
            if measurement.backend_name == info.name and prediction and prediction.top:
                answers.setdefault(measurement.variant_id, []).append(prediction.top)
        changed = [_change(tops) for tops in answers.values()]
        largest = max((points for points, _ in changed), default=0.0)
        new_label = any(other_label for _, other_label in changed)
        if new_label or largest > SAME_SCORE:
            yield (
                f"The answer changes between repeats of identical bytes on {info.name} "
                f"(by up to {largest * 100:.1f} points{', even the top label' if new_label else ''}): "
                "the backend is not deterministic. Trust agreement only where it changes by more than that."
            )


def _change(tops: Sequence[tuple[Label, ...]]) -> tuple[float, bool]:
    """The largest change of a label's probability, and whether the top label changed."""
    scores: dict[str, list[float]] = {}
    for top in tops:
        for label in top:
            scores.setdefault(label.label, []).append(label.score)
    spread = max(max(values) - min(values) for values in scores.values())
    return spread, len({top[0].label for top in tops}) > 1


def _unusable_backends(run: Run, cells: Sequence[Cell]) -> Iterator[Warning_]:
    for info in run.backends:
        if info.state not in NOT_THERE or _was_answered(info, cells):
            continue
        lost = failed_requests(info.name, run.measurements)
        why = sentence(info.detail or info.state)
        if lost.failed:
            yield Warning_(
                "W8", f"{info.name}: {why} {lost.all_of_them} failed{lost.warmups_among}{lost.left_out}."
            )
        else:
            yield left_out(info, why)


def left_out(info: BackendInfo, why: str) -> Warning_:
    """A backend that was not asked at all: good to know, and no number is worse for it."""
    return Warning_("W8", f"{info.name} was left out: {why}", "note")


def _was_answered(info: BackendInfo, cells: Iterable[Cell]) -> bool:
    return any(cell.count for cell in cells if cell.backend_name == info.name)


def _failed_requests(run: Run, cells: Sequence[Cell]) -> Iterator[str]:
    for info in run.backends:
        lost = failed_requests(info.name, run.measurements)
        if lost.worst is None or (info.state in NOT_THERE and not _was_answered(info, cells)):
            continue  # W8 has said why
        asked = sum(measurement.backend_name == info.name for measurement in run.measurements) - lost.not_sent
        what = lost.all_of_them if lost.failed == asked else f"{lost.failed:,} of {count(asked, 'request')}"
        unaffected = " Other backends are unaffected." if len(run.backends) > 1 else ""
        yield (
            f"{what} to {info.name} failed{lost.warmups_among}, "
            f"in {count(lost.cells, 'cell')}{lost.left_out}: {sentence(lost.worst.message)}{unaffected}"
        )


def _other_reference(run: Run) -> Iterator[str | Warning_]:
    for variant in run.variants:
        if variant.is_reference and variant.made_in == "browser":
            yield (
                f"The original was not uploaded. The reference is the largest variant that the browser made, "
                f"{sized_name(variant)}: agreement is with the answer to that."
            )
        elif variant.is_reference and variant.encoder not in NOT_ENCODED:
            yield (
                f"The reference is not the file as uploaded. It is {sentence(variant.encoder, capital=False)}"
            )
        elif variant.is_reference:
            yield from _much_left_out(run.source, variant)


def _much_left_out(source: SourceImage, reference: Variant) -> Iterator[Warning_]:
    """Most of a motion photo is video: "2.6 % of original" beside the original needs this note."""
    left_out_bytes = source.size_bytes - reference.size_bytes
    if left_out_bytes >= MUCH_LEFT_OUT * source.size_bytes:
        yield Warning_(
            "W11",
            f"{size(left_out_bytes)} of the {size(source.size_bytes)} uploaded are not the picture itself "
            "but, for example, a video, a thumbnail or EXIF. The original was sent without them, "
            f"{size(reference.size_bytes)}; percentages are of the whole file.",
            "note",
        )


def _early_end(run: Run) -> Iterator[Warning_]:
    if run.state not in ENDED_EARLY:
        return
    what = "Stopped" if run.state == "cancelled" else "The run failed"
    done = f"{len(run.measurements):,} of {count(run.requests_planned, 'request')}"
    words = f"{what} after {done}. The results so far are kept."
    yield Warning_("W12", words, "note" if run.state == "cancelled" else "warning")


def short_of_cores(backends: Iterable[BackendInfo]) -> Iterator[str]:
    """Backends whose name promises more than they have."""
    for info in backends:
        cores = fewer_cores(info)
        if cores and info.state not in NOT_THERE:
            yield (
                f"{info.name} runs on {cores}, all that this machine has: its numbers are those of {cores}."
            )


@dataclass(frozen=True, slots=True)
class FailedRequests:
    """The failed requests to one backend."""

    failed: int  # of those sent
    not_sent: int  # left out after these
    warmups: int  # of these
    cells: int  # variants that they belong to
    worst: Failure | None  # the most frequent one; None: nothing failed

    @property
    def all_of_them(self) -> str:
        """ "All 9 requests", for a backend that answered nothing."""
        return "The only request" if self.failed == 1 else f"All {self.failed:,} requests"

    @property
    def left_out(self) -> str:
        """ "; 411 more were not sent", or nothing."""
        if not self.not_sent:
            return ""
        return f"; {self.not_sent:,} more {'was' if self.not_sent == 1 else 'were'} not sent"

    @property
    def warmups_among(self) -> str:
        """ " (3 of them warm-ups)", or nothing."""
        if not self.warmups:
            return ""
        kind = "a warm-up" if self.warmups == 1 else "warm-ups"
        return f" ({kind})" if self.failed == self.warmups else f" ({self.warmups:,} of them {kind})"


def failed_requests(backend_name: str, measurements: Sequence[Measurement]) -> FailedRequests:
    """Count what failed on one backend."""
    lost = [
        measurement
        for measurement in measurements
        if measurement.backend_name == backend_name and measurement.failure is not None
    ]
    failed = [measurement for measurement in lost if measurement.failure and measurement.failure.was_sent]
    failures = [measurement.failure for measurement in failed if measurement.failure is not None]
    codes = Counter(failure.code for failure in failures)
    return FailedRequests(
        failed=len(failed),
        not_sent=len(lost) - len(failed),
        warmups=sum(measurement.is_warmup for measurement in failed),
        cells=len({measurement.variant_id for measurement in failed}),
        worst=max(failures, key=lambda failure: codes[failure.code], default=None),
    )
