"""Every answer of a set as CSV: one row for each photo, variant and backend."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from typing import IO, Any

from experiment.codec import csv_field
from experiment.labels import Vocabulary
from experiment.photo_sets.photo_result import PhotoResult
from experiment.records import Measurement, Prediction

COLUMNS = (
    "photo",
    "label",
    "variant_id",
    "backend_name",
    "size_bytes",
    "attempt",
    "latency_ms",
    "top_label",
    "top_score",
    "correct_top1",
    "correct_top5",
    "same_top1",
    "failure_code",
)


class AnswerRows:
    """Writes counted requests photo by photo; warm-ups are left out. Unknown values are empty."""

    def __init__(self, vocabularies: Mapping[str, Vocabulary], file: IO[str]):
        """`vocabularies`: what the model behind each backend can answer, by backend name."""
        self._vocabularies = vocabularies
        self._writer = csv.DictWriter(file, COLUMNS, lineterminator="\r\n")
        self._writer.writeheader()

    def add(self, result: PhotoResult) -> None:
        """Write the rows of one photo."""
        for row in _rows(result, self._vocabularies):
            self._writer.writerow({key: csv_field(value) for key, value in row.items()})


def _rows(result: PhotoResult, vocabularies: Mapping[str, Vocabulary]) -> Iterator[dict[str, Any]]:
    sizes_bytes = {variant.id: variant.size_bytes for variant in result.variants}
    reference_ids = {variant.id for variant in result.variants if variant.is_reference}
    references = {
        request.backend_name: request.prediction
        for request in reversed(result.measurements)
        if request.variant_id in reference_ids and request.prediction and not request.is_warmup
    }
    for measurement in result.measurements:
        if not measurement.is_warmup:
            vocabulary = vocabularies.get(measurement.backend_name, Vocabulary())
            yield {
                "photo": result.name,
                "label": result.label,
                "variant_id": measurement.variant_id,
                "backend_name": measurement.backend_name,
                "size_bytes": sizes_bytes[measurement.variant_id],
                "attempt": measurement.attempt,
                "latency_ms": None if measurement.latency_ms is None else round(measurement.latency_ms, 3),
                **_answer(measurement, result.label, vocabulary, references.get(measurement.backend_name)),
            }


def _answer(
    measurement: Measurement, label: str | None, vocabulary: Vocabulary, reference: Prediction | None
) -> dict[str, Any]:
    if measurement.prediction is None:
        return {"failure_code": measurement.failure.code if measurement.failure else None}
    top = measurement.prediction.top
    truth = None if label is None else vocabulary.own_label(label)
    right = None if truth is None else [vocabulary.is_right(guess.label, truth) for guess in top]
    same = (
        None if reference is None or not reference.top or not top else top[0].label == reference.top[0].label
    )
    return {
        "top_label": top[0].label if top else None,
        "top_score": round(top[0].score, 6) if top else None,
        "correct_top1": None if right is None else bool(right and right[0]),
        "correct_top5": None if right is None else any(right),
        "same_top1": same,
    }
