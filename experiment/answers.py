"""From a model's raw outputs to a checked top 5. Both protocols use it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from experiment.backends import RequestFailed
from experiment.records import BackendInfo, Label

TOP_K = 5


def top_labels(
    info: BackendInfo, classes: Sequence[str | bytes], scores: Sequence[float]
) -> tuple[Label, ...]:
    """Pair classes with scores, best first, at most five.

    Raises RequestFailed("bad_answer") when counts differ, nothing came, or a score is
    not a number between 0 and 1 (a model that returns logits gives no probabilities).
    """
    if not classes or len(classes) != len(scores):
        raise RequestFailed(
            "bad_answer",
            f"{info.name} answered {len(classes)} classes and {len(scores)} scores; "
            f"the signature {info.signature} must give as many of the one as of the other.",
        )
    for score in scores:
        if not isinstance(score, int | float) or math.isnan(score) or not -1e-6 <= score <= 1 + 1e-4:
            raise RequestFailed(
                "bad_answer",
                f"{info.name} answered the score {score!r}; probabilities from 0 to 1 are expected. "
                "Export the model with a softmax.",
            )
    pairs = sorted(zip(classes, scores, strict=True), key=lambda pair: -pair[1])[:TOP_K]
    return tuple(Label(_text(name), min(max(score, 0.0), 1.0)) for name, score in pairs)


def distribution(values: Sequence[float]) -> tuple[float, ...] | None:
    """All scores as given, or None when they are no probability distribution."""
    if not values or any(not 0 <= value <= 1 for value in values) or abs(sum(values) - 1) > 0.01:
        return None
    return tuple(values)


def _text(name: str | bytes) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
