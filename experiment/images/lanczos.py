"""lanczos(): Image.resize() with Lanczos in about half the time.

Shrinking is a matrix product for each direction, with a matrix that is zero except near its diagonal. Pillow
adds up pixel by pixel; here numpy multiplies blocks along the diagonal. All weights are multiples of 2**-14
and all levels whole numbers, so every sum is exact in float32, and the same on any machine and in any order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MAX_SHRINK = 8  # beyond this, the many weights are too small for rounding to _WEIGHT_STEP

_LOBES = 3
_WEIGHT_STEP = 2.0**-14
_BLOCK_PX, _BLOCK_ROWS = 16, 32
_PRODUCTS_AT_ONCE = 2**18  # with more than these OpenBLAS would start threads of its own

_Floats = NDArray[np.float32]


class _Block(NamedTuple):
    """Neighbouring output pixels, and the input pixels that they are made from, along one direction."""

    outputs: slice
    first: int  # input
    end: int  # after the last input
    weights: _Floats  # [inputs, outputs]


def lanczos(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """`image` (mode RGB) shrunk to `size` (width, height), in each direction at most MAX_SHRINK times.

    Like `image.resize(size, Resampling.LANCZOS)`, except that about one sample in a hundred differs, by one
    level of 255. At a hard edge it can be a few levels: overshoots are clipped after the first direction,
    and Pillow doesn't always begin with the same one.
    """
    across = list(_blocks(image.width, size[0], _BLOCK_PX))
    planes = np.empty((3, size[1], size[0]), np.uint8)
    first, strip = 0, np.empty((3, 0, size[0]), np.float32)  # [3, input rows from `first` on, new width]
    for block in _blocks(image.height, size[1], _BLOCK_ROWS):
        part = image.crop((0, first + strip.shape[1], image.width, block.end))
        strip = np.concatenate((strip[:, block.first - first :], _narrowed(part, across, size[0])), axis=1)
        first = block.first
        planes[:, block.outputs] = _flattened(strip, block.weights)
    return Image.merge("RGB", [Image.fromarray(plane) for plane in planes])


def _blocks(count_in: int, count_out: int, step: int) -> Iterator[_Block]:
    """The weights that turn `count_in` samples into `count_out`, as in Pillow's Resample.c."""
    scale = count_in / count_out
    centres = (np.arange(count_out) + 0.5) * scale
    first = np.maximum((centres - _LOBES * scale + 0.5).astype(int), 0)
    end = np.minimum((centres + _LOBES * scale + 0.5).astype(int), count_in)
    for start in range(0, count_out, step):
        some = slice(start, min(start + step, count_out))
        inputs = np.arange(first[some][0], end[some][-1])[:, np.newaxis]
        distance = (inputs + 0.5 - centres[some]) / scale
        weights = np.sinc(distance) * np.sinc(distance / _LOBES)
        weights[(inputs < first[some]) | (inputs >= end[some])] = 0
        rounded = np.rint(weights / weights.sum(axis=0) / _WEIGHT_STEP) * _WEIGHT_STEP
        yield _Block(some, int(inputs[0, 0]), int(inputs[-1, 0]) + 1, rounded.astype(np.float32))


def _narrowed(part: Image.Image, across: list[_Block], width_px: int) -> _Floats:
    """Rows of the image at their new width: [3, rows, width_px]."""
    planes = np.stack([np.asarray(plane) for plane in part.split()]).astype(np.float32)
    rows = planes.reshape(-1, part.width)
    narrow = np.empty((len(rows), width_px), np.float32)
    for block in across:
        for some in _chunks(len(rows), block.weights):
            inputs = rows[some, block.first : block.end]
            np.matmul(inputs, block.weights, out=narrow[some, block.outputs])
    return _as_levels(narrow).reshape(3, -1, width_px)


def _flattened(strip: _Floats, weights: _Floats) -> _Floats:
    """`strip`, [3, input rows, width], shrunk vertically: [3, outputs of `weights`, width]."""
    down = np.ascontiguousarray(weights.T)
    flat = np.empty((3, len(down), strip.shape[2]), np.float32)
    for some in _chunks(strip.shape[2], weights):
        np.matmul(down, strip[:, : len(weights), some], out=flat[:, :, some])
    return _as_levels(flat)


def _chunks(count: int, weights: _Floats) -> Iterator[slice]:
    step = max(32, _PRODUCTS_AT_ONCE // weights.size // 32 * 32)  # whole vectors
    return (slice(start, start + step) for start in range(0, count, step))


def _as_levels(sums: _Floats) -> _Floats:
    """`sums` rounded and clipped to 0..255, in place. Done after each direction, as in Pillow."""
    np.rint(sums, out=sums)
    return np.clip(sums, 0, 255, out=sums)
