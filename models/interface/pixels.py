"""Works out how a model wants its pixels: what its file says, what the user says, else a usual default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from models.interface.ends import Ends, layout_of, sides_of
from models.interface.preprocess import INPUT_TYPES, PRESETS, Pixels, quantised
from models.interface.wanted import Say, Wanted
from models.problems import ModelProblem

USUAL_SIDES_PX = (224, 224)


@dataclass(frozen=True)
class Hints:
    """What can be known from a file beyond its inputs and outputs."""

    labels: tuple[str, ...] = ()
    sides_px: tuple[int, int] = USUAL_SIDES_PX  # where the shape leaves them open
    layout: str = "NHWC"  # where the shape leaves it open
    preset: str | None = None
    why: str = ""  # the preset is known
    usual_preset: str = "tf"  # of models of this kind, when nothing is known
    input_scale: float = 0.0  # of a quantised input; 0: it has none
    input_zero_point: int = 0
    output_scale: float = 0.0
    output_zero_point: int = 0
    shaping: Mapping[str, Any] = field(default_factory=dict)  # fit, resize, ... of the model's card
    levels: Mapping[str, Any] | None = None  # scale, mean, ... of its card; None: it has none


def work_out(ends: Ends, wanted: Wanted, hints: Hints, say: Say) -> Pixels:
    """Raises ModelProblem when what the user says and what the file says don't fit."""
    layout = _layout(ends, wanted, hints, say)
    dtype = INPUT_TYPES[ends.input.dtype]
    output: dict[str, Any] = {}
    if hints.output_scale and ends.output.dtype in ("DT_UINT8", "DT_INT8"):
        output = {"output_scale": hints.output_scale, "output_zero_point": hints.output_zero_point}
        say(f"read: score = (output - {hints.output_zero_point}) * {hints.output_scale:g}")
    return Pixels(
        input=ends.input.name,
        output=ends.output.name,
        side_px=_sides(ends, wanted, hints, layout, say),
        layout=layout,
        dtype=dtype,
        **_shaping(wanted, hints),
        **_values(dtype, wanted, hints, say),
        **output,
    )


def _shaping(wanted: Wanted, hints: Hints) -> dict[str, Any]:
    """fit, crop_fraction, resize, antialias: what neither the user nor the card says is left out."""
    shaping = dict(hints.shaping)
    if wanted.fit:
        shaping = {key: value for key, value in shaping.items() if key != "crop_fraction"}
    said = {"fit": wanted.fit, "resize": wanted.resize}
    return {**shaping, **{key: value for key, value in said.items() if value}}


def _layout(ends: Ends, wanted: Wanted, hints: Hints, say: Say) -> str:
    known = layout_of(ends.input)
    if known and wanted.layout not in (None, known):
        raise ModelProblem(f"--layout {wanted.layout}: the input {ends.input.name} is {ends.input}.")
    likely = wanted.likely_layout or hints.layout
    if not known and not wanted.layout:
        say(f"assumed: layout {likely} (--layout)")
    return known or wanted.layout or likely


def _sides(ends: Ends, wanted: Wanted, hints: Hints, layout: str, say: Say) -> tuple[int, int]:
    known = sides_of(ends.input, layout)
    asked = wanted.size_px or hints.sides_px
    sides = [fixed or side for fixed, side in zip(known, asked, strict=True)]
    if wanted.size_px and tuple(sides) != wanted.size_px:
        raise ModelProblem(
            f"--size {wanted.size_px[0]}x{wanted.size_px[1]}: the model takes {sides[0]}x{sides[1]} only."
        )
    if None in known and not wanted.size_px:
        say(f"assumed: pixels {sides[0]}x{sides[1]}, as the model takes any (--size HxW)")
    return sides[0], sides[1]


def _values(dtype: str, wanted: Wanted, hints: Hints, say: Say) -> dict[str, Any]:
    """scale, mean, std and channels."""
    if hints.levels is not None and not _says(wanted):
        say("read: how levels become values, from the model's card (--preprocess)")
        values = dict(hints.levels)
    else:
        values = dict(_preset(dtype, wanted, hints, say))
    for key in ("scale", "mean", "std", "channels"):
        if getattr(wanted, key) is not None:
            values[key] = getattr(wanted, key)
    if dtype not in ("uint8", "int8") or not _says(wanted):
        return values
    if not hints.input_scale:
        raise ModelProblem(
            f"The input takes {dtype} without saying how they are scaled, so that only levels can be sent. "
            "Leave out --preprocess, --scale, --mean and --std."
        )
    return quantised(values, hints.input_scale, hints.input_zero_point)


def _preset(dtype: str, wanted: Wanted, hints: Hints, say: Say) -> Mapping[str, Any]:
    if wanted.preprocess:
        return PRESETS[wanted.preprocess].values
    if dtype == "uint8":
        say("read: the input takes levels 0 to 255 as they are")
        return {}
    if dtype == "int8":
        say("assumed: the input takes levels less 128, as int8 (--preprocess)")
        return {"mean": 128.0}
    if hints.preset:
        say(f"read: values {PRESETS[hints.preset].about}, {hints.why} (--preprocess {hints.preset})")
        return PRESETS[hints.preset].values
    if not _says(wanted):
        usual = hints.usual_preset
        say(
            f"WARNING, assumed: values {PRESETS[usual].about}. The file does not say it, and with the wrong "
            f"ones the answers are nonsense: --preprocess {'|'.join(PRESETS)}, or --scale, --mean, --std."
        )
        return PRESETS[usual].values
    return {}


def _says(wanted: Wanted) -> bool:
    """Whether the user says anything about the values."""
    return bool(wanted.preprocess) or any(
        value is not None for value in (wanted.scale, wanted.mean, wanted.std)
    )
