"""How a model wants its pixels: the section "pixels" of its card, and the usual ways by name.

The keys and their defaults are those of `serving/images/pixels.py`; docs/models.md explains them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

ByChannel = float | tuple[float, ...]

INPUT_TYPES = {"DT_FLOAT": "float32", "DT_HALF": "float16", "DT_UINT8": "uint8", "DT_INT8": "int8"}
LEAST = {"uint8": 0, "int8": -128}


@dataclass(frozen=True)
class Pixels:
    """value = (level * scale - mean) / std, in the model's order, layout and type. Means are red first."""

    input: str
    output: str
    side_px: tuple[int, int]
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
        """What the card has to say: all that is not the default."""
        defaults = {each.name: each.default for each in fields(self)}
        return {key: value for key, value in asdict(self).items() if value != defaults[key]}


def _by_channel(value: Any) -> ByChannel:
    return tuple(map(float, value)) if isinstance(value, list) else float(value)


# What can be taken from another card: how an image gets its sides, and how a level becomes a value.
SHAPING = {"fit": str, "crop_fraction": float, "resize": str, "antialias": bool}
LEVELS: Mapping[str, Callable[[Any], Any]] = {
    "scale": float,
    "mean": _by_channel,
    "std": _by_channel,
    "channels": str,
}


@dataclass(frozen=True)
class Preset:
    """One of the usual ways."""

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
    """The preset for one of keras.applications' models; None for any other name."""
    plain = name.lower().replace("_", "").replace("-", "")
    return next((preset for start, preset in OF_ARCHITECTURE.items() if plain.startswith(start)), None)


def quantised(values: Mapping[str, Any], scale: float, zero_point: int) -> dict[str, Any]:
    """The same values as a quantised input holds them: value / scale + zero_point."""
    std = np.multiply(values.get("std", 1.0), scale)
    mean = np.subtract(values.get("mean", 0.0), std * zero_point)
    return {**values, "mean": _plain(mean), "std": _plain(std)}


def _plain(values: np.ndarray) -> ByChannel:
    return tuple(values.tolist()) if values.ndim else float(values)
