"""Is the file whole? Pillow is lenient where the decoders of model servers are not."""

from __future__ import annotations

import struct
import zlib

from experiment import refusals

# Cameras write about ten passes. Each one costs time over the whole picture, so a small
# file with thousands of empty ones would keep a decoder busy for hours.
MAX_JPEG_PASSES = 100
# A 20 MB photo in libpng's chunks of 8 kB has 2 500. Each one costs time, however empty.
MAX_PNG_CHUNKS = 20_000

_START_OF_SCAN = b"\xff\xda"


def check_whole(data: bytes, kind: str, name: str) -> None:
    """Raises ImageRefused for a PNG or JPEG that is cut, lies, or is built to waste time."""
    if kind == "PNG":
        _check_png(data, name)
    if kind == "JPEG" and data.count(_START_OF_SCAN) > MAX_JPEG_PASSES:
        raise refusals.damaged(name)


def _check_png(data: bytes, name: str) -> None:
    """Walk the chunks to IEND, checking the sums of those that hold the picture."""
    view, at = memoryview(data), 8
    for _ in range(MAX_PNG_CHUNKS):
        if at + 12 > len(data):
            raise refusals.truncated()
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            raise refusals.truncated()
        is_needed = kind[:1].isupper()  # a small first letter marks what readers may skip
        if is_needed and zlib.crc32(view[at + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            raise refusals.damaged(name)
        if kind == b"IEND":
            return
        at = end + 4
    raise refusals.damaged(name)
