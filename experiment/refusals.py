"""ImageRefused for every reason to refuse a photo. A message says what is wrong and what to do next.

`name` is the file's name as uploaded. Codes and their HTTP statuses are in errors.IMAGE_CODES.
"""

from __future__ import annotations

from experiment.errors import IMAGE_CODES, ImageRefused
from experiment.file_names import plain_name

_USE_INSTEAD = "Use JPEG, PNG, WebP, AVIF, GIF or BMP."


def not_an_image(name: str) -> ImageRefused:
    """The bytes don't begin like any known image format."""
    return _refused("not_an_image", f"{plain_name(name)} is not a photo we can read. {_USE_INSTEAD}")


def format_not_allowed(name: str, kind: str) -> ImageRefused:
    """An image of another format; `kind` has its article: "a TIFF"."""
    return _refused("format_not_allowed", f"{plain_name(name)} is {kind} file. {_USE_INSTEAD}")


def kind_not_read(name: str, kind: str) -> ImageRefused:
    """An allowed format, but a kind that nearly no program reads; `kind` has its article."""
    return _refused(
        "format_not_allowed",
        f"{plain_name(name)} is {kind}, which browsers and models can't read. "
        "Save it as an ordinary JPEG or PNG.",
    )


def too_many_parts(name: str, parts: str) -> ImageRefused:
    """Built to waste time; `parts` are "segments", "passes", "chunks", "tiles" or "parts"."""
    return _refused(
        "damaged",
        f"{plain_name(name)} has far more {parts} than photos have, which would take too long to read. "
        "Save it again in a photo program, or choose another.",
    )


def heic_not_supported() -> ImageRefused:
    """The format that iPhones save by default, where pi-heif is not installed."""
    return _refused(
        "heic_not_supported",
        "This is a HEIC photo from an iPhone. Export it as JPEG and try again, or install the package "
        "pi-heif on the server, which then reads it.",
    )


def avif_not_supported(name: str) -> ImageRefused:
    """A Pillow that was built without AVIF."""
    return _refused(
        "format_not_allowed",
        f"{plain_name(name)} is an AVIF file, which this server can't read: its image library, Pillow, was "
        f"built without AVIF. {_USE_INSTEAD} Pillow from PyPI reads AVIF.",
    )


def empty_file(name: str) -> ImageRefused:
    """A file of 0 bytes."""
    return _refused(
        "empty_file", f"{plain_name(name)} is empty. Save or download it again, or choose another."
    )


def too_many_bytes(size_bytes: int, limit_bytes: int) -> ImageRefused:
    """A file that is larger than the limit."""
    size, limit = _apart(size_bytes / 1e6, limit_bytes / 1e6)
    return _refused(
        "too_many_bytes", f"This photo is {size} MB; the limit is {limit} MB. Make it smaller first."
    )


def too_many_pixels(pixels: int, limit_pixels: int) -> ImageRefused:
    """More pixels than the limit, by the header: a small file can unpack to a huge image."""
    size, limit = _apart(pixels / 1e6, limit_pixels / 1e6)
    return _refused(
        "too_many_pixels", f"This photo is {size} MP; the limit is {limit} MP. Make it smaller first."
    )


def too_little_memory(pixels: int) -> ImageRefused:
    """Within the limits, but this machine lacks the memory to decode it."""
    return _refused(
        "too_many_pixels",
        f"This photo is {pixels / 1e6:.0f} MP, more than this server has memory for. Make it smaller first.",
    )


def side_too_long(width_px: int, height_px: int, limit_px: int) -> ImageRefused:
    """A side that JPEG and most models can't represent."""
    return _refused(
        "side_too_long",
        f"This photo is {width_px} x {height_px} px; no side may be longer than {limit_px} px. "
        "Crop or shrink it first.",
    )


def truncated() -> ImageRefused:
    """The file ends before the image does."""
    return _refused(
        "truncated",
        "The file ends too early; it may not have finished downloading. Download it again, or choose "
        "another.",
    )


def damaged(name: str) -> ImageRefused:
    """The header can be read, the rest can't."""
    return _refused(
        "damaged",
        f"{plain_name(name)} is damaged: it can't be decoded. "
        "Save it again in a photo program, or choose another.",
    )


def _refused(code: str, message: str) -> ImageRefused:
    return ImageRefused(message, code, IMAGE_CODES[code])


def _apart(value: float, limit: float) -> tuple[str, str]:
    """Both numbers with just enough decimals to differ: "61" and "50", but "50.2" and "50"."""
    for decimals in range(6):
        first, second = (f"{round(number, decimals):.15g}" for number in (value, limit))
        if first != second:
            break
    return first, second
