"""How a model wants its pixels: what its file says, what the user says, else a usual preset.

Pixels has the keys and the defaults of the card's section "pixels", which `serving/images/pixels.py` reads;
docs/models.md explains them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from models.interface.ends import INPUT_TYPES, Ends, layout_of, sides_of
from models.interface.wanted import ByChannel, Say, Wanted
from models.problems import ModelProblem

USUAL_SIDES_PX = (224, 224)
LEAST = {"uint8": 0, "int8": -128}  # values of the integer types


@dataclass(frozen=True)
class Pixels:
    """value = (level * scale - mean) / std, for levels 0..255; mean and std are one number, or RGB."""

    input: str
    output: str
    side_px: tuple[int, int]  # height, width
    fit: str = "squash"
    crop_fraction: float = 0.875
    resize: str = "bilinear"
    antialias: bool = True
    scale: float = 1.0
    mean: ByChannel = 0.0
    std: ByChannel = 1.0
    layout: str = "NHWC"
    channels: str = "RGB"
    dtype: str = "float32"
    softmax: bool = False
    output_scale: float = 1.0
    output_zero_point: int = 0

    def as_card(self) -> dict[str, Any]:
        """The card's section: every value that is not the default."""
        defaults = {known.name: known.default for known in fields(self)}
        return {key: value for key, value in asdict(self).items() if value != defaults[key]}


def _by_channel(value: Any) -> ByChannel:
    return tuple(map(float, value)) if isinstance(value, list) else float(value)


# Keys that are read from a card: how an image is resized, and how a level becomes a value.
SHAPING = {"fit": str, "crop_fraction": float, "resize": str, "antialias": bool}
LEVELS: Mapping[str, Callable[[Any], Any]] = {
    "scale": float,
    "mean": _by_channel,
    "std": _by_channel,
    "channels": str,
}


@dataclass(frozen=True)
class Preset:
    """One of the usual ways to make values of levels."""

    about: str
    values: Mapping[str, Any]


PRESETS = {
    "raw": Preset("levels 0 to 255 as they are", {}),
    "unit": Preset("0 to 1", {"scale": 1 / 255}),
    "tf": Preset("-1 to 1", {"scale": 1 / 127.5, "mean": 1.0}),
    "torch": Preset(
        "0 to 1, then ImageNet's mean and deviation of each channel",
        {"scale": 1 / 255, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)},
    ),
    "caffe": Preset(
        "blue first, less ImageNet's mean of each channel",
        {"mean": (123.68, 116.779, 103.939), "channels": "BGR"},
    ),
}

# What keras.applications preprocesses for each architecture, by the beginning of its name there.
OF_ARCHITECTURE = {
    "mobilenetv3": "raw",
    "efficientnet": "raw",
    "convnext": "raw",
    "densenet": "torch",
    "resnet50v2": "tf",
    "resnet101v2": "tf",
    "resnet152v2": "tf",
    "resnet": "caffe",
    "vgg": "caffe",
    "mobilenet": "tf",
    "inception": "tf",
    "xception": "tf",
    "nasnet": "tf",
}


def of_architecture(name: str) -> str | None:
    """The preset for a model of keras.applications, by its name; None for any other name."""
    plain = name.lower().replace("_", "").replace("-", "")
    return next((preset for start, preset in OF_ARCHITECTURE.items() if plain.startswith(start)), None)


@dataclass(frozen=True)
class Hints:
    """What a model's file says beyond its inputs and outputs."""

    labels: tuple[str, ...] = ()
    sides_px: tuple[int, int] = USUAL_SIDES_PX  # height, width, if the input's shape leaves them open
    layout: str = "NHWC"  # if the input's shape leaves it open
    preset: str | None = None
    why: str = ""  # the reason for `preset`, in words
    usual_preset: str = "tf"  # of models of this kind, if nothing else is known
    input_scale: float = 0.0  # of a quantised input; 0: it is not quantised
    input_zero_point: int = 0
    output_scale: float = 0.0
    output_zero_point: int = 0
    shaping: Mapping[str, Any] = field(default_factory=dict)  # fit, resize, ... of the model's card
    levels: Mapping[str, Any] | None = None  # scale, mean, ... of its card; None: it has none


def work_out(ends: Ends, wanted: Wanted, hints: Hints, say: Say) -> Pixels:
    """The pixels that a model wants. Raises ModelProblem if the user's options contradict the file."""
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
    """fit, crop_fraction, resize and antialias, as far as the user or the card says them."""
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
        values = hints.levels
    else:
        values = _preset(dtype, wanted, hints, say)
    options = {key: getattr(wanted, key) for key in LEVELS}
    values = {**values, **{key: value for key, value in options.items() if value is not None}}
    if dtype not in ("uint8", "int8") or not _says(wanted):
        return values
    if not hints.input_scale:
        raise ModelProblem(
            f"The input takes {dtype}, and does not say how they are scaled: only levels can be sent. "
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
            f"WARNING, assumed: values {PRESETS[usual].about}. The file does not say it, and with wrong ones "
            f"the answers are nonsense: --preprocess {'|'.join(PRESETS)}, or --scale, --mean, --std."
        )
        return PRESETS[usual].values
    return {}


def _says(wanted: Wanted) -> bool:
    """Whether the user says how levels become values."""
    return any(value is not None for value in (wanted.preprocess, wanted.scale, wanted.mean, wanted.std))


def quantised(values: Mapping[str, Any], scale: float, zero_point: int) -> dict[str, Any]:
    """`values` with mean and std changed so that the result is value / scale + zero_point."""
    std = np.multiply(values.get("std", 1.0), scale)
    mean = np.subtract(values.get("mean", 0.0), std * zero_point)
    return {**values, "mean": _plain(mean), "std": _plain(std)}


def _plain(values: np.ndarray) -> ByChannel:
    return tuple(values.tolist()) if values.ndim else float(values)
