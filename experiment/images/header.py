"""read_header(): the format of a file and the size of its image, from its first bytes alone.

Nothing is decoded and no image library is loaded, so a small file that unpacks to gigabytes costs no more
than any other. The file's name and the content type that the sender claims are ignored.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Final, NamedTuple

from experiment import refusals
from experiment.photo_files.boxes import AVIF_CODEC, HEVC_CODEC, main_picture
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
    needs: str = ""  # the module that decodes it, where an installation may lack one


def read_header(data: bytes, name: str, limits: Limits | None = None) -> Header:
    """The header of a file. `data` is all of it, `name` is used in messages only.

    Raises ImageRefused for a file that is not a photo of an allowed format, or is over `limits`.
    """
    limits = limits or Limits()
    if not data:
        raise refusals.empty_file(name)
    if len(data) > limits.max_bytes:
        raise refusals.too_many_bytes(len(data), limits.max_bytes)
    try:
        found = _format_of(data, name)
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


def formats_read() -> list[str]:
    """Keys of READABLE that this installation decodes."""
    return [key for key, kind in READABLE.items() if _is_installed(kind.needs)]


@cache
def _is_installed(module: str) -> bool:
    return not module or find_spec(module) is not None


def _format_of(data: bytes, name: str) -> str:
    """A key of READABLE. Raises ImageRefused for another kind of file, and for one not decoded here."""
    brand = _brand_of(data)
    if brand is not None:
        return _format_in_boxes(data, name, brand)
    found = next((key for key, known in READABLE.items() if known.begins.match(data)), None)
    if found is not None:
        return found
    kind = next((kind for kind, begins in OTHER_KINDS.items() if begins.match(data)), None)
    raise refusals.not_an_image(name) if kind is None else refusals.format_not_allowed(name, kind)


def _format_in_boxes(data: bytes, name: str, brand: str) -> str:
    """By the codec, because brands may be general ones (HEIF, for any codec) or several."""
    if brand == HEIC and "HEIC" not in formats_read():
        raise refusals.heic_not_supported()
    codec = main_picture(data, name).codec
    found = "HEIC" if codec == HEVC_CODEC else ""
    if brand == AVIF and codec in {
        AVIF_CODEC,
        b"",
    }:  # decoders of AVIF want its brand; its tracks name no codec
        found = "AVIF"
    if not found:
        raise refusals.format_not_allowed(
            name, "a HEIF" if brand == HEIF else f"{brand} of an unusual kind, a HEIF"
        )
    if found not in formats_read():
        raise refusals.heic_not_supported() if found == "HEIC" else refusals.avif_not_supported(name)
    return found


def _brand_of(data: bytes) -> str | None:
    """A key of BRANDS, for images in boxes (ISO/IEC 23008-12). The first brand may be a general one."""
    if data[4:8] != b"ftyp":
        return None
    listed = data[8 : min(int.from_bytes(data[:4], "big"), 8 + 4 * _MAX_BRANDS)] or data[8:12]
    brands = [listed[at : at + 4] for at in range(0, len(listed), 4)]
    return next((kind for kind, known in BRANDS.items() if known.intersection(brands)), None)


# Tiles may stick out of a picture, and small pictures be cut from one large tile.
_TILES_PER_PICTURE, _SPARE_PIXELS = 2, 5_000_000


def _boxed_size(data: bytes, name: str) -> tuple[int, int]:
    picture = main_picture(data, name)
    most = _TILES_PER_PICTURE * picture.width_px * picture.height_px + _SPARE_PIXELS
    if picture.decoded_pixels > most:  # built to waste memory and time
        raise refusals.too_many_parts(name, "tiles")
    return picture.width_px, picture.height_px


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


AVIF, HEIC, HEIF = "an AVIF", "a HEIC", "a HEIF"  # as messages name them
READABLE: Final = {
    "JPEG": _Format(_pattern(rb"\xff\xd8\xff"), "image/jpeg", _jpeg_size, 13),
    "PNG": _Format(_pattern(rb"\x89PNG\r\n\x1a\n"), "image/png", _png_size, 10),
    "WEBP": _Format(_pattern(rb"RIFF....WEBP"), "image/webp", _webp_size, 18),
    "GIF": _Format(_pattern(rb"GIF8[79]a"), "image/gif", _gif_size, 10),
    # Text may begin with "BM" too; an image has one of these header lengths.
    "BMP": _Format(_pattern(rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0"), "image/bmp", _bmp_size, 10),
    # Their brands say more than their beginning does.
    "AVIF": _Format(_pattern(rb".{4}ftypavi[fs]"), "image/avif", _boxed_size, 20, "PIL._avif"),
    "HEIC": _Format(_pattern(rb".{4}ftyphe[iv][cmsx]"), "image/heic", _boxed_size, 24, "pi_heif"),
}

# Other formats that people upload, as messages name them.
_MAX_BRANDS = 32
BRANDS: Final = {  # the most specific first
    AVIF: {b"avif", b"avis"},
    HEIC: {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"},
    HEIF: {b"mif1", b"msf1"},
}
OTHER_KINDS: Final = {
    "a TIFF": _pattern(rb"II\*\0|MM\0\*"),
    "a Photoshop": _pattern(rb"8BPS"),
    "a JPEG 2000": _pattern(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"),
    "a JPEG XL": _pattern(rb"\xff\x0a|\0\0\0\x0cJXL "),
    "an icon": _pattern(rb"\0\0[\1\2]\0"),
    "an SVG": _pattern(rb"[^\0]{0,1000}?<svg\b"),
}
