"""Checks that a PNG has all its rows, and that their compressed stream ends after the last one.

Pillow fills in missing rows and overlooks a wrong end; model servers refuse such files.
Format: https://www.w3.org/TR/png-3/, sections 8.1, 10 and 11.2.1.
"""

from __future__ import annotations

import struct
import zlib

from isal import isal_zlib

# Interlaced pictures come in seven passes: first column and row, step in both.
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # colour type -> samples per pixel
_ZLIB_HEADER_BYTES = 2
_AT_ONCE_BYTES = 16 * 1024  # deflate unpacks to at most 1032 times as much
# Encoders end at once; more than this after the last row is not unpacked to find the end.
_MAX_BEHIND_BYTES = 64 * 1024


def rows_end_well(header: bytes, packed: bytes) -> bool | None:
    """Whether the stream ends after the last row; None: rows are missing, or their checksum is wrong.

    `header` is IHDR's content, `packed` that of all IDAT chunks together.
    """
    missing_bytes, checksum = rows_bytes(header), 1
    unpacker = isal_zlib.decompressobj(wbits=-15)  # raw, because the checksum is checked below
    stream = memoryview(packed)
    at = _ZLIB_HEADER_BYTES
    try:
        while at < len(stream) and not unpacker.eof and missing_bytes > -_MAX_BEHIND_BYTES:
            rows = unpacker.decompress(stream[at : at + _AT_ONCE_BYTES])
            missing_bytes -= len(rows)
            checksum = zlib.adler32(rows, checksum)
            at += _AT_ONCE_BYTES
    except isal_zlib.IsalError:  # type: ignore[misc]  # isal's stubs call it a variable
        return False if missing_bytes <= 0 else None
    stored = (unpacker.unused_data + packed[at : at + 4])[:4]
    if missing_bytes > 0 or (unpacker.eof and len(stored) == 4 and stored != struct.pack(">I", checksum)):
        return None
    return bool(unpacker.eof) and missing_bytes == 0 and len(stored) == 4


def rows_bytes(header: bytes) -> int:
    """Length of all uncompressed rows with their filter bytes; `header` is IHDR's content."""
    width_px, height_px, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    bits_per_pixel = depth * _CHANNELS.get(colour, 1)
    total = 0
    for left, top, x_step, y_step in _ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns = max(0, -(-(width_px - left) // x_step))
        rows = max(0, -(-(height_px - top) // y_step))
        total += rows * (1 + -(-columns * bits_per_pixel // 8)) if columns else 0
    return total
