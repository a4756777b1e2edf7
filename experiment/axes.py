"""AXES: the settings that variants of one size and format differ in. A new setting is a new row.

Every axis has a usual value, which names leave out, and ids too except for the quality. So a plan with usual
values makes "512-jpeg-85", one with others "512-jpeg-85-444-bicubic".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from experiment.codec import to_dict
from experiment.records import ONE_VALUE, Plan, Variant

# Every format has its own scale of quality. Mean of 30 photos at 256 px: JPEG q85 14.7 kB and a PSNR of
# 32.6 dB, WebP q80 10.7 kB and 33.3 dB, AVIF q65 8.7 kB and 32.6 dB.
_USUAL_QUALITIES = {"jpeg": 85, "webp": 80, "avif": 65}
_SUBSAMPLING, _RESAMPLER = "4:2:0", "lanczos"


# Engine that resizes in a browser -> its filter; None: the browser does not say.
ENGINES: Final[Mapping[str, str | None]] = {"pica": "lanczos", "canvas": None}
# Format that a canvas can encode -> the plan's list of its qualities; None: lossless.
BROWSER_FORMATS: Final[Mapping[str, str | None]] = {
    "png": None,
    "jpeg": "jpeg_qualities",
    "webp": "webp_qualities",
}


@dataclass(frozen=True, slots=True)
class Axis:
    """One setting; its key in AXES is a field of Variant."""

    usual: Callable[[str], Any]  # format -> the value that names leave out
    words: Callable[[Any], str]  # value -> its part of a name: "q85"
    id_part: Callable[[Any], str]  # value -> its part of an id: "85"
    always_in_id: bool = False


AXES: Final[Mapping[str, Axis]] = {
    "quality": Axis(_USUAL_QUALITIES.get, lambda value: f"q{value}", str, always_in_id=True),
    "subsampling": Axis(lambda _: _SUBSAMPLING, str, lambda value: value.replace(":", "")),
    "engine": Axis(lambda _: None, "browser/{}".format, str),  # None: the server's own
    "resampler": Axis(lambda _: _RESAMPLER, str.capitalize, str),
}


def plan_dict(plan: Plan) -> dict[str, Any]:
    """The plan as JSON: with the older keys for one value too, which hold the first of their lists."""
    values = to_dict(plan)
    first = {key: values[key] for key in ("sizes_px", "formats")}
    return first | {one: values[many][0] for one, many in ONE_VALUE.items()} | values


def variant_id(size_px: int, format_key: str, settings: Mapping[str, Any]) -> str:
    """The id of a variant. `settings` has a value for each axis; None: the format has no such setting.

    >>> variant_id(512, "jpeg", {"quality": 85, "subsampling": "4:4:4", "resampler": "bicubic"})
    '512-jpeg-85-444-bicubic'
    """
    parts = [str(size_px), format_key]
    for key, axis in AXES.items():
        value = settings.get(key)
        if value is not None and (axis.always_in_id or value != axis.usual(format_key)):
            parts.append(axis.id_part(value))
    return "-".join(parts)


def settings_words(variant: Variant, always: frozenset[str] = frozenset()) -> str:
    """The settings that are not the usual ones, each after a space: " q50 4:4:4 Bicubic", or "".

    For the axes in `always`, the usual value is named too.
    """
    values = {key: getattr(variant, key) for key in AXES}
    return "".join(
        f" {AXES[key].words(value)}"
        for key, value in values.items()
        if value is not None and (key in always or value != AXES[key].usual(variant.format))
    )
