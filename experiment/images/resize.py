"""Smaller copies of a picture, largest first.

Resizing costs as much for a small copy as for a large one, because every pixel of the
original counts. So a copy is made from one that already exists where that gives the
same picture: with Lanczos, from one four times as large (else twice), and only after a
sample of the first such copy was found like the direct one. Nearly all photos stay
within 50 dB (PSNR) that way at every size. Drawings with hard edges don't; they are
resized from the original each time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import numpy as np
from PIL import Image
from PIL.Image import Resampling

from experiment.images.lanczos import MAX_SHRINK, lanczos

RESAMPLERS: Final = {
    "lanczos": Resampling.LANCZOS,
    "bicubic": Resampling.BICUBIC,
    "bilinear": Resampling.BILINEAR,
    "box": Resampling.BOX,
    "nearest": Resampling.NEAREST,
}

# The other filters blur or shift a little more with every step: bicubic falls to 46 dB.
_MAY_CASCADE = {"lanczos"}
# From four times the size the error is small enough to add up; from twice where there is no such copy.
_SHRINKS = (4, 2)
# Later steps lose up to 3 dB more than the first, and 50 dB is what is promised.
_LEAST_PSNR_DB = 53.0
_TILES_PER_SIDE, _TILE_PX = 6, 8
_LARGE_PIXELS = 500_000


class Copy(NamedTuple):
    """A picture at one size."""

    size_px: int  # longest side
    image: Image.Image
    resize_ms: float | None  # from the original, through all steps; None: it is the original


def copies(image: Image.Image, sizes_px: Iterable[int], resampler: str) -> Iterator[Copy]:
    """`image` at each of `sizes_px` (longest side), largest first, aspect kept, never enlarged.

    `resampler` is a key of RESAMPLERS. `resize_ms` is CPU time. Sizes above the image's
    own are left out.
    """
    original = Copy(max(image.size), image, None)
    made = [original]
    may_cascade, is_checked = resampler in _MAY_CASCADE, False
    for size_px in sorted(set(sizes_px), reverse=True):
        if size_px > original.size_px:
            continue
        start = _smallest_useful(made, size_px) if may_cascade else original
        copy = _shrunk(start, original, size_px, resampler)
        if start is not original and not is_checked:
            is_checked, may_cascade = True, _is_like_direct(copy.image, image, resampler)
            copy = copy if may_cascade else _shrunk(original, original, size_px, resampler)
        if may_cascade:
            made.append(copy)
        yield copy


def scaled(width_px: int, height_px: int, size_px: int) -> tuple[int, int]:
    """Width and height with the longest side `size_px`, each at least 1 and rounded half up."""
    longest = max(width_px, height_px)
    return (
        max(1, (2 * width_px * size_px + longest) // (2 * longest)),
        max(1, (2 * height_px * size_px + longest) // (2 * longest)),
    )


def _smallest_useful(made: list[Copy], size_px: int) -> Copy:
    for shrink in _SHRINKS:
        useful = [copy for copy in made[1:] if copy.size_px >= shrink * size_px]
        if useful:
            return useful[-1]
    return made[0]


def _shrunk(start: Copy, original: Copy, size_px: int, resampler: str) -> Copy:
    if size_px == original.size_px:
        return original
    started_s = time.thread_time()
    image = _resized(start.image, scaled(*original.image.size, size_px), resampler)
    step_ms = (time.thread_time() - started_s) * 1000
    return Copy(size_px, image, (start.resize_ms or 0.0) + step_ms)


def _resized(image: Image.Image, size: tuple[int, int], resampler: str) -> Image.Image:
    """resize(), or for a large picture the same sums made faster."""
    shrinks = [image.width / size[0], image.height / size[1]]
    is_for_lanczos = resampler == "lanczos" and min(shrinks) >= 1 and max(shrinks) <= MAX_SHRINK
    if is_for_lanczos and image.width * image.height >= _LARGE_PIXELS:
        return lanczos(image, size)
    return image.resize(size, RESAMPLERS[resampler])


def _is_like_direct(copy: Image.Image, original: Image.Image, resampler: str) -> bool:
    """Compare a grid of small tiles of `copy` with the same tiles made from `original`."""
    squares = [
        np.square(_tile(copy, box) - _direct_tile(original, copy.size, box, resampler))
        for box in _tile_boxes(*copy.size)
    ]
    error = float(np.mean(np.concatenate([square.ravel() for square in squares])))
    return error == 0 or 10 * math.log10(255**2 / error) >= _LEAST_PSNR_DB


def _tile_boxes(width_px: int, height_px: int) -> Iterator[tuple[int, int, int, int]]:
    wide, high = min(_TILE_PX, width_px), min(_TILE_PX, height_px)
    for top in np.linspace(0, height_px - high, _TILES_PER_SIDE).astype(int).tolist():
        for left in np.linspace(0, width_px - wide, _TILES_PER_SIDE).astype(int).tolist():
            yield left, top, left + wide, top + high


def _tile(image: Image.Image, box: tuple[int, int, int, int]) -> np.ndarray:
    return np.asarray(image.crop(box)).astype(np.int32)


def _direct_tile(
    original: Image.Image, size: tuple[int, int], box: tuple[int, int, int, int], resampler: str
) -> np.ndarray:
    """What the tile at `box` of a copy of `size` is when made from the original at once."""
    x_scale, y_scale = original.width / size[0], original.height / size[1]
    left, top, right, bottom = box
    part = (left * x_scale, top * y_scale, right * x_scale, bottom * y_scale)
    tile = original.resize((right - left, bottom - top), RESAMPLERS[resampler], box=part)
    return np.asarray(tile).astype(np.int32)
