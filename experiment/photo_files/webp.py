"""WebP (RFC 9649, section 2.7). Not every model server reads it, so it is never sent as uploaded or cut."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from experiment.photo_files.contents import Contents

_EXIF_PREFIX = b"Exif\0\0"  # some programs write it, though it belongs to JPEG


def contents(data: bytes, name: str) -> Contents:
    """Raises struct.error for a file that ends early."""
    exif, profile, frames = b"", b"", 0
    for kind, start, end in _chunks(data):
        if kind == b"EXIF":
            exif = exif or data[start:end].removeprefix(_EXIF_PREFIX)
        elif kind == b"ICCP":
            profile = profile or data[start:end]
        frames += kind == b"ANMF"
    notes = ("Only the first frame of the animation is used.",) if frames > 1 else ()
    return Contents(data, exif, profile, notes)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind of every chunk, and where its content begins and ends."""
    at, file_end = 12, 8 + struct.unpack_from("<I", data, 4)[0]
    while at + 8 <= file_end:
        kind, length = struct.unpack_from("<4sI", data, at)
        yield kind, at + 8, at + 8 + length
        at += 8 + length + length % 2
