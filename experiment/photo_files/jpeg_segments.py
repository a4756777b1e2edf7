"""segments(): the parts of a JPEG's first picture, each with its place in the file (ITU-T T.81, B.1.1).

A marker counts where a decoder looks for one: not in a comment, in a thumbnail, or in what stands behind
the picture, as the video of a motion photo.
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
    """A marker and what belongs to it; of a scan, its pixels too."""

    marker: int  # the byte behind FF
    start: int  # where FF stands
    content: int  # behind marker and length
    end: int


def segments(data: bytes) -> Iterator[Segment]:
    """From behind the start of the image to its end mark, or to where the data ends within a scan.

    What stands between two segments belongs to none, as decoders have it. Raises EOFError or struct.error
    where the data ends elsewhere.
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
