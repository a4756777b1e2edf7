"""A network as a list of layers: the form between readers of one file format and writers of another.

It takes pixels [n, height, width, 3], RGB in 0..255, and gives probabilities or logits [n, classes].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

PIXELS, PROBABILITIES = "pixels", "probabilities"
# scale: x / divisor - less; pools: 2 by 2, no padding; mean: over height and width, to [n, channels]
Kind = Literal[
    "scale", "convolution", "relu", "relu6", "max_pool", "average_pool", "add", "mean", "dense", "softmax"
]
NO_WEIGHTS = np.zeros(0, np.float32)


@dataclass(frozen=True, eq=False)
class Layer:
    """One operation. Its output is known by its name."""

    name: str
    kind: Kind
    inputs: tuple[str, ...]  # names of layers, or PIXELS
    # [out, in / groups, height, width] of a convolution, [in, out] of a dense layer
    kernel: np.ndarray = field(default_factory=lambda: NO_WEIGHTS)
    bias: np.ndarray = field(default_factory=lambda: NO_WEIGHTS)  # [out]
    stride: int = 1
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)  # zeros above, left, below, right
    groups: int = 1  # as many as channels: a depthwise convolution
    divisor: float = 1.0
    less: float = 0.0

    @property
    def has_weights(self) -> bool:
        return self.kernel.size > 0

    @property
    def is_depthwise(self) -> bool:
        return 1 < self.groups == len(self.kernel)


@dataclass(frozen=True)
class Layers:
    """Layers in the order of computation: the first reads PIXELS, the last gives the scores."""

    layers: Sequence[Layer]
    sides_px: tuple[int, int]  # height, width

    @property
    def classes(self) -> int:
        """How many scores the network gives: as many as its last layer with weights."""
        return next(layer.bias.size for layer in reversed(self.layers) if layer.has_weights)


@dataclass
class Tape:
    """Collects the layers of a network in their order, and names them."""

    layers: list[Layer] = field(default_factory=list)

    def add(self, kind: Kind, *inputs: str, **more: object) -> str:
        """Add a layer that reads those named in `inputs`. Returns its name."""
        name = PROBABILITIES if kind == "softmax" else f"{kind}_{len(self.layers)}"
        self.layers.append(Layer(name, kind, inputs, **more))  # type: ignore[arg-type]
        return name


def same_padding(size: int, window: int, stride: int) -> tuple[int, int]:
    """Zeros before and after one axis, as TensorFlow's padding SAME has them: the odd one goes behind."""
    zeros = max(0, (-(-size // stride) - 1) * stride + window - size)
    return zeros // 2, zeros - zeros // 2
