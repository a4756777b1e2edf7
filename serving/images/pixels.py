"""The section "pixels" of a model's card: how an encoded image becomes the model's input.

Its keys and their defaults:

    input          the name of the model's input                                   (required)
    output         the name of its output, one score per label                     (required)
    side_px        [height, width] of the input                                    (required)
    fit            "squash" to the sides; before that "central_crop" of both sides,
                   or the "central_square" of the shorter one                      "squash"
    crop_fraction  share that is kept                                              0.875
    resize         "bilinear", "bicubic" or "area"                                 "bilinear"
    antialias      as in tf.image.resize                                           true
    scale, mean, std   value = (level * scale - mean) / std, mean and std for all channels or one each
                                                                                   1, 0, 1
    layout         "NHWC" or "NCHW"                                                "NHWC"
    channels       "RGB" or "BGR"                                                  "RGB"
    dtype          "float32", "float16", "uint8" or "int8"; integers are rounded   "float32"
    output_scale, output_zero_point   of a quantised `output`, which holds integers:
                   score = (value - output_zero_point) * output_scale              1, 0
    softmax        whether `output` holds logits, not probabilities               false
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from common.checks import is_number
from serving import images
from serving.errors import LoadFailed
from serving.images.resize import METHODS, resize

LAYOUTS = ("NHWC", "NCHW")


@dataclass(frozen=True)
class Pixels:
    """The checked section. The fields are named like its keys."""

    input: str
    output: str
    side_px: tuple[int, int]
    fit: str = "squash"
    crop_fraction: float = 0.875
    resize: str = "bilinear"
    antialias: bool = True
    scale: float = 1.0
    mean: float | tuple[float, ...] = 0.0
    std: float | tuple[float, ...] = 1.0
    layout: str = "NHWC"
    channels: str = "RGB"
    dtype: str = "float32"
    output_scale: float = 1.0
    output_zero_point: int = 0
    softmax: bool = False

    @classmethod
    def from_card(cls, section: Mapping[str, Any]) -> Pixels:
        """Raises LoadFailed, naming the key and its value."""
        for key, value in section.items():
            if key not in RULES:
                raise _wrong(key, f"{value!r}, unknown; known are {', '.join(sorted(RULES))}")
            is_allowed, allowed = RULES[key]
            if not is_allowed(value):
                raise _wrong(key, f"{value!r}, not {allowed}")
        for key in ("input", "output", "side_px"):
            if key not in section:
                raise _wrong(key, "missing")
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in section.items()
        }
        return cls(**values)

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of one image's pixels."""
        return (*self.side_px, 3) if self.layout == "NHWC" else (3, *self.side_px)

    def of(self, data: bytes) -> np.ndarray:
        """The pixels of one encoded image, as the model takes them. Raises ImageRefused."""
        levels = images.decode(data)
        if self.fit == "central_crop":
            levels = _central_crop(levels, self.crop_fraction)
        if self.fit == "central_square":
            levels = _central_square(levels, self.crop_fraction)
        return self._arranged(self._normalised(resize(levels, self.side_px, self.resize, self.antialias)))

    def _normalised(self, values: np.ndarray) -> np.ndarray:
        """In place, because `values` is a new array from resize()."""
        if self.scale != 1:
            values *= np.float32(self.scale)
        if self.mean != 0:
            values -= np.asarray(self.mean, np.float32)
        if self.std != 1:
            values /= np.asarray(self.std, np.float32)
        return values

    def _arranged(self, values: np.ndarray) -> np.ndarray:
        if self.channels == "BGR":
            values = values[..., ::-1]
        if self.layout == "NCHW":
            values = values.transpose(2, 0, 1)
        dtype = np.dtype(self.dtype)
        if dtype.kind == "f":
            return values.astype(dtype, copy=False)
        limits = np.iinfo(dtype)
        rounded: np.ndarray = np.rint(values).clip(limits.min, limits.max).astype(dtype)
        return rounded

    def scores_of(self, output: np.ndarray) -> np.ndarray:
        """The scores that the model's output stands for, as float32."""
        if self.output_scale == 1 and self.output_zero_point == 0:
            return output.astype(np.float32, copy=False)
        scores: np.ndarray = output.astype(np.float32) - self.output_zero_point
        return scores * np.float32(self.output_scale)


def _central_crop(levels: np.ndarray, fraction: float) -> np.ndarray:
    """As tf.image.central_crop: cut equally on both sides, rounded down; at least one pixel is left."""
    top, left = (min(int((size - size * fraction) / 2), (size - 1) // 2) for size in levels.shape[:2])
    return np.ascontiguousarray(levels[top : levels.shape[0] - top, left : levels.shape[1] - left])


def _central_square(levels: np.ndarray, fraction: float) -> np.ndarray:
    """A square from the middle; its side is `fraction` of the shorter side, rounded down."""
    side = max(1, int(min(levels.shape[:2]) * fraction))
    top, left = ((size - side) // 2 for size in levels.shape[:2])
    return np.ascontiguousarray(levels[top : top + side, left : left + side])


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_per_channel(value: Any) -> bool:
    is_list = isinstance(value, list) and len(value) == 3 and all(map(is_number, value))
    return is_list or is_number(value)


def _is_size(value: Any) -> bool:
    sides = value if isinstance(value, list) and len(value) == 2 else [0]
    return all(_is_whole(side) and 0 < side <= 4096 for side in sides)


Rule = tuple[Callable[[Any], bool], str]  # whether a value is allowed, and how allowed values are described


def _one_of(*choices: str) -> Rule:
    return (lambda value: value in choices), " or ".join(choices)


NAME: Rule = (lambda value: isinstance(value, str) and value != ""), "a name"
BOOLEAN: Rule = (lambda value: isinstance(value, bool)), "true or false"
RULES: dict[str, Rule] = {
    "input": NAME,
    "output": NAME,
    "side_px": (_is_size, "[height, width] in pixels, each 1 to 4096"),
    "fit": _one_of("squash", "central_crop", "central_square"),
    "crop_fraction": (lambda value: is_number(value) and 0 < value <= 1, "a number above 0, at most 1"),
    "resize": _one_of(*METHODS),
    "antialias": BOOLEAN,
    "scale": (is_number, "a number"),
    "mean": (_is_per_channel, "a number or a list of three"),
    "std": (
        lambda value: _is_per_channel(value) and 0 not in (value if isinstance(value, list) else [value]),
        "a number or a list of three, none of them 0",
    ),
    "layout": _one_of(*LAYOUTS),
    "channels": _one_of("RGB", "BGR"),
    "dtype": _one_of("float32", "float16", "uint8", "int8"),
    "output_scale": (lambda value: is_number(value) and value > 0, "a number above 0"),
    "output_zero_point": (_is_whole, "a whole number"),
    "softmax": BOOLEAN,
}


def _wrong(key: str, what: str) -> LoadFailed:
    return LoadFailed(f"The model's card, assets.extra/pixelcost.json: pixels.{key} is {what}.")
