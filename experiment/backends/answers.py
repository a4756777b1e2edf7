"""Checks what a server answered: top 5, scores of all classes, stage times. Both protocols use it."""

from __future__ import annotations

import heapq
import json
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any
from unicodedata import category

from common.checks import is_number
from experiment.backends.base import RequestFailed
from experiment.records import BackendInfo, Label
from experiment.wording import one_line

TOP_K = 5
LONGEST_LABEL = 200  # characters. A longer one is refused: cut, two labels could become the same
MOST_STAGES = 16
MOST_CLASSES = 100_000  # the scores of more classes are not kept: they would be larger than the photo

_STAGE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_LINE_BREAKS = re.compile("[\t-\r\x1c-\x1f\x85\u2028\u2029]+")
_UNFIT = {"Cc", "Cs"}  # Unicode categories: control characters, halves of surrogate pairs
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # change its direction


def top_labels(info: BackendInfo, classes: Sequence[Any], scores: Sequence[Any]) -> tuple[Label, ...]:
    """The five best classes with their scores, best first. `classes` are bytes or text, `scores` as many
    numbers.

    Raises RequestFailed("bad_answer") if counts differ or are 0, a class is not text of at most LONGEST_LABEL
    characters, or a score is not a number from 0 to 1 (a model may return logits, not probabilities).
    """
    if not classes or len(classes) != len(scores):
        raise bad_answer(
            info,
            f"{len(classes)} classes and {len(scores)} scores; "
            f"the signature {info.signature} must return as many classes as scores.",
        )
    for score in scores:
        if not is_number(score) or not -1e-6 <= score <= 1 + 1e-4:  # false for NaN
            raise bad_answer(
                info,
                f"the score {one_line(repr(score), 40)}; probabilities from 0 to 1 are expected. "
                "Export the model with a softmax.",
            )
    pairs = heapq.nlargest(TOP_K, zip(classes, scores, strict=True), key=lambda pair: pair[1])
    return tuple(Label(_label(info, name), min(max(float(score), 0.0), 1.0)) for name, score in pairs)


def distribution(info: BackendInfo, values: Any) -> tuple[float, ...] | None:
    """The scores of all classes; None if they don't add up to 1, or are too many to keep.

    Raises RequestFailed("bad_answer") if `values` is not a list of numbers.
    """
    if not isinstance(values, list) or not all(is_number(value) for value in values):
        raise bad_answer(info, "probabilities that are not a list of numbers.")
    if not 0 < len(values) <= MOST_CLASSES or any(not 0 <= value <= 1 for value in values):
        return None
    return tuple(values) if abs(sum(values) - 1) <= 0.01 else None


def stages(sent: Iterable[tuple[str, str]]) -> dict[str, float]:
    """Stage -> ms, from a server's pairs of name and time. Pairs that make no sense are ignored."""
    found: dict[str, float] = {}
    for name, text in sent:
        try:
            time_ms = float(text)
        except ValueError:
            continue
        if math.isfinite(time_ms) and time_ms >= 0 and _STAGE_NAME.fullmatch(name):
            found[name] = time_ms
        if len(found) == MOST_STAGES:
            break
    return found


def parsed_json(text: str | bytes) -> Any:
    """The value of JSON. Raises ValueError if it can't be parsed, also for deep nesting."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def bad_answer(info: BackendInfo, what: str) -> RequestFailed:
    """The failure "bad_answer"; `what` goes on after "GPU answered"."""
    return RequestFailed("bad_answer", f"{info.name} answered {what}")


def _label(info: BackendInfo, name: Any) -> str:
    text = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
    if not isinstance(text, str):
        raise bad_answer(info, f"the class {one_line(repr(text), 40)}; a label is expected, which is text.")
    if len(text) > LONGEST_LABEL:
        raise bad_answer(
            info,
            f"a label of {len(text):,} characters ({one_line(text, 40)}); the limit is {LONGEST_LABEL}. "
            "Does the output `classes` hold labels?",
        )
    if text.isprintable():
        return text
    kept = _LINE_BREAKS.sub(" ", text).strip()
    return "".join("\ufffd" if category(char) in _UNFIT or char in _TURNING else char for char in kept)
