"""The demo network as a list of layers: what the writers of other formats go through.

Pixels [n, 192, 192, 3] in 0..255 to probabilities [n, 306], with the numbers that the SavedModel holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from models.demo import Convolution, DemoModel, ResidualBlock

PIXELS, PROBABILITIES = "pixels", "probabilities"
Kind = Literal["scale", "convolution", "relu", "max_pool", "average_pool", "add", "mean", "dense", "softmax"]
# scale: x / 127.5 - 1; pools: 2 by 2, no padding; mean: over height and width, to [n, channels]
PADDING_OF_STRIDE = {1: (1, 1), 2: (0, 1)}  # before, after: TensorFlow's "SAME" for 3 by 3 and even sizes


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
    )  # [out, in, height, width], or [in, out] of a dense layer
    bias: np.ndarray = field(default_factory=_no_weights)  # [out]
    stride: int = 1

    @property
    def has_weights(self) -> bool:
        return self.kernel.size > 0

    @property
    def padding(self) -> tuple[int, int]:
        """Zeros before and after, the same in both directions."""
        return PADDING_OF_STRIDE[self.stride] if self.kernel.shape[-1] == 3 else (0, 0)


@dataclass
class _Tape:
    """Takes down one layer after another. Each method gives the name of what it added."""

    layers: list[Layer] = field(default_factory=list)

    def add(self, kind: Kind, *inputs: str, **more: object) -> str:
        name = PROBABILITIES if kind == "softmax" else f"{kind}_{len(self.layers)}"
        self.layers.append(Layer(name, kind, inputs, **more))  # type: ignore[arg-type]
        return name

    def convolution(self, source: str, made: Convolution) -> str:
        kernel = np.ascontiguousarray(made.kernel.numpy().transpose(3, 2, 0, 1))
        return self.add("convolution", source, kernel=kernel, bias=made.bias.numpy(), stride=made.stride)

    def block(self, source: str, block: ResidualBlock) -> str:
        shortcut = source
        if block.stride > 1:
            shortcut = self.add("average_pool", shortcut)
        if block.shortcut is not None:
            shortcut = self.convolution(shortcut, block.shortcut)
        inner = self.add("relu", self.convolution(source, block.first))
        return self.add("relu", self.add("add", self.convolution(inner, block.second), shortcut))


def demo_layers() -> list[Layer]:
    """All layers, each after those that it reads."""
    network = DemoModel().network
    tape = _Tape()
    features = tape.convolution(tape.add("scale", PIXELS), network.stem)
    features = tape.add("max_pool", tape.add("relu", features))
    for block in network.blocks:
        features = tape.block(features, block)
    weights = {"kernel": network.head_kernel.numpy(), "bias": network.head_bias.numpy()}
    tape.add("softmax", tape.add("dense", tape.add("mean", features), **weights))
    return tape.layers


def weights(layers: list[Layer]) -> Iterator[tuple[str, np.ndarray]]:
    """Every kernel and bias with a name of its own."""
    for layer in layers:
        if layer.has_weights:
            yield f"{layer.name}/kernel", layer.kernel
            yield f"{layer.name}/bias", layer.bias
