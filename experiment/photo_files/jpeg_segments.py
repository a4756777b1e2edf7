"""segments(): the segments of a JPEG's first image with their places in the file (ITU-T T.81, B.1.1).

Markers count only where decoders look for them: not in a comment, in a thumbnail, or in what follows the
image, like the video of a motion photo.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

START_OF_SCAN, END_OF_IMAGE = 0xDA, 0xD9
STARTS_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0..15; the others are tables

_MARKER = re.compile(rb"\xff[^\xff\x00]")
_AFTER_SCAN = re.compile(rb"\xff[^\xff\x00\xd0-\xd7]")  # restarts stand within a scan
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}


class Segment(NamedTuple):
    """A marker with its content; that of a scan includes its pixels."""

    marker: int  # the byte after FF
    start: int  # position of FF
    content: int  # position after marker and length
    end: int


def segments(data: bytes) -> Iterator[Segment]:
    """The segments after the start-of-image marker, to the end-of-image marker or the end of `data` in a
    scan.

    Bytes between two segments are skipped, as by decoders. Raises EOFError or struct.error if `data` ends
    elsewhere.
    """
    at = 2
    while found := _MARKER.search(data, at):
        at, marker = found.end(), data[found.end() - 1]
        if marker in _WITHOUT_LENGTH:
            continue
        if marker == END_OF_IMAGE:
            yield Segment(marker, at - 2, at, at)
            return
        end = at + struct.unpack_from(">H", data, at)[0]
        if marker == START_OF_SCAN:
            after = _AFTER_SCAN.search(data, end)
            end = after.start() if after else len(data)
        yield Segment(marker, at - 2, at + 2, end)
        if end >= len(data) and marker == START_OF_SCAN:
            return
        at = end
    raise EOFError
