"""GIF: the first frame, as TensorFlow draws it (tensorflow/core/lib/gif/gif_io.cc).

The picture is as large as the largest frame, whatever the file says about its screen. Pixels that the
first frame does not cover, or that are transparent, are black.
"""

from __future__ import annotations

import io
import struct
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from PIL import Image

from serving.images.refused import ImageRefused, check_size

SCREEN_BYTES = 13  # the signature and the description of the screen
EXTENSION, FRAME = 0x21, 0x2C
GRAPHIC_CONTROL = 0xF9


@dataclass(frozen=True)
class Frame:
    """The position and size of a frame in the picture, and its bytes in the file."""

    left: int
    top: int
    width_px: int
    height_px: int
    content: bytes  # flags, colours and packed pixels


def decode(data: bytes) -> np.ndarray:
    """RGB levels of the first frame. Raises ImageRefused unless that one is complete."""
    if len(data) < SCREEN_BYTES:
        raise ImageRefused("it is a truncated GIF")
    colours_end = SCREEN_BYTES + _colours_bytes(data[10])
    frames, control = _parse(data, colours_end)
    if not frames:
        raise ImageRefused("it is a truncated or damaged GIF: it holds no complete picture")
    width_px = max(frame.width_px for frame in frames)
    height_px = max(frame.height_px for frame in frames)
    check_size(width_px, height_px)
    picture = np.zeros((height_px, width_px, 3), np.uint8)
    first = frames[0]
    space = picture[first.top : first.top + first.height_px, first.left : first.left + first.width_px]
    space[:] = _levels(first, data[10:colours_end] + control)[: space.shape[0], : space.shape[1]]
    return picture


def _parse(data: bytes, at: int) -> tuple[list[Frame], bytes]:
    """The frames up to the end or to damage; the first frame's graphic control, if it has one."""
    control = b""
    frames: list[Frame] = []
    with suppress(IndexError, struct.error):  # the data ends early
        while data[at] in {EXTENSION, FRAME}:
            start, is_frame = at, data[at] == FRAME
            if is_frame:
                left, top, width_px, height_px, flags = struct.unpack_from("<HHHHB", data, at + 1)
                at = _after_blocks(data, at + 11 + _colours_bytes(flags))
                frames.append(Frame(left, top, width_px, height_px, data[start + 9 : at]))
            else:
                at = _after_blocks(data, at + 2)
                if data[start + 1] == GRAPHIC_CONTROL and not frames:
                    control = data[start:at]
    return frames, control


def _colours_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _after_blocks(data: bytes, at: int) -> int:
    """The position after a sequence of blocks of up to 255 bytes, which ends with an empty block."""
    while data[at]:
        at += 1 + data[at]
    return at + 1


def _levels(frame: Frame, colours_and_control: bytes) -> np.ndarray:
    """RGB levels of one frame: Pillow unpacks a file that holds it alone, on a screen of its size."""
    check_size(frame.width_px, frame.height_px)
    size = struct.pack("<HH", frame.width_px, frame.height_px)
    alone = b"GIF89a" + size + colours_and_control + b"\x2c\0\0\0\0" + size + frame.content + b"\x3b"
    try:
        with Image.open(io.BytesIO(alone), formats=["GIF"]) as image:
            indices = np.asarray(image)
            palette = np.array(image.getpalette() or np.repeat(range(256), 3), np.uint8).reshape(-1, 3)
            clear = image.info.get("transparency")
    except (OSError, SyntaxError, ValueError, EOFError) as problem:
        raise ImageRefused(f"it is a damaged GIF: {problem}") from problem
    known = np.zeros((256, 3), np.uint8)
    known[: len(palette)] = palette
    if clear is not None:
        known[clear] = 0
    rgb: np.ndarray = known[indices]
    return rgb
