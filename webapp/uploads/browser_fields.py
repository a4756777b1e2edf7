"""What a page may say of its variants and its browser: the known keys, and what their values must be."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from experiment.errors import VariantsRefused
from experiment.images.browser import BROWSER_FORMATS, ENGINES
from experiment.measure.plan import SIZES_RANGE_PX

LONGEST_TEXT = 120  # of an encoder's or a browser's name
LONGEST_STAGE_MS = 3.6e6
MOST_ORIGINAL_BYTES, MOST_ORIGINAL_SIDE_PX = 10**10, 10**6  # of a photo that stayed in the browser
HOW = "docs/browser-resizing.md shows a request that works."


def json_of(text: str, field: str, kind: type, what: str) -> Any:
    """The value in a form field. Raises VariantsRefused for anything but a `kind`."""
    try:
        found = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise VariantsRefused([f"`{field}` is not valid JSON. It is {what}. {HOW}"]) from None
    if not isinstance(found, kind):
        raise VariantsRefused([f"`{field}` must be {what}. {HOW}"])
    return found


def _no_constant(name: str) -> float:
    raise ValueError(name)


def checked(
    row: Any, rules: Mapping[str, Rule], where: str, needed: Sequence[str], problems: list[str]
) -> dict[str, Any]:
    """The values of `row` that keep the rules; what breaks them is added to `problems`."""
    if not isinstance(row, dict):
        problems.append(f"{where} must be an object.")
        return {}
    problems += [f"{where} has a key {_quoted(key)} that is not known." for key in row if key not in rules]
    problems += [f"{where} has no {key}." for key in needed if row.get(key) is None]
    values = {key: row[key] for key in rules if row.get(key) is not None}
    problems += [
        f"{where}: {key} must be {rules[key].what}, not {_quoted(value)}."
        for key, value in values.items()
        if not rules[key].holds(value)
    ]
    return values


def _quoted(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 60 else text[:57] + "..."


@dataclass(frozen=True, slots=True)
class Rule:
    """What a value must be."""

    what: str
    holds: Callable[[Any], bool]


def _whole(low: int, high: int) -> Rule:
    def holds(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high

    return Rule(f"a whole number from {low} to {high}", holds)


def _number(high: float) -> Rule:
    def holds(value: Any) -> bool:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and 0 <= value <= high  # false for NaN

    return Rule(f"a number from 0 to {high:g}", holds)


def _one_of(known: Sequence[str]) -> Rule:
    return Rule("one of " + ", ".join(known), lambda value: isinstance(value, str) and value in known)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_TEXT and value.isprintable()


_TEXT = Rule(f"a text of at most {LONGEST_TEXT} characters in one line", _is_text)
_STAGE = _number(LONGEST_STAGE_MS)

NEEDED: Final = ("format", "size_px", "engine")
VARIANT_RULES: Final[Mapping[str, Rule]] = {
    "format": _one_of(tuple(BROWSER_FORMATS)),
    "size_px": _whole(*SIZES_RANGE_PX),
    "quality": _whole(1, 100),
    "engine": _one_of(tuple(ENGINES)),
    "encoder": _TEXT,
    "decode_ms": _STAGE,
    "resize_ms": _STAGE,
    "encode_ms": _STAGE,
    "canvas_noise": Rule("true or false", lambda value: isinstance(value, bool)),
}
BROWSER_RULES: Final[Mapping[str, Rule]] = {
    "name": _TEXT,
    "clock_resolution_us": _number(1e6),
    "noise_bytes": _whole(0, 10**9),
}
ORIGINAL_RULES: Final[Mapping[str, Rule]] = {
    "name": Rule("a text", lambda value: isinstance(value, str)),
    "size_bytes": _whole(1, MOST_ORIGINAL_BYTES),
    "width_px": _whole(1, MOST_ORIGINAL_SIDE_PX),
    "height_px": _whole(1, MOST_ORIGINAL_SIDE_PX),
}
