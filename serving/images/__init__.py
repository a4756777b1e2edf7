"""Encoded images to pixels, level for level what TensorFlow's `decode_image` makes of them.

Every format has a row in FORMATS. Its decoder returns RGB levels [height, width, 3] as uint8, and raises
ImageRefused for a file that TensorFlow refuses too. As in TensorFlow transparency is dropped, no photo is
turned upright and no colour profile is applied. AVIF, which TensorFlow does not read, is treated like WebP.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from serving.images import bmp, gif, jpeg, png
from serving.images.refused import ImageRefused
from serving.images.webp_avif import decode_avif, decode_webp, is_avif

FORMATS: dict[bytes, Callable[[bytes], np.ndarray]] = {  # by the first bytes of a file
    b"\xff\xd8\xff": jpeg.decode,
    b"\x89PNG\r\n\x1a\n": png.decode,
    b"GIF8": gif.decode,
    b"BM": bmp.decode,
    b"RIFF": decode_webp,
}


def decode(data: bytes) -> np.ndarray:
    """RGB levels [height, width, 3] as uint8. Raises ImageRefused, saying why."""
    for start, decode_format in FORMATS.items():
        if data.startswith(start):
            return decode_format(data)
    if is_avif(data):
        return decode_avif(data)
    if not data:
        raise ImageRefused("it is empty")
    raise ImageRefused("it is not a JPEG, PNG, GIF, BMP, WebP or AVIF")
