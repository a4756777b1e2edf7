"""Is the file whole? Pillow fills in what is missing, where model servers refuse the file.

A JPEG that ends early is found while it is decoded, and WebP tells its length at the
start. A PNG is looked through here, from the first chunk to the last.
Format: https://www.w3.org/TR/png-3/, sections 5, 8.1 and 11.2.1.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from isal import isal_zlib

from experiment import refusals

# Cameras write about ten passes. Each one costs time over the whole picture, so a small
# file with thousands of empty ones would keep a decoder busy for hours.
MAX_JPEG_PASSES = 100
# A 20 MB photo in libpng's chunks of 8 kB has 2 500. Each one costs time, however empty.
MAX_PNG_CHUNKS = 20_000

_START_OF_SCAN = b"\xff\xda"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # colour type -> samples per pixel
# Interlaced pictures come in seven passes: first column and row, step in both.
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_AT_ONCE_BYTES = 16 * 1024  # deflate unpacks to at most 1032 times as much


def check_whole(data: bytes, kind: str, name: str) -> None:
    """Raises ImageRefused for a PNG or JPEG that is cut, lies, or is built to waste time."""
    if kind == "JPEG" and data.count(_START_OF_SCAN) > MAX_JPEG_PASSES:
        raise refusals.damaged(name)
    if kind == "PNG" and not _has_all_rows(data, _picture_chunks(data, name)):
        raise refusals.damaged(name)


def _picture_chunks(data: bytes, name: str) -> list[memoryview]:
    """The contents of the IDAT chunks, after checking the sums of all that readers need."""
    view, at, found = memoryview(data), 8, []
    for _ in range(MAX_PNG_CHUNKS):
        if at + 12 > len(data):
            raise refusals.truncated()
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            raise refusals.truncated()
        is_needed = kind[:1].isupper()  # a small first letter marks what readers may skip
        if is_needed and zlib.crc32(view[at + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            break
        if kind == b"IDAT":
            found.append(view[at + 8 : end])
        if kind == b"IEND":
            return found
        at = end + 4
    raise refusals.damaged(name)


def _has_all_rows(data: bytes, chunks: list[memoryview]) -> bool:
    """Whether the packed rows are as many bytes as the header promises."""
    missing_bytes = _expected_bytes(data)
    unpacker = isal_zlib.decompressobj()
    try:
        for piece in _pieces(chunks):
            missing_bytes -= len(unpacker.decompress(piece))
            if missing_bytes <= 0:
                return True
    except isal_zlib.IsalError:  # type: ignore[misc]  # isal's stubs call it a variable
        return False
    return False


def _pieces(chunks: list[memoryview]) -> Iterator[memoryview]:
    for chunk in chunks:
        for start in range(0, len(chunk), _AT_ONCE_BYTES):
            yield chunk[start : start + _AT_ONCE_BYTES]


def _expected_bytes(data: bytes) -> int:
    """Length of the unpacked rows, each with its filter byte, by the header."""
    width_px, height_px, depth, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    bits_per_pixel = depth * _CHANNELS.get(colour, 1)
    total = 0
    for left, top, x_step, y_step in _ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns = max(0, -(-(width_px - left) // x_step))
        rows = max(0, -(-(height_px - top) // y_step))
        total += rows * (1 + -(-columns * bits_per_pixel // 8)) if columns else 0
    return total
