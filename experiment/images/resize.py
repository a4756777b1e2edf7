"""Smaller copies of an image, and how far two copies are apart.

Resizing costs as much for a small copy as for a large one, because every pixel of the original counts. So a
copy is made from an existing one if that gives the same image: with Lanczos, from one four times as large
(else twice), and only after a sample of the first such copy was close to the direct one. Nearly all photos
stay within 50 dB (PSNR) at every size that way. Drawings with hard edges don't; they are resized from the
original each time.
"""

from __future__ import annotations

import io
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
# Steps to make a copy from an existing one, the more exact first.
_SHRINKS = (4, 2)
# Later steps lose up to 3 dB more than the first, and 50 dB is the promise.
_LEAST_PSNR_DB = 53.0
_TILES_PER_SIDE, _TILE_PX = 6, 8
_LARGE_PIXELS = 500_000


class Copy(NamedTuple):
    """An image at one size."""

    size_px: int  # longest side
    image: Image.Image
    resize_ms: float | None  # CPU time from the original through all steps; None: it is the original


def copies(image: Image.Image, sizes_px: Iterable[int], resampler: str) -> Iterator[Copy]:
    """`image` at each of `sizes_px` (longest side), largest first, aspect ratio kept.

    `resampler` is a key of RESAMPLERS. Sizes above the image's own are left out.
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
    """Width and height with the longest side `size_px`, both at least 1 and rounded half up.

    >>> scaled(4000, 3000, 512)
    (512, 384)
    """
    longest = max(width_px, height_px)
    width, height = ((2 * side * size_px + longest) // (2 * longest) for side in (width_px, height_px))
    return max(1, width), max(1, height)


def _smallest_useful(made: list[Copy], size_px: int) -> Copy:
    """The copy to shrink from; made[0] is the original."""
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
    """image.resize(), or lanczos(), which is faster for large images."""
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
    return error == 0 or _psnr_db(error) >= _LEAST_PSNR_DB


def _psnr_db(mean_square_error: float) -> float:
    return 10 * math.log10(255**2 / mean_square_error)


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
    """The tile at `box` of a copy of `size`, made from the original in one step: [height, width, 3]."""
    x_scale, y_scale = original.width / size[0], original.height / size[1]
    left, top, right, bottom = box
    part = (left * x_scale, top * y_scale, right * x_scale, bottom * y_scale)
    tile = original.resize((right - left, bottom - top), RESAMPLERS[resampler], box=part)
    return np.asarray(tile).astype(np.int32)


_STRIP_ROWS = 256  # compared at a time, to save memory


class Likeness(NamedTuple):
    """How far two images of the same size are apart, both decoded to 8-bit RGB."""

    psnr_db: float | None  # None: the same pixels
    largest_difference: int  # of any channel, 0..255


def likeness(first: bytes, second: bytes) -> Likeness | None:
    """Compares two encoded images in formats that Pillow reads; None if their sizes differ."""
    one, other = _pixels(first), _pixels(second)
    if one.size != other.size:
        return None
    squares, largest = 0, 0
    for top in range(0, one.height, _STRIP_ROWS):
        box = (0, top, one.width, min(top + _STRIP_ROWS, one.height))
        difference = np.asarray(one.crop(box)).astype(np.int32) - np.asarray(other.crop(box))
        squares += int(np.square(difference).sum())
        largest = max(largest, int(np.abs(difference).max()))
    if largest == 0:
        return Likeness(None, 0)
    return Likeness(_psnr_db(squares / (3 * one.width * one.height)), largest)


def _pixels(data: bytes) -> Image.Image:
    """The pixels in mode RGB, as a model's decoder reads them: alpha is dropped, not blended."""
    return Image.open(io.BytesIO(data)).convert("RGB")
