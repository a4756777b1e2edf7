"""From what a server answered to a checked top 5. Both protocols use it.

Whatever a server sends is input: nothing of it is believed before it was looked at here.
"""

from __future__ import annotations

import heapq
import json
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from experiment.backends.base import RequestFailed
from experiment.records import BackendInfo, Label
from experiment.wording import told

TOP_K = 5
LONGEST_LABEL = 200  # characters. A longer one is refused, not cut: cut, two labels could become the same
MOST_STAGES = 16
MOST_CLASSES = 100_000  # of more, all scores are not kept: they would weigh more than the photo

_STAGE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_LINE_BREAKS = re.compile("[\t-\r\x1c-\x1f\x85\u2028\u2029]+")
_UNFIT = {"Cc", "Cs"}  # Unicode categories: control characters, halves of surrogate pairs
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # the text around them


def top_labels(info: BackendInfo, classes: Sequence[Any], scores: Sequence[Any]) -> tuple[Label, ...]:
    """Pair classes with scores, best first, at most five.

    Raises RequestFailed("bad_answer") when counts differ, nothing came, a class is no text of at
    most LONGEST_LABEL characters, or a score is not a number between 0 and 1 (a model that returns
    logits gives no probabilities).
    """
    if not classes or len(classes) != len(scores):
        raise bad_answer(
            info,
            f"{len(classes)} classes and {len(scores)} scores; "
            f"the signature {info.signature} must give as many of the one as of the other.",
        )
    for score in scores:
        if not _is_number(score) or not -1e-6 <= score <= 1 + 1e-4:  # false for NaN
            raise bad_answer(
                info,
                f"the score {told(repr(score), 40)}; probabilities from 0 to 1 are expected. "
                "Export the model with a softmax.",
            )
    pairs = heapq.nlargest(TOP_K, zip(classes, scores, strict=True), key=lambda pair: pair[1])
    return tuple(Label(_label(info, name), min(max(float(score), 0.0), 1.0)) for name, score in pairs)


def distribution(info: BackendInfo, values: Any) -> tuple[float, ...] | None:
    """All scores as given; None when they are no probability distribution, or too many to keep.

    Raises RequestFailed("bad_answer") for something other than a list of numbers.
    """
    if not isinstance(values, list) or not all(_is_number(value) for value in values):
        raise bad_answer(info, "probabilities that are not a list of numbers.")
    if not 0 < len(values) <= MOST_CLASSES or any(not 0 <= value <= 1 for value in values):
        return None
    return tuple(values) if abs(sum(values) - 1) <= 0.01 else None


def stages(sent: Iterable[tuple[str, str]]) -> dict[str, float]:
    """Times in ms that a server tells about its own stages. What makes no sense counts as not told."""
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
    """What the JSON holds. Raises ValueError for all that can't be read, deep nesting too."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def bad_answer(info: BackendInfo, what: str) -> RequestFailed:
    """The failure of a request whose answer makes no sense."""
    return RequestFailed("bad_answer", f"{info.name} answered {what}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _label(info: BackendInfo, name: Any) -> str:
    text = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
    if not isinstance(text, str):
        raise bad_answer(info, f"the class {told(repr(text), 40)}; a label is expected, which is text.")
    if len(text) > LONGEST_LABEL:
        raise bad_answer(
            info,
            f"a label of {len(text):,} characters ({told(text, 40)}); at most {LONGEST_LABEL} are taken. "
            "Is the output classes the one that holds the labels?",
        )
    return text if text.isprintable() else _printable(text)


def _printable(label: str) -> str:
    """Line breaks as spaces, and a mark for each character that can't be shown or stored."""
    one_line = _LINE_BREAKS.sub(" ", label).strip()
    return "".join(
        "\ufffd" if unicodedata.category(each) in _UNFIT or each in _TURNING else each for each in one_line
    )
