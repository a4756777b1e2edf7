"""AXES: what variants of one size differ in, beside their format. A new axis is a new row.

Every axis has a usual value. It is left out of names, and of ids except where they have
always held it, so that a plan without further values names its variants as before:
"512-jpeg-85", but "512-jpeg-85-444-bicubic".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from experiment.codec import to_dict
from experiment.records import ONE_VALUE, Plan, Variant

# Each has a scale of its own. Mean of 30 photos at 256 px: JPEG q85 14.7 kB and a PSNR of 32.6 dB, WebP q80
# 10.7 kB and 33.3 dB, AVIF q65 8.7 kB and 32.6 dB.
_USUAL_QUALITIES = {"jpeg": 85, "webp": 80, "avif": 65}
_SUBSAMPLING, _RESAMPLER = "4:2:0", "lanczos"


# Engine -> the filter that it resizes with; None: the browser keeps that to itself.
ENGINES: Final[Mapping[str, str | None]] = {"pica": "lanczos", "canvas": None}
# What a canvas can encode -> the plan's list of qualities; None: lossless.
BROWSER_FORMATS: Final[Mapping[str, str | None]] = {
    "png": None,
    "jpeg": "jpeg_qualities",
    "webp": "webp_qualities",
}


@dataclass(frozen=True, slots=True)
class Axis:
    """One thing that can be chosen; its key in AXES is a field of Variant."""

    usual: Callable[[str], Any]  # format -> the value that needs no words
    words: Callable[[Any], str]  # for people
    id_part: Callable[[Any], str]
    always_in_id: bool = False


AXES: Final[Mapping[str, Axis]] = {
    "quality": Axis(_USUAL_QUALITIES.get, lambda value: f"q{value}", str, always_in_id=True),
    "subsampling": Axis(lambda _: _SUBSAMPLING, str, lambda value: value.replace(":", "")),
    "engine": Axis(lambda _: None, "browser/{}".format, str),  # None: the server's own
    "resampler": Axis(lambda _: _RESAMPLER, str.capitalize, str),
}


def plan_dict(plan: Plan) -> dict[str, Any]:
    """The plan as everybody reads it: with the keys for one value, which hold the first of their lists."""
    values = to_dict(plan)
    first = {key: values[key] for key in ("sizes_px", "formats")}
    return first | {one: values[many][0] for one, many in ONE_VALUE.items()} | values


def variant_id(size_px: int, format_key: str, settings: Mapping[str, Any]) -> str:
    """ "512-png", "512-jpeg-85", "512-jpeg-85-444-bicubic". `settings` by axis; None: no such choice."""
    parts = [str(size_px), format_key]
    for key, axis in AXES.items():
        value = settings.get(key)
        if value is not None and (axis.always_in_id or value != axis.usual(format_key)):
            parts.append(axis.id_part(value))
    return "-".join(parts)


def settings_words(variant: Variant, always: frozenset[str] = frozenset()) -> str:
    """What is unusual about how it was made, with a space before each: " q50 4:4:4 Bicubic", or "".

    Of the axes in `always` the usual value is named too.
    """
    return "".join(f" {words}" for words in _words(variant, always))


def _words(variant: Variant, always: frozenset[str]) -> Iterator[str]:
    for key, axis in AXES.items():
        value = getattr(variant, key)
        if value is not None and (key in always or value != axis.usual(variant.format)):
            yield axis.words(value)
