"""A network as a list of layers: what the readers and writers of other formats go through.

Pixels [n, height, width, 3], red first, in 0..255, to probabilities or logits [n, classes].
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

PIXELS, PROBABILITIES = "pixels", "probabilities"
Kind = Literal[
    "scale",
    "convolution",
    "relu",
    "relu6",
    "max_pool",
    "average_pool",
    "add",
    "mean",
    "dense",
    "softmax",
]
# scale: x / divisor - less; pools: 2 by 2, no padding; mean: over height and width, to [n, channels]


def _no_weights() -> np.ndarray:
    return np.zeros(0, np.float32)


@dataclass(frozen=True, eq=False)
class Layer:
    """One operation. Its output has its name."""

    name: str
    kind: Kind
    inputs: tuple[str, ...]  # names of layers, or PIXELS
    kernel: np.ndarray = field(
        default_factory=_no_weights
    )  # [out, in / groups, height, width], or [in, out] of a dense layer
    bias: np.ndarray = field(default_factory=_no_weights)  # [out]
    stride: int = 1
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)  # zeros above, left, below, right
    groups: int = 1  # of channels that don't see each other
    divisor: float = 1.0
    less: float = 0.0

    @property
    def has_weights(self) -> bool:
        return self.kernel.size > 0


@dataclass(frozen=True)
class Layers:
    """All layers, each after those that it reads; the first reads PIXELS, the last gives the scores."""

    layers: Sequence[Layer]
    sides_px: tuple[int, int]

    @property
    def last(self) -> str:
        """The name of the layer with the scores."""
        return self.layers[-1].name

    @property
    def classes(self) -> int:
        return next(layer.bias.size for layer in reversed(self.layers) if layer.has_weights)

    def weights(self) -> Iterator[tuple[str, np.ndarray]]:
        """Every kernel and bias with a name of its own."""
        for layer in self.layers:
            if layer.has_weights:
                yield f"{layer.name}/kernel", layer.kernel
                yield f"{layer.name}/bias", layer.bias


@dataclass
class Tape:
    """Takes down one layer after another. Each method gives the name of what it added."""

    layers: list[Layer] = field(default_factory=list)

    def add(self, kind: Kind, *inputs: str, **more: object) -> str:
        name = PROBABILITIES if kind == "softmax" else f"{kind}_{len(self.layers)}"
        self.layers.append(Layer(name, kind, inputs, **more))  # type: ignore[arg-type]
        return name
