"""GIF (GIF89a, sections 18 to 27): the first frame, without comments, extensions and other frames."""

from __future__ import annotations

import struct

from experiment.photo_files.contents import Contents

_EXTENSION, _FRAME, _TRAILER = 0x21, 0x2C, b"\x3b"
_GRAPHIC_CONTROL = 0xF9
_SCREEN_BYTES, _FRAME_BYTES = 13, 10


def contents(data: bytes, name: str) -> Contents:
    """Raises struct.error or IndexError for a file that ends before its first frame."""
    screen_end = _SCREEN_BYTES + _colours_bytes(data[10])
    control, start = _first_frame(data, screen_end)
    left, top, width_px, height_px, flags = struct.unpack_from("<HHHHB", data, start + 1)
    pixels = start + _FRAME_BYTES + _colours_bytes(flags)
    end = _after_blocks(data, pixels + 1)
    notes, box = [], None
    if (left, top, width_px, height_px) != (0, 0, *struct.unpack_from("<HH", data, 6)):
        notes.append("The first frame laid on its whole canvas.")
        box = (left, top, left + width_px, top + height_px)
    if _has_another_frame(data, end):
        notes.append("Only the first frame of the animation is used.")
    if not (data[10] | flags) & 0x80:
        notes.append("A GIF without colours of its own, read as grey.")
    picture = data[:screen_end] + control + data[start:end] + _TRAILER
    colours = (_colours_bytes(flags) or _colours_bytes(data[10])) // 3
    return Contents(picture, notes=tuple(notes), colours=colours or None, box=box)


def _first_frame(data: bytes, at: int) -> tuple[bytes, int]:
    """The graphic control extension of the first frame, or b"", and where the frame begins."""
    control = b""
    while data[at] == _EXTENSION:
        end = _after_blocks(data, at + 2)
        if data[at + 1] == _GRAPHIC_CONTROL:
            control = data[at:end]
        at = end
    if data[at] != _FRAME:
        raise EOFError
    return control, at


def _has_another_frame(data: bytes, at: int) -> bool:
    try:
        while data[at] == _EXTENSION:
            at = _after_blocks(data, at + 2)
        return data[at] == _FRAME
    except IndexError:
        return False


def _colours_bytes(flags: int) -> int:
    return 6 << (flags & 7) if flags & 0x80 else 0


def _after_blocks(data: bytes, at: int) -> int:
    """The position after the sub-blocks at `at`: blocks of up to 255 bytes, the last of 0."""
    while data[at]:
        at += 1 + data[at]
    return at + 1
