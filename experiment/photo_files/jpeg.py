"""JPEG (ITU-T T.81): the first picture, without the segments that say something about it."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from experiment import refusals
from experiment.photo_files.contents import Contents
from experiment.photo_files.jpeg_segments import START_OF_SCAN, STARTS_OF_FRAME, Segment, segments

# Cameras write about ten passes. Each one costs time over the whole picture, so a small
# file with thousands of empty ones would keep a decoder busy for hours.
MAX_PASSES = 100
MAX_PASSES_PIXELS = 1_000_000_000  # 20 passes of 50 MP
MAX_SEGMENTS = 20_000

_APP0, _APP1, _APP2, _APP14, _COMMENT = 0xE0, 0xE1, 0xE2, 0xEE, 0xFE
_ABOUT = {*range(0xE0, 0xF0), *range(0xF0, 0xFE), _COMMENT}
_EXIF, _ICC, _JFIF, _ADOBE = b"Exif\0\0", b"ICC_PROFILE\0", b"JFIF\0", b"Adobe"
_JFIF_BYTES, _ADOBE_BYTES = 14, 12  # without thumbnail; what is longer is something else
# Baseline, extended and progressive Huffman. Pillow reads lossless and arithmetic JPEGs too.
_READ_BY_ALL = {0xC0, 0xC1, 0xC2}


def contents(data: bytes, name: str) -> Contents:
    """Raises ImageRefused for too many passes, EOFError or struct.error for a file that ends early."""
    found = []
    for segment in segments(data):
        found.append(segment)
        if len(found) > MAX_SEGMENTS:
            raise refusals.too_many_parts(name, "segments")
    frame = next((each for each in found if each.marker in STARTS_OF_FRAME), None)
    if frame is None:
        raise refusals.damaged(name)
    passes = sum(each.marker == START_OF_SCAN for each in found)
    height_px, width_px = struct.unpack_from(">HH", data, frame.content + 1)
    if passes > MAX_PASSES or (passes > 1 and passes * width_px * height_px > MAX_PASSES_PIXELS):
        raise refusals.too_many_parts(name, "passes")
    notes = () if frame.marker in _READ_BY_ALL else ("A JPEG of a kind that few programs read.",)
    picture = b"\xff\xd8" + b"".join(_needed(data, found))
    return Contents(picture, _exif(data, found), _profile(data, found), notes)


def _needed(data: bytes, found: Sequence[Segment]) -> Iterator[bytes]:
    """What decoders use. Of the notes these are two, on how colours are stored, cut to their length."""
    for each in found:
        content = data[each.content : each.end] if each.marker in {_APP0, _APP14} else b""
        if each.marker == _APP0 and content.startswith(_JFIF) and len(content) >= _JFIF_BYTES:
            yield b"\xff\xe0\0\x10" + content[: _JFIF_BYTES - 2] + b"\0\0"
        elif each.marker == _APP14 and content.startswith(_ADOBE) and len(content) >= _ADOBE_BYTES:
            yield b"\xff\xee\0\x0e" + content[:_ADOBE_BYTES]
        elif each.marker not in _ABOUT:
            yield data[each.start : each.end]


def _exif(data: bytes, found: Sequence[Segment]) -> bytes:
    """Of the first block, as browsers have it."""
    for each in found:
        if each.marker == _APP1 and data.startswith(_EXIF, each.content):
            return data[each.content + len(_EXIF) : each.end]
    return b""


def _profile(data: bytes, found: Sequence[Segment]) -> bytes:
    """A long one comes in several segments, each with its number (ICC.1:2010, B.4)."""
    parts = [
        data[each.content + len(_ICC) : each.end]
        for each in found
        if each.marker == _APP2 and data.startswith(_ICC, each.content)
    ]
    return b"".join(part[2:] for part in sorted(parts, key=lambda part: part[:1]))
