"""tf.image.resize() in NumPy: the same weights, as small matrix products along the diagonal.

TensorFlow's kernels: scale_and_translate_op.cc (with antialias), resize_bilinear_op.cc and
resize_area_op.cc. As there, the rows are resized first, then the columns, and all sums are float32. Only
the order of the sums differs: levels of 0 to 255 are within 0.01 of TensorFlow's; within 0.05 for bicubic
without antialias, where TensorFlow takes rounded weights from a table.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

# Outputs per matrix product; more of them means more zeros among the weights. Both were chosen by measuring.
BLOCK_ROWS, BLOCK_COLUMNS = 8, 4
PRODUCTS_AT_ONCE = 900_000  # up to 100 ** 3 OpenBLAS uses its kernels for small matrices, which copy nothing

# Weights by the distance of the inputs from the output's centre, the scale, and the width of the kernel.
Weigh = Callable[[np.ndarray, np.float32, np.float32], np.ndarray]


class Band(NamedTuple):
    """Some neighbouring outputs, the inputs that they depend on, and the weights between them."""

    outputs: slice
    inputs: slice
    weights: np.ndarray  # outputs x inputs


def resize(levels: np.ndarray, size_px: tuple[int, int], method: str, antialias: bool) -> np.ndarray:
    """`levels` [height, width, channels] resized to (height, width) `size_px`, as float32."""
    height_px, width_px, channels = levels.shape
    rows = levels.reshape(height_px, width_px * channels)
    low = np.empty((size_px[0], width_px * channels), np.float32)
    for band in _bands(height_px, size_px[0], 1, method, antialias):
        _write_band(rows, band, low)
    small = np.empty((size_px[0], size_px[1] * channels), np.float32)
    for band in _bands(width_px, size_px[1], channels, method, antialias):
        np.matmul(low[:, band.inputs], band.weights.T, out=small[:, band.outputs])
    return small.reshape(*size_px, channels)


def _write_band(rows: np.ndarray, band: Band, out: np.ndarray) -> None:
    """Compute the band's rows of `out` from the input rows, some columns at a time."""
    columns = rows.shape[1]
    step = min(columns, max(16, PRODUCTS_AT_ONCE // band.weights.size // 16 * 16))
    scratch = np.empty((band.weights.shape[1], step), np.float32)  # astype() would allocate anew
    for start in range(0, columns, step):
        some = slice(start, min(start + step, columns))
        inputs = scratch[:, : some.stop - start]
        np.copyto(inputs, rows[band.inputs, some])
        np.matmul(band.weights, inputs, out=out[band.outputs, some])


@functools.lru_cache(64)
def _bands(count_in: int, count_out: int, channels: int, method: str, antialias: bool) -> tuple[Band, ...]:
    """The weights that turn `count_in` samples into `count_out`; the channels of a sample are neighbours."""
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
    """The first input that these neighbouring outputs need, and the weights [outputs, inputs]."""
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
    """A triangle of height 1."""
    return np.maximum(0, 1 - distance / unit)


def _bicubic(distance: np.ndarray, _: np.float32, unit: np.float32) -> np.ndarray:
    """Keys' cubic with a = -0.5."""
    x = distance / unit
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def _area(distance: np.ndarray, scale: np.float32, _: np.float32) -> np.ndarray:
    """The share of every input that the output covers."""
    return np.clip((1 + scale) / 2 - distance, 0, min(scale, np.float32(1)))


# The weights of a method and its radius: in outputs when it shrinks, else in inputs.
METHODS: dict[str, tuple[Weigh, int]] = {
    "bilinear": (_bilinear, 1),
    "bicubic": (_bicubic, 2),
    "area": (_area, 1),
}
