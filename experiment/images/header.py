"""read_header(): the format of a file and the size of its image, from its first bytes alone.

Nothing is decoded and no image library is loaded, so a small file that unpacks to gigabytes costs no more
than any other. The file's name and the content type that the sender claims are ignored.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from experiment import refusals
from experiment.photo_files.jpeg_segments import END_OF_IMAGE, START_OF_SCAN, STARTS_OF_FRAME, segments

# Photos have a few dozen segments before the picture, with a long ICC profile or XMP some hundred.
MAX_SEGMENTS = 1000


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest photo that is accepted."""

    max_pixels: int = 50_000_000
    max_bytes: int = 20_000_000
    max_side_px: int = 65_000  # JPEG ends at 65 500


@dataclass(frozen=True, slots=True)
class Header:
    """The format and size of an image."""

    format: str  # a key of READABLE
    media_type: str
    width_px: int  # as stored, before turning upright
    height_px: int

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width_px * self.height_px

    @property
    def decoding_bytes(self) -> int:
        """The most memory that read_image() takes for it."""
        return self.pixels * READABLE[self.format].bytes_per_pixel


class _Format(NamedTuple):
    """How a file of a format begins, and how to read the image's size."""

    begins: re.Pattern[bytes]
    media_type: str
    size: Callable[
        [bytes, str], tuple[int, int]
    ]  # bytes and name -> width and height; raises as read_header()
    bytes_per_pixel: int  # of memory to decode the costliest kind; measured by test_large_photos.py


def read_header(data: bytes, name: str, limits: Limits | None = None) -> Header:
    """The header of a file. `data` is all of it, `name` is used in messages only.

    Raises ImageRefused for a file that is not a photo of an allowed format, or is over `limits`.
    """
    limits = limits or Limits()
    if not data:
        raise refusals.empty_file(name)
    if len(data) > limits.max_bytes:
        raise refusals.too_many_bytes(len(data), limits.max_bytes)
    found = next((key for key, known in READABLE.items() if known.begins.match(data)), None)
    if found is None:
        raise _unreadable(data, name)
    try:
        width_px, height_px = READABLE[found].size(data, name)
    except (struct.error, IndexError, EOFError):
        raise refusals.truncated() from None
    check_size(width_px, height_px, name, limits)
    return Header(found, READABLE[found].media_type, width_px, height_px)


def check_size(width_px: int, height_px: int, name: str, limits: Limits) -> None:
    """Raises ImageRefused for an image of 0 pixels, too many pixels or too long a side."""
    if width_px < 1 or height_px < 1:
        raise refusals.damaged(name)
    if width_px * height_px > limits.max_pixels:
        raise refusals.too_many_pixels(width_px * height_px, limits.max_pixels)
    if max(width_px, height_px) > limits.max_side_px:
        raise refusals.side_too_long(width_px, height_px, limits.max_side_px)


def is_avif(data: bytes) -> bool:
    """Whether it is an AVIF, which is never decoded here but which some model servers read."""
    return _brand_of(data) == "an AVIF"


def _unreadable(data: bytes, name: str) -> Exception:
    kind = _brand_of(data) or next((kind for kind, begins in OTHER_KINDS.items() if begins.match(data)), None)
    if kind is None:
        return refusals.not_an_image(name)
    return refusals.heic_not_supported() if kind == HEIC else refusals.format_not_allowed(name, kind)


def _brand_of(data: bytes) -> str | None:
    """A key of BRANDS, for images in boxes (ISO/IEC 23008-12). The first brand may be a general one."""
    if data[4:8] != b"ftyp":
        return None
    listed = data[8 : min(int.from_bytes(data[:4], "big"), 8 + 4 * _MAX_BRANDS)] or data[8:12]
    brands = [listed[at : at + 4] for at in range(0, len(listed), 4)]
    return next((kind for kind, known in BRANDS.items() if known.intersection(brands)), None)


_HIERARCHICAL = {0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF}


def _jpeg_size(data: bytes, name: str) -> tuple[int, int]:
    """Width and height in the first start-of-frame segment (ITU-T T.81, B.2.2)."""
    for number, segment in enumerate(segments(data)):
        if number == MAX_SEGMENTS:
            raise refusals.too_many_parts(name, "segments")
        if segment.marker in STARTS_OF_FRAME:
            bits, height_px, width_px = struct.unpack_from(">BHH", data, segment.content)
            if bits != 8:
                raise refusals.kind_not_read(name, f"a JPEG with {bits} bits per channel instead of 8")
            if segment.marker in _HIERARCHICAL:
                raise refusals.kind_not_read(name, "a hierarchical JPEG")
            return width_px, height_px
        if segment.marker in {START_OF_SCAN, END_OF_IMAGE}:
            break
    raise refusals.damaged(name)


def _png_size(data: bytes, name: str) -> tuple[int, int]:
    if data[12:16] == b"CgBI":  # compressed without a zlib header, and with its colours in another order
        raise refusals.kind_not_read(name, "a PNG as Xcode writes it for iOS apps (CgBI)")
    if data[12:16] not in {b"IHDR", b""}:
        raise refusals.damaged(name)
    width_px, height_px = struct.unpack_from(">II", data, 16)
    return width_px, height_px


def _gif_size(data: bytes, name: str) -> tuple[int, int]:
    width_px, height_px, flags = struct.unpack_from("<HHB", data, 6)
    palette_bytes = 6 << (flags & 7) if flags & 0x80 else 0
    if len(data) < 13 + palette_bytes:
        raise EOFError
    return width_px, height_px


def _bmp_size(data: bytes, name: str) -> tuple[int, int]:
    if data[14] == 12:  # OS/2
        width_px, height_px = struct.unpack_from("<HH", data, 18)
    else:
        width_px, height_px = struct.unpack_from("<ii", data, 18)
    return width_px, abs(height_px)  # negative: stored from the top


def _webp_size(data: bytes, name: str) -> tuple[int, int]:
    """Width and height in the first chunk (RFC 9649, sections 2.5 to 2.7)."""
    if struct.unpack_from("<I", data, 4)[0] + 8 > len(data):
        raise EOFError
    chunk = data[12:16]
    if chunk == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if chunk == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if chunk == b"VP8 ":
        width_px, height_px = struct.unpack_from("<HH", data, 26)
        return width_px & 0x3FFF, height_px & 0x3FFF
    raise refusals.damaged(name)


def is_plain_webp(data: bytes) -> bool:
    """Whether a WebP is one opaque image, as its first chunk says (RFC 9649, sections 2.6 and 2.7).

    TensorFlow refuses transparency and animations if it is asked for three channels.
    """
    chunk = data[12:16]
    if chunk == b"VP8X":
        return not data[20] & 0x12  # alpha, animation
    return chunk == b"VP8 " or not data[24] & 0x10


def _pattern(expression: bytes) -> re.Pattern[bytes]:
    return re.compile(expression, re.DOTALL)


READABLE: Final = {
    "JPEG": _Format(_pattern(rb"\xff\xd8\xff"), "image/jpeg", _jpeg_size, 13),
    "PNG": _Format(_pattern(rb"\x89PNG\r\n\x1a\n"), "image/png", _png_size, 10),
    "WEBP": _Format(_pattern(rb"RIFF....WEBP"), "image/webp", _webp_size, 18),
    "GIF": _Format(_pattern(rb"GIF8[79]a"), "image/gif", _gif_size, 10),
    # Text may begin with "BM" too; an image has one of these header lengths.
    "BMP": _Format(_pattern(rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0"), "image/bmp", _bmp_size, 10),
}

# Other formats that people upload, as messages name them.
HEIC = "a HEIC"
_MAX_BRANDS = 32
BRANDS: Final = {  # the most specific first
    "an AVIF": {b"avif", b"avis"},
    HEIC: {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"},
    "a HEIF": {b"mif1", b"msf1"},
}
OTHER_KINDS: Final = {
    "a TIFF": _pattern(rb"II\*\0|MM\0\*"),
    "a Photoshop": _pattern(rb"8BPS"),
    "a JPEG 2000": _pattern(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"),
    "a JPEG XL": _pattern(rb"\xff\x0a|\0\0\0\x0cJXL "),
    "an icon": _pattern(rb"\0\0[\1\2]\0"),
    "an SVG": _pattern(rb"[^\0]{0,1000}?<svg\b"),
}
