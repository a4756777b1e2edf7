"""Whether an answer is still right: agreement with the original's, accuracy with a true label.

Agreement compares two answers of the same backend. Accuracy compares an answer with what
the user says the photo shows; without that only agreement is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from experiment.labels import same_thing
from experiment.records import Label, Measurement, Prediction
from experiment.report.statistics import jensen_shannon_distance

SAME_SCORE = 0.0005  # probabilities that differ by no more are the same: arithmetic has noise


@dataclass(frozen=True, slots=True)
class Agreement:
    """One answer against the answer to the reference. None: it can't be known."""

    same_top1: bool | None = None
    top5_overlap: float | None = None  # share of the reference's top labels that is kept, 0..1
    reference_score: float | None = None  # probability of the reference's top label, 0..1
    reference_score_change: float | None = None  # percentage points
    js_distance: float | None = None  # 0..1


def first_answer(measurements: Iterable[Measurement]) -> Prediction | None:
    """What a backend says of a variant: its first counted answer. None: it gave none."""
    counted = (
        measurement
        for measurement in measurements
        if not measurement.is_warmup and measurement.asked_for == "predict"
    )
    return next((measurement.prediction for measurement in counted if measurement.prediction), None)


def agreement(answer: Prediction | None, reference: Prediction | None) -> Agreement:
    """How much of `reference` the `answer` keeps. All None when either is missing."""
    if answer is None or reference is None or not answer.top or not reference.top:
        return Agreement()
    expected = reference.top[0]
    score = _score_of(expected, answer, reference)
    first, second = answer.distribution, reference.distribution
    distance = None
    if first is not None and second is not None and len(first) == len(second):
        distance = jensen_shannon_distance(first, second)
    kept = {label.label for label in answer.top} & {label.label for label in reference.top}
    return Agreement(
        same_top1=answer.top[0].label == expected.label,
        top5_overlap=len(kept) / len({label.label for label in reference.top}),
        reference_score=score,
        reference_score_change=None if score is None else (score - expected.score) * 100,
        js_distance=distance,
    )


def correctness(top: Sequence[Label], true_label: str | None) -> tuple[bool | None, bool | None]:
    """Whether the first label, and any of the top 5, is the true one. None without a true label."""
    if true_label is None or not top:
        return None, None
    right = [same_thing(guess.label, true_label) for guess in top]
    return right[0], any(right)


def _score_of(expected: Label, answer: Prediction, reference: Prediction) -> float | None:
    """The probability of `expected` in `answer`; below its top 5 only the whole distribution has it."""
    for label in answer.top:
        if label.label == expected.label:
            return label.score
    if answer.distribution is None or reference.distribution is None:
        return None
    if len(answer.distribution) != len(reference.distribution):
        return None
    return answer.distribution[reference.distribution.index(max(reference.distribution))]
