"""The demo network as a list of layers, with the numbers that the SavedModel holds."""

from __future__ import annotations

import numpy as np

from models.demo import SIDE_PX, Convolution, DemoModel, ResidualBlock
from models.layers import PIXELS, Layers, Tape

SAME = {1: (1, 1, 1, 1), 2: (0, 0, 1, 1)}  # by stride: TensorFlow's "SAME" for 3 by 3 and even sizes


def demo_layers() -> Layers:
    """Pixels [n, 192, 192, 3] to probabilities [n, 306]."""
    network = DemoModel().network
    tape = Tape()
    features = _convolution(tape, tape.add("scale", PIXELS, divisor=127.5, less=1.0), network.stem)
    features = tape.add("max_pool", tape.add("relu", features))
    for block in network.blocks:
        features = _block(tape, features, block)
    weights = {"kernel": network.head_kernel.numpy(), "bias": network.head_bias.numpy()}
    tape.add("softmax", tape.add("dense", tape.add("mean", features), **weights))
    return Layers(tape.layers, (SIDE_PX, SIDE_PX))


def _convolution(tape: Tape, source: str, made: Convolution) -> str:
    kernel = np.ascontiguousarray(made.kernel.numpy().transpose(3, 2, 0, 1))
    padding = SAME[made.stride] if kernel.shape[-1] == 3 else (0, 0, 0, 0)
    weights = {"kernel": kernel, "bias": made.bias.numpy()}
    return tape.add("convolution", source, **weights, stride=made.stride, padding=padding)


def _block(tape: Tape, source: str, block: ResidualBlock) -> str:
    shortcut = source
    if block.stride > 1:
        shortcut = tape.add("average_pool", shortcut)
    if block.shortcut is not None:
        shortcut = _convolution(tape, shortcut, block.shortcut)
    inner = tape.add("relu", _convolution(tape, source, block.first))
    return tape.add("relu", tape.add("add", _convolution(tape, inner, block.second), shortcut))
