"""likeness(): how far the pixels of two encoded images are apart."""

from __future__ import annotations

import io
import math
from typing import NamedTuple

import numpy as np
from PIL import Image

_STRIP_ROWS = 256  # at a time, so that memory stays that of the pictures


class Likeness(NamedTuple):
    """Two pictures of the same size, both decoded to 8-bit RGB."""

    psnr_db: float | None  # None: the same pixels
    largest_difference: int  # of any channel, 0..255


def likeness(first: bytes, second: bytes) -> Likeness | None:
    """Of two images in formats that Pillow reads; None where their sizes differ."""
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
    mean = squares / (3 * one.width * one.height)
    return Likeness(10 * math.log10(255**2 / mean), largest)


def _pixels(data: bytes) -> Image.Image:
    """As a model's decoder with three channels has them: alpha is dropped, not blended."""
    return Image.open(io.BytesIO(data)).convert("RGB")
