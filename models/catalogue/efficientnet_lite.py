"""EfficientNet-Lite: EfficientNet without squeeze-and-excite, with ReLU6, and with a fixed stem and head.

Its stages are those of EfficientNet-B0 (Tan, Le 2019, table 1); larger networks repeat the blocks of all
stages but the first and the last more often. Widths and kernel sizes follow from the weights. Source:
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from models.layers import PIXELS, Kind, Layers, Tape, same_padding

# (repeats, stride of the first of them)
STAGES = ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1))
BATCH_NORM_EPSILON = 1e-3
MIDDLE, SCALE = 127.0, 128.0  # value = (level - 127) / 128
CROP_PADDING_PX = 32  # the model sees the middle square: side / (side + 32) of the photo's shorter side


@dataclass(frozen=True)
class Size:
    """One network of the family: the side of its input, and the factor for repeats."""

    side_px: int
    depth: float = 1.0

    @property
    def crop_fraction(self) -> float:
        return self.side_px / (self.side_px + CROP_PADDING_PX)

    def strides(self) -> Iterator[int]:
        """The stride of every block, in their order."""
        for index, (repeats, stride) in enumerate(STAGES):
            is_fixed = index in (0, len(STAGES) - 1)
            yield from (stride, *[1] * ((repeats if is_fixed else math.ceil(repeats * self.depth)) - 1))


SIZES = {"efficientnet-lite0": Size(224), "efficientnet-lite2": Size(260, depth=1.2)}


def build(size: Size, state: Mapping[str, np.ndarray]) -> Layers:
    """The layers from pixels [n, side, side, 3] in 0..255 to probabilities [n, 1000].

    `state` holds the weights by their names in PyTorch. Raises KeyError if one is missing.
    """
    network = _Builder(size.side_px, state)
    network.add("scale", divisor=SCALE, less=MIDDLE / SCALE)
    network.convolve("_conv_stem", "_bn0", stride=2)
    for number, stride in enumerate(size.strides()):
        network.block(f"_blocks.{number}", stride)
    network.convolve("_conv_head", "_bn1")
    network.add("mean")
    network.add("dense", kernel=state["_fc.weight"].T.copy(), bias=state["_fc.bias"])
    network.add("softmax")
    return Layers(network.tape.layers, (size.side_px, size.side_px))


class _Builder:
    """Adds layers one after another; knows the side in pixels and the channels of the latest output."""

    def __init__(self, side_px: int, state: Mapping[str, np.ndarray]):
        self.tape = Tape()
        self._state = state
        self._latest, self._side_px, self._channels = PIXELS, side_px, 3

    def add(self, kind: Kind, *other_inputs: str, **more: object) -> None:
        """Add a layer that reads the latest one, and `other_inputs`."""
        self._latest = self.tape.add(kind, self._latest, *other_inputs, **more)

    def block(self, name: str, stride: int) -> None:
        """Expand, convolve by channel, project; the input is added if it has the shape of the output."""
        source, channels = self._latest, self._channels
        if f"{name}._expand_conv.weight" in self._state:
            self.convolve(f"{name}._expand_conv", f"{name}._bn0")
        self.convolve(f"{name}._depthwise_conv", f"{name}._bn1", stride)
        self.convolve(f"{name}._project_conv", f"{name}._bn2", activation=False)
        if stride == 1 and self._channels == channels:
            self.add("add", source)

    def convolve(
        self, convolution: str, batch_norm: str, stride: int = 1, *, activation: bool = True
    ) -> None:
        """A convolution with its batch norm folded in: one kernel, one bias."""
        kernel = self._state[f"{convolution}.weight"].astype(np.float64)
        gamma, beta, mean, variance = (
            self._state[f"{batch_norm}.{name}"].astype(np.float64)
            for name in ("weight", "bias", "running_mean", "running_var")
        )
        self._channels = len(kernel)
        scale = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
        before, after = same_padding(self._side_px, kernel.shape[-1], stride)
        self._side_px = math.ceil(self._side_px / stride)
        self.add(
            "convolution",
            kernel=(kernel * scale[:, None, None, None]).astype(np.float32),
            bias=(beta - mean * scale).astype(np.float32),
            stride=stride,
            padding=(before, before, after, after),
            groups=len(kernel) if "_depthwise_conv" in convolution else 1,
        )
        if activation:
            self.add("relu6")
