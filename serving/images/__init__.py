"""Encoded images to pixels, level for level what TensorFlow's `decode_image` makes of them.

One file and one row for each format. A format's module has one function, `decode(data)`, which
gives RGB levels [height, width, 3] and raises ImageRefused for a file that TensorFlow refuses too.
Like TensorFlow it drops transparency, turns no photo upright and applies no colour profile. AVIF, which
TensorFlow does not read, comes closest to what it makes of WebP.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from serving.images import avif, bmp, gif, jpeg, png, webp
from serving.images.refused import ImageRefused

FORMATS: dict[bytes, Callable[[bytes], np.ndarray]] = {  # by how a file begins
    b"\xff\xd8\xff": jpeg.decode,
    b"\x89PNG\r\n\x1a\n": png.decode,
    b"GIF8": gif.decode,
    b"BM": bmp.decode,
    b"RIFF": webp.decode,
}


def decode(data: bytes) -> np.ndarray:
    """RGB levels [height, width, 3] as uint8. Raises ImageRefused, saying why."""
    for start, decode_format in FORMATS.items():
        if data.startswith(start):
            return decode_format(data)
    if avif.is_avif(data):
        return avif.decode(data)
    if not data:
        raise ImageRefused("it is empty")
    raise ImageRefused("it is not a JPEG, PNG, GIF, BMP, WebP or AVIF")
