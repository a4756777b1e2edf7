"""The results of a set, added up photo by photo. Holds counts and numbers, never a photo."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from experiment.labels import Vocabulary
from experiment.photo_sets.photo_result import PhotoResult
from experiment.records import NOT_SENT, Failure, Measurement, Prediction, SkippedPhoto, Variant
from experiment.report.agreement import first_answer
from experiment.report.statistics import is_disturbed, percentile
from experiment.report.versions import VersionsSeen


def floats() -> array[float]:
    """Eight bytes for each number."""
    return array("d")


@dataclass(slots=True)
class Failures:
    """What one backend did not answer."""

    asked: int = 0
    warmups_failed: int = 0
    by_code: Counter[str] = field(default_factory=Counter)
    example: dict[str, Failure] = field(default_factory=dict)  # the first one of each code

    def add(self, measurement: Measurement) -> None:
        """Count one request."""
        self.asked += 1
        if measurement.failure is not None:
            self.warmups_failed += measurement.is_warmup and measurement.failure.was_sent
            self.by_code[measurement.failure.code] += 1
            self.example.setdefault(measurement.failure.code, measurement.failure)

    @property
    def unanswered(self) -> int:
        """Requests without an answer."""
        return self.by_code.total()

    @property
    def not_sent(self) -> int:
        """Those of them that were left out."""
        return self.by_code[NOT_SENT]

    @property
    def failed(self) -> int:
        """Those of them that were sent."""
        return self.unanswered - self.not_sent

    @property
    def most_frequent(self) -> tuple[Failure, ...]:
        """One for each code, the most frequent code first."""
        return tuple(self.example[code] for code, _ in self.by_code.most_common())


@dataclass(slots=True)
class CellCounts:
    """One variant on one backend."""

    samples_ms: array[float] = field(default_factory=floats)  # one for each photo: its median
    disturbed: bytearray = field(
        default_factory=bytearray
    )  # for each of them: whether nothing of it was quiet
    failures: Failures = field(default_factory=Failures)  # of counted requests
    cold_ms: float | None = None
    was_warmed: bool = False
    stages_ms: defaultdict[str, array[float]] = field(default_factory=lambda: defaultdict(floats))
    request_bytes: array[float] = field(default_factory=floats)
    response_bytes: array[float] = field(default_factory=floats)
    judged: int = 0  # photos with a label that the model knows
    top1: int = 0
    top5: int = 0
    compared: int = 0  # photos that the reference was answered for as well
    agreed: int = 0
    both: int = 0  # of those judged and compared: right here and for the reference
    gained: int = 0
    lost: int = 0
    neither: int = 0


@dataclass(slots=True)
class VariantCounts:
    """One variant over all photos that are large enough for it."""

    makings: Counter[tuple[str, str]] = field(default_factory=Counter)  # photos by format and encoder
    examples: dict[tuple[str, str], Variant] = field(default_factory=dict)  # the first one of each
    longest_px: array[float] = field(default_factory=floats)
    widths_px: array[float] = field(default_factory=floats)
    heights_px: array[float] = field(default_factory=floats)
    sizes_bytes: array[float] = field(default_factory=floats)
    percents: array[float] = field(default_factory=floats)  # of the bytes of the photo's own file
    decode_ms: array[float] = field(default_factory=floats)
    resize_ms: array[float] = field(default_factory=floats)
    encode_ms: array[float] = field(default_factory=floats)
    digest: Any = field(default_factory=hashlib.sha256)  # over the sha256 of each photo's

    @property
    def typical(self) -> Variant:
        """What most photos' are like; of originals some may have been encoded again."""
        return self.examples[self.makings.most_common(1)[0][0]]

    def add(self, variant: Variant, original_bytes: int) -> None:
        """Take in one photo's; the photo's file has `original_bytes`."""
        making = (variant.format, variant.encoder)
        self.makings[making] += 1
        self.examples.setdefault(making, variant)
        self.percents.append(100 * variant.size_bytes / max(1, original_bytes))
        self.longest_px.append(variant.size_px)
        self.widths_px.append(variant.width_px)
        self.heights_px.append(variant.height_px)
        self.sizes_bytes.append(variant.size_bytes)
        for name in ("decode_ms", "resize_ms", "encode_ms"):
            value_ms = getattr(variant, name)
            if value_ms is not None:
                getattr(self, name).append(value_ms)
        self.digest.update(bytes.fromhex(variant.sha256))


class SetCounts:
    """Everything that the report of a set is computed from. Results are added in order."""

    def __init__(self, vocabularies: Mapping[str, Vocabulary] | None = None):
        """`vocabularies`: what the model behind each backend can answer, by backend name."""
        self._vocabularies = vocabularies or {}
        self._unknown = Vocabulary()
        self.cells: dict[tuple[str, str], CellCounts] = defaultdict(CellCounts)
        self.variants: dict[str, VariantCounts] = {}
        self.backends: dict[str, Failures] = defaultdict(Failures)
        self.versions: dict[str, VersionsSeen] = defaultdict(VersionsSeen)
        self.between: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])
        self.done = 0  # photos, those skipped too
        self.measured = 0
        self.labelled = 0
        self.skipped: list[SkippedPhoto] = []
        self.unknown_labels: Counter[str] = Counter()
        self.wanted_labels: Counter[str] = Counter()
        self.seen_labels: set[str] = set()
        self.skipped_sizes_px: Counter[int] = Counter()
        self.notes: Counter[str] = Counter()
        self.media_types: Counter[str] = Counter()
        self.widths_px, self.heights_px, self.sizes_bytes, self.decode_ms = (floats() for _ in range(4))
        self.beats = self.late_beats = 0
        self.max_delay_ms = 0.0
        self.unwatched = False  # some answer was not watched for late beats: a journal from before 1.7
        self.together: Counter[tuple[str, int]] = Counter()  # photos by engine and its number of workers
        self.hosts: set[str] = set()  # of those workers

    def add(self, result: PhotoResult) -> None:
        """Take in the next photo."""
        self.done += 1
        if result.worker is not None:
            self.together[result.worker.engine, result.worker.workers] += 1
            self.hosts.add(result.worker.host)
        if result.refused is not None:
            refusal = result.refused
            self.skipped.append(SkippedPhoto(result.name, refusal.code, refusal.message))
            return
        self.measured += 1
        self._add_photo(result)
        for variant in result.variants:
            self.variants.setdefault(variant.id, VariantCounts()).add(variant, result.size_bytes or 0)
        groups: dict[tuple[str, str], list[Measurement]] = defaultdict(list)
        for measurement in result.measurements:
            self.backends[measurement.backend_name].add(measurement)
            self.versions[measurement.backend_name].add(measurement)
            groups[measurement.variant_id, measurement.backend_name].append(measurement)
        for key, group in groups.items():
            self._add_latencies(self.cells[key], group)
        self._add_answers(
            result, {key: answer for key, group in groups.items() if (answer := first_answer(group))}
        )

    @property
    def requests_done(self) -> int:
        """All requests so far, warm-ups too."""
        return sum(failures.asked for failures in self.backends.values())

    @property
    def requests_failed(self) -> int:
        """Those that were sent and not answered."""
        return sum(failures.failed for failures in self.backends.values())

    @property
    def requests_not_sent(self) -> int:
        """Those that were left out."""
        return sum(failures.not_sent for failures in self.backends.values())

    def _add_photo(self, result: PhotoResult) -> None:
        self.skipped_sizes_px.update(result.skipped_sizes_px)
        self.notes.update(result.notes)
        self.media_types[result.media_type or ""] += 1
        self.widths_px.append(result.width_px or 0)
        self.heights_px.append(result.height_px or 0)
        self.sizes_bytes.append(result.size_bytes or 0)
        self.decode_ms.append(result.decode_ms or 0)
        self.beats += result.beats.count
        self.late_beats += result.beats.late
        self.max_delay_ms = max(self.max_delay_ms, result.beats.max_delay_ms)

    def _add_latencies(self, cell: CellCounts, group: Sequence[Measurement]) -> None:
        if not cell.was_warmed and group[0].is_warmup:
            cell.was_warmed = True
            cell.cold_ms = group[0].rounded_ms if group[0].prediction else None
        counted = [measurement for measurement in group if not measurement.is_warmup]
        for measurement in counted:
            cell.failures.add(measurement)
        answered = [measurement for measurement in counted if measurement.prediction is not None]
        if answered:
            quiet = [each for each in answered if not is_disturbed(each.rounded_ms, each.late_ms)]
            cell.samples_ms.append(percentile([each.rounded_ms for each in quiet or answered], 50))
            cell.disturbed.append(not quiet)
            self.unwatched = self.unwatched or any(each.late_ms is None for each in answered)
            first = answered[0].prediction
            assert first is not None  # noqa: S101
            cell.request_bytes.append(first.request_bytes)
            cell.response_bytes.append(first.response_bytes)
            for stage, value_ms in first.server_ms.items():
                cell.stages_ms[stage].append(value_ms)

    def _add_answers(self, result: PhotoResult, answers: Mapping[tuple[str, str], Prediction]) -> None:
        references = {variant.id for variant in result.variants if variant.is_reference}
        names = sorted({measurement.backend_name for measurement in result.measurements})
        truths = {name: self._truth(name, result.label) for name in names}
        self._count_label(result.label, truths)
        for name in names:
            reference = next(
                (
                    answers[reference_id, name]
                    for reference_id in references
                    if (reference_id, name) in answers
                ),
                None,
            )
            for variant in result.variants:
                if (variant.id, name) in answers:
                    self._judge(variant.id, name, answers[variant.id, name], reference, truths[name])
        for variant in result.variants:
            for one, other in combinations(names, 2):
                if (variant.id, one) in answers and (variant.id, other) in answers:
                    pair = self.between[variant.id, one, other]
                    pair[0] += _first(answers[variant.id, one]) == _first(answers[variant.id, other])
                    pair[1] += 1

    def _truth(self, backend_name: str, label: str | None) -> str | None:
        return None if label is None else self._vocabulary(backend_name).own_label(label)

    def _vocabulary(self, backend_name: str) -> Vocabulary:
        return self._vocabularies.get(backend_name, self._unknown)

    def _count_label(self, label: str | None, truths: Mapping[str, str | None]) -> None:
        if label is None or not truths:
            return
        known = next((truth for truth in truths.values() if truth is not None), None)
        if known is None:
            self.unknown_labels[label] += 1
        else:
            self.labelled += 1
            self.wanted_labels[known] += 1

    def _judge(
        self,
        variant_id: str,
        backend_name: str,
        answer: Prediction,
        reference: Prediction | None,
        truth: str | None,
    ) -> None:
        cell = self.cells[variant_id, backend_name]
        right = self._is_right(backend_name, answer, truth)
        if reference is not None:
            cell.compared += 1
            cell.agreed += _first(answer) == _first(reference)
        if truth is None:
            return
        cell.judged += 1
        cell.top1 += right[0]
        cell.top5 += any(right)
        if any(right):
            self.seen_labels.add(truth)
        if reference is not None:
            before = self._is_right(backend_name, reference, truth)[0]
            cell.both += right[0] and before
            cell.gained += right[0] and not before
            cell.lost += before and not right[0]
            cell.neither += not right[0] and not before

    def _is_right(self, backend_name: str, answer: Prediction, truth: str | None) -> list[bool]:
        """For each of the top labels; at least one entry."""
        if truth is None:
            return [False]
        vocabulary = self._vocabulary(backend_name)
        return [vocabulary.is_right(label.label, truth) for label in answer.top] or [False]


def _first(answer: Prediction) -> str | None:
    return answer.top[0].label if answer.top else None
