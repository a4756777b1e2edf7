"""tf.image.resize() in numpy: the same weights, as small matrix products along the diagonal.

TensorFlow's kernels: scale_and_translate_op.cc (with antialias), resize_bilinear_op.cc and
resize_area_op.cc. As there, rows are made fewer first, then columns, and all sums are float32. Only
their order differs: levels of 0..255 come out within 0.01 of TensorFlow's; within 0.05 for bicubic
without antialias, where TensorFlow takes rounded weights from a table.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

# Outputs per product: the more, the more zeros among the weights. Measured for speed, as is the next.
BLOCK_ROWS, BLOCK_COLUMNS = 8, 4
PRODUCTS_AT_ONCE = 900_000  # up to 100 ** 3 OpenBLAS copies nothing (its kernels for small matrices)

# Of inputs at some distance from the output's centre; shrunk so many times; the kernel's width.
Weigh = Callable[[np.ndarray, np.float32, np.float32], np.ndarray]


class Band(NamedTuple):
    """Some neighbouring outputs, and the inputs that they are made from."""

    outputs: slice
    inputs: slice
    weights: np.ndarray  # outputs x inputs


def resize(levels: np.ndarray, size_px: tuple[int, int], method: str, antialias: bool) -> np.ndarray:
    """`levels` [height, width, channels] at another (height, width), as float32."""
    height_px, width_px, channels = levels.shape
    rows = levels.reshape(height_px, width_px * channels)
    low = np.empty((size_px[0], width_px * channels), np.float32)
    for band in _bands(height_px, size_px[0], 1, method, antialias):
        _add_up(rows, band, low)
    small = np.empty((size_px[0], size_px[1] * channels), np.float32)
    for band in _bands(width_px, size_px[1], channels, method, antialias):
        np.matmul(low[:, band.inputs], band.weights.T, out=small[:, band.outputs])
    return small.reshape(*size_px, channels)


def _add_up(rows: np.ndarray, band: Band, out: np.ndarray) -> None:
    """Write the band's outputs, some columns at a time."""
    columns = rows.shape[1]
    step = min(columns, max(16, PRODUCTS_AT_ONCE // band.weights.size // 16 * 16))
    scratch = np.empty((band.weights.shape[1], step), np.float32)  # astype() would fetch memory each time
    for start in range(0, columns, step):
        some = slice(start, min(start + step, columns))
        inputs = scratch[:, : some.stop - start]
        np.copyto(inputs, rows[band.inputs, some])
        np.matmul(band.weights, inputs, out=out[band.outputs, some])


@functools.lru_cache(64)
def _bands(count_in: int, count_out: int, channels: int, method: str, antialias: bool) -> tuple[Band, ...]:
    """The weights that turn `count_in` samples into `count_out`; their channels lie side by side."""
    block = BLOCK_ROWS if channels == 1 else BLOCK_COLUMNS
    made = []
    for start in range(0, count_out, block):
        stop = min(start + block, count_out)
        first, weights = _weights(range(start, stop), count_in, count_out, method, antialias)
        end = first + weights.shape[1]
        spread = np.kron(weights, np.eye(channels, dtype=np.float32))
        outputs, inputs = slice(start * channels, stop * channels), slice(first * channels, end * channels)
        made.append(Band(outputs, inputs, spread))
    return tuple(made)


def _weights(
    outputs: range, count_in: int, count_out: int, method: str, antialias: bool
) -> tuple[int, np.ndarray]:
    """The first input that some neighbouring outputs need, and the weights [outputs, inputs]."""
    weigh, radius = METHODS[method]
    scale = np.float32(count_in) / np.float32(count_out)
    wide = max(scale, np.float32(1))
    centres = (np.array(outputs, np.float32) + np.float32(0.5)) * scale
    first = max(int(centres[0] - radius * wide), 0)
    end = min(int(centres[-1] + radius * wide) + 1, count_in)
    inputs = np.arange(first, end, dtype=np.float32) + np.float32(0.5)
    distance = np.abs(inputs - centres[:, np.newaxis])
    weights = weigh(distance, scale, wide if antialias else np.float32(1))
    return first, (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _bilinear(distance: np.ndarray, _: np.float32, unit: np.float32) -> np.ndarray:
    """A triangle."""
    return np.maximum(0, 1 - distance / unit)


def _bicubic(distance: np.ndarray, _: np.float32, unit: np.float32) -> np.ndarray:
    """Keys' cubic with a = -0.5."""
    x = distance / unit
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def _area(distance: np.ndarray, scale: np.float32, _: np.float32) -> np.ndarray:
    """How much of each input the output covers."""
    return np.clip((1 + scale) / 2 - distance, 0, min(scale, np.float32(1)))


# How a method weighs, and how far it looks: in outputs where it shrinks, else in inputs.
METHODS: dict[str, tuple[Weigh, int]] = {
    "bilinear": (_bilinear, 1),
    "bicubic": (_bicubic, 2),
    "area": (_area, 1),
}
