"""PNG as TensorFlow's libpng reads it: checksums are tested, 16 bits are cut to 8, alpha is dropped.

The chunks are read here because Pillow forgives damage that TensorFlow refuses. ISA-L unpacks the pixels
in a third of zlib's time; Pillow only undoes the filters. Texts and profiles are never unpacked.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from isal import igzip_lib, isal_zlib
from PIL import Image

from serving.images.refused import ImageRefused, check_size

SIGNATURE_BYTES = 8
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
SAMPLES = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
# By colour type and bits per sample: Pillow's names of the mode and of the layout of a row.
MODES = {
    (GREY, 1): ("1", "1"),
    (GREY, 2): ("L", "L;2"),
    (GREY, 4): ("L", "L;4"),
    (GREY, 8): ("L", "L"),
    (GREY, 16): ("I;16", "I;16B"),
    (RGB, 8): ("RGB", "RGB"),
    (RGB, 16): ("RGB", "RGB;16B"),
    (PALETTE, 1): ("P", "P;1"),
    (PALETTE, 2): ("P", "P;2"),
    (PALETTE, 4): ("P", "P;4"),
    (PALETTE, 8): ("P", "P"),
    (GREY_ALPHA, 8): ("LA", "LA"),
    (GREY_ALPHA, 16): ("RGBA", "LA;16B"),
    (RGBA, 8): ("RGBA", "RGBA"),
    (RGBA, 16): ("RGBA", "RGBA;16B"),
}
# The seven passes of an interlaced file: first column, first row, steps across and down.
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


@dataclass(frozen=True)
class Header:
    """The IHDR chunk."""

    width_px: int
    height_px: int
    depth: int  # bits per sample
    colour: int
    is_interlaced: bool

    @property
    def size_bytes(self) -> int:
        """All unpacked rows, with the filter byte before every row."""
        if not self.is_interlaced:
            return self._rows_bytes(self.width_px, self.height_px)
        return sum(
            self._rows_bytes(-((x - self.width_px) // across), -((y - self.height_px) // down))
            for x, y, across, down in PASSES
            if x < self.width_px
        )

    def _rows_bytes(self, width_px: int, height_px: int) -> int:
        return height_px * (1 + (width_px * SAMPLES[self.colour] * self.depth + 7) // 8)


def decode(data: bytes) -> np.ndarray:
    """RGB levels. Raises ImageRefused for damage, except in chunks that are not needed."""
    packed: list[bytes] = []
    header, palette = None, b""
    for kind, content in _chunks(data):
        if kind == b"IHDR":
            header = _header(content)
        elif kind == b"PLTE":
            palette = content
        elif kind == b"IDAT":
            packed.append(content)
    if header is None or not packed:
        raise ImageRefused("it is a PNG without a header or without pixels")
    if header.colour == PALETTE and not palette:
        raise ImageRefused("it is a PNG with indices into a palette, but without the palette")
    return _levels(_pixels(header, b"".join(packed)), palette)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of the chunks that are needed, their checksums tested, up to the end mark."""
    at = SIGNATURE_BYTES
    while at + 12 <= len(data):
        size_bytes, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + size_bytes
        if end + 4 > len(data):
            break
        if kind == b"IEND":
            return
        if kind in {b"IHDR", b"PLTE", b"IDAT"}:
            if struct.pack(">I", isal_zlib.crc32(memoryview(data)[at + 4 : end])) != data[end : end + 4]:
                raise ImageRefused(f"it is a damaged PNG: the checksum of its {kind.decode()} is wrong")
            yield kind, data[at + 8 : end]
        at = end + 4
    raise ImageRefused("it is a truncated PNG")


def _header(content: bytes) -> Header:
    if len(content) != 13:
        raise ImageRefused("its PNG header is damaged")
    width_px, height_px, depth, colour, packing, filtering, interlacing = struct.unpack(">IIBBBBB", content)
    if (colour, depth) not in MODES or packing or filtering or interlacing > 1:
        raise ImageRefused("its PNG header is damaged: it describes an unknown kind of PNG")
    check_size(width_px, height_px)
    return Header(width_px, height_px, depth, colour, bool(interlacing))


def _pixels(header: Header, packed: bytes) -> Image.Image:
    """Pillow takes packed rows only, so they are handed to it "packed" without compression."""
    try:
        # One byte too many is asked for, because the checksum is tested only at the end.
        rows = isal_zlib.decompressobj().decompress(packed, header.size_bytes + 1)[: header.size_bytes]
    except igzip_lib.IsalError as problem:  # type: ignore[misc]  # according to the stub it is not a class
        raise ImageRefused(f"it is a damaged PNG: {problem}") from problem
    if len(rows) < header.size_bytes:
        raise ImageRefused("it is a truncated PNG")
    mode, layout = MODES[header.colour, header.depth]
    size_px = (header.width_px, header.height_px)
    try:
        return Image.frombytes(mode, size_px, zlib.compress(rows, 0), "zip", layout, header.is_interlaced)
    except (OSError, ValueError) as problem:
        raise ImageRefused(f"it is a damaged PNG: {problem}") from problem


def _levels(image: Image.Image, palette: bytes) -> np.ndarray:
    if image.mode == "I;16":
        high = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(high[..., np.newaxis], 3, axis=2)
    if image.mode == "P":
        colours = np.zeros((256, 3), np.uint8)
        known = np.frombuffer(palette[: len(palette) // 3 * 3], np.uint8).reshape(-1, 3)[:256]
        colours[: len(known)] = known
        rgb: np.ndarray = colours[np.asarray(image)]
        return rgb
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
