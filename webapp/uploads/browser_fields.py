"""The JSON fields of an upload of variants: their keys, and what the values must be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from common.checks import Expected, is_line, number, one_of, whole, yes_or_no
from common.json_values import quoted, strict_json
from experiment.axes import BROWSER_FORMATS, ENGINES
from experiment.errors import VariantsRefused
from experiment.measure.plan import RANGES

LONGEST_TEXT = 120  # of an encoder's or a browser's name
LONGEST_STAGE_MS = 3.6e6
MOST_ORIGINAL_BYTES, MOST_ORIGINAL_SIDE_PX = 10**10, 10**6  # of a photo that stayed in the browser
Check = Callable[[Any], Any]  # returns the value, or raises Expected
HOW = "docs/browser-resizing.md shows a request that works."


def json_of(text: str, field: str, kind: type, what: str) -> Any:
    """The value in a form field. Raises VariantsRefused for anything but a `kind`."""
    try:
        found = strict_json(text)
    except (ValueError, RecursionError):
        raise VariantsRefused([f"`{field}` is not valid JSON. It is {what}. {HOW}"]) from None
    if not isinstance(found, kind):
        raise VariantsRefused([f"`{field}` must be {what}. {HOW}"])
    return found


def checked(
    row: Any, rules: Mapping[str, Check], where: str, needed: Sequence[str], problems: list[str]
) -> dict[str, Any]:
    """The valid values of `row`; adds a sentence to `problems` for every other one."""
    if not isinstance(row, dict):
        problems.append(f"{where} must be an object.")
        return {}
    problems += [f"{where} has the unknown key {quoted(key)}." for key in row if key not in rules]
    problems += [f"{where} has no {key}." for key in needed if row.get(key) is None]
    values = {}
    for key, check in rules.items():
        if row.get(key) is not None:
            try:
                values[key] = check(row[key])
            except Expected as expected:
                problems.append(f"{where}: {key} must be {expected}, not {quoted(row[key])}.")
    return values


def _line(value: Any) -> str:
    if not is_line(value, LONGEST_TEXT):
        raise Expected(f"one line of at most {LONGEST_TEXT} characters")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Expected("a text")
    return value


NEEDED: Final = ("format", "size_px", "engine")
VARIANT_RULES: Final[Mapping[str, Check]] = {
    "format": one_of(BROWSER_FORMATS),
    "size_px": whole(*RANGES["sizes_px"]),
    "quality": whole(1, 100),
    "engine": one_of(ENGINES),
    "encoder": _line,
    "decode_ms": number(0, LONGEST_STAGE_MS),
    "resize_ms": number(0, LONGEST_STAGE_MS),
    "encode_ms": number(0, LONGEST_STAGE_MS),
    "canvas_noise": yes_or_no,
}
BROWSER_RULES: Final[Mapping[str, Check]] = {
    "name": _line,
    "clock_resolution_us": number(0, 1e6),
    "noise_bytes": whole(0, 10**9),
}
ORIGINAL_RULES: Final[Mapping[str, Check]] = {
    "name": _text,
    "size_bytes": whole(1, MOST_ORIGINAL_BYTES),
    "width_px": whole(1, MOST_ORIGINAL_SIDE_PX),
    "height_px": whole(1, MOST_ORIGINAL_SIDE_PX),
}
