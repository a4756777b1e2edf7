"""JPEG (ITU-T T.81): the first image, without its metadata segments."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import islice

from experiment import refusals
from experiment.photo_files.contents import Contents
from experiment.photo_files.jpeg_segments import START_OF_SCAN, STARTS_OF_FRAME, Segment, segments

# Cameras write about ten scans. Every scan costs time over the whole image, so a small file with thousands of
# empty ones would keep a decoder busy for hours.
MAX_PASSES = 100
MAX_PASSES_PIXELS = 1_000_000_000  # 20 passes of 50 MP
MAX_SEGMENTS = 20_000

_APP0, _APP1, _APP2, _APP14, _COMMENT = 0xE0, 0xE1, 0xE2, 0xEE, 0xFE
_ABOUT = {*range(0xE0, 0xF0), *range(0xF0, 0xFE), _COMMENT}
_EXIF, _ICC, _JFIF, _ADOBE = b"Exif\0\0", b"ICC_PROFILE\0", b"JFIF\0", b"Adobe"
_JFIF_BYTES, _ADOBE_BYTES = 14, 12  # without thumbnail
# Baseline, extended and progressive Huffman. Pillow reads lossless and arithmetic JPEGs too.
_READ_BY_ALL = {0xC0, 0xC1, 0xC2}


def contents(data: bytes, name: str) -> Contents:
    """Raises ImageRefused for too many scans, EOFError or struct.error for a file that ends early."""
    found = list(islice(segments(data), MAX_SEGMENTS + 1))
    if len(found) > MAX_SEGMENTS:
        raise refusals.too_many_parts(name, "segments")
    frame = next((segment for segment in found if segment.marker in STARTS_OF_FRAME), None)
    if frame is None:
        raise refusals.damaged(name)
    passes = sum(segment.marker == START_OF_SCAN for segment in found)
    height_px, width_px = struct.unpack_from(">HH", data, frame.content + 1)
    if passes > MAX_PASSES or (passes > 1 and passes * width_px * height_px > MAX_PASSES_PIXELS):
        raise refusals.too_many_parts(name, "passes")
    notes = () if frame.marker in _READ_BY_ALL else ("A JPEG of a kind that few programs read.",)
    picture = b"\xff\xd8" + b"".join(_needed(data, found))
    exif = _behind(_EXIF, _APP1, data, found)[:1]  # the first counts, as in browsers
    # A long profile comes in several segments that begin with number and count (ICC.1:2010, B.4).
    parts = sorted(_behind(_ICC, _APP2, data, found), key=lambda part: part[:1])
    return Contents(picture, b"".join(exif), b"".join(part[2:] for part in parts), notes)


def _needed(data: bytes, found: Sequence[Segment]) -> Iterator[bytes]:
    """The segments that decoders need, JFIF and Adobe's cut to the part on how colours are stored."""
    for segment in found:
        marker = segment.marker
        content = data[segment.content : segment.end] if marker in {_APP0, _APP14} else b""
        if marker == _APP0 and content.startswith(_JFIF) and len(content) >= _JFIF_BYTES:
            yield b"\xff\xe0\0\x10" + content[: _JFIF_BYTES - 2] + b"\0\0"
        elif marker == _APP14 and content.startswith(_ADOBE) and len(content) >= _ADOBE_BYTES:
            yield b"\xff\xee\0\x0e" + content[:_ADOBE_BYTES]
        elif marker not in _ABOUT:
            yield data[segment.start : segment.end]


def _behind(prefix: bytes, marker: int, data: bytes, found: Sequence[Segment]) -> list[bytes]:
    """The contents of the segments of one marker that begin with `prefix`, without it."""
    return [
        data[segment.content + len(prefix) : segment.end]
        for segment in found
        if segment.marker == marker and data.startswith(prefix, segment.content)
    ]
