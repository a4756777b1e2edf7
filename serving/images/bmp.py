"""BMP as TensorFlow reads it: uncompressed rows of 8, 24 or 32 bits per pixel, without a palette.

Pillow reads more kinds of BMP. TensorFlow takes the indices of a palette for grey levels, and so does this
decoder: another picture would get another answer (tensorflow/core/kernels/image/decode_image_op.cc).
"""

from __future__ import annotations

import struct

import numpy as np

from serving.images.refused import ImageRefused, check_size

HEADER_BYTES = 32  # the part of it that is read
CHANNELS = {8: 1, 24: 3, 32: 4}  # by bits per pixel


def decode(data: bytes) -> np.ndarray:
    """RGB levels. Raises ImageRefused unless the file is exactly as long as its header says."""
    if len(data) < HEADER_BYTES:
        raise ImageRefused("it is a truncated BMP")
    offset, _, width_px, height, _, bits = struct.unpack_from("<iIiiHH", data, 10)
    if bits not in CHANNELS:
        raise ImageRefused(f"it is a BMP of {bits} bits per pixel, but only 8, 24 and 32 can be read")
    check_size(width_px, abs(height))
    row_bytes = (width_px * CHANNELS[bits] + 3) // 4 * 4
    size_bytes = offset + row_bytes * abs(height)
    if offset < 0 or size_bytes != len(data):
        raise ImageRefused(f"it is a BMP of {len(data)} bytes, but its header says {size_bytes}")
    rows = np.frombuffer(data, np.uint8, offset=offset).reshape(abs(height), row_bytes)
    pixels = rows[:, : width_px * CHANNELS[bits]].reshape(abs(height), width_px, CHANNELS[bits])
    upright = pixels if height < 0 else pixels[::-1]
    rgb = upright[..., 2::-1] if bits > 8 else np.repeat(upright, 3, axis=2)
    return np.ascontiguousarray(rgb)
