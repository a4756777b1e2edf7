"""Why a file is refused: one function per reason, each with its code and its words.

A message says what the file is, why that can't be used and what to do next. The
codes are errors.IMAGE_CODES, which also holds the HTTP status of each.
"""

from __future__ import annotations

from experiment.errors import IMAGE_CODES, ImageRefused
from experiment.file_names import plain_name

_USE_INSTEAD = "Use JPEG, PNG, WebP, GIF or BMP."


def not_an_image(name: str) -> ImageRefused:
    """The bytes begin like no picture that we know."""
    return _refused("not_an_image", f"{plain_name(name)} is not a photo we can read. {_USE_INSTEAD}")


def format_not_allowed(name: str, kind: str) -> ImageRefused:
    """A picture, but of a kind that is not on the list; `kind` comes with its article."""
    return _refused("format_not_allowed", f"{plain_name(name)} is {kind} file. {_USE_INSTEAD}")


def kind_not_read(name: str, kind: str) -> ImageRefused:
    """Of a format on the list, but as good as nothing reads this kind; `kind` comes with its article."""
    return _refused(
        "format_not_allowed",
        f"{plain_name(name)} is {kind}, which browsers and models can't read. "
        "Save it as an ordinary JPEG or PNG.",
    )


def too_many_parts(name: str, parts: str) -> ImageRefused:
    """A photo, but each of its thousands of parts takes time."""
    return _refused(
        "damaged",
        f"{plain_name(name)} has far more {parts} than photos have, which would take too long to read. "
        "Save it again in a photo program, or choose another.",
    )


def heic_not_supported() -> ImageRefused:
    """What iPhones make unless told otherwise."""
    return _refused(
        "heic_not_supported", "This is a HEIC photo from an iPhone. Export it as JPEG and try again."
    )


def empty_file(name: str) -> ImageRefused:
    """No byte at all."""
    return _refused(
        "empty_file", f"{plain_name(name)} is empty. Save or download it again, or choose another."
    )


def too_many_bytes(size_bytes: int, limit_bytes: int) -> ImageRefused:
    """Larger than may be sent."""
    size, limit = _apart(size_bytes / 1e6, limit_bytes / 1e6)
    return _refused(
        "too_many_bytes", f"This photo is {size} MB; the limit is {limit} MB. Make it smaller first."
    )


def too_many_pixels(pixels: int, limit_pixels: int) -> ImageRefused:
    """A small file can unpack to a huge picture, so this is told from the header."""
    size, limit = _apart(pixels / 1e6, limit_pixels / 1e6)
    return _refused(
        "too_many_pixels", f"This photo is {size} MP; the limit is {limit} MP. Make it smaller first."
    )


def too_little_memory(pixels: int) -> ImageRefused:
    """Within the limits, but this machine can't hold it."""
    return _refused(
        "too_many_pixels",
        f"This photo is {pixels / 1e6:.0f} MP, more than this server has memory for. Make it smaller first.",
    )


def side_too_long(width_px: int, height_px: int, limit_px: int) -> ImageRefused:
    """JPEG and most models can't hold longer sides."""
    return _refused(
        "side_too_long",
        f"This photo is {width_px} x {height_px} px; no side may be longer than {limit_px} px. "
        "Crop or shrink it first.",
    )


def truncated() -> ImageRefused:
    """The bytes stop before the picture does."""
    return _refused(
        "truncated",
        "The file ends too early; it may not have finished downloading. Download it again, or choose "
        "another.",
    )


def damaged(name: str) -> ImageRefused:
    """The header is fine, what follows is not."""
    return _refused(
        "damaged",
        f"{plain_name(name)} is damaged: it can't be decoded. "
        "Save it again in a photo program, or choose another.",
    )


def _refused(code: str, message: str) -> ImageRefused:
    return ImageRefused(message, code, IMAGE_CODES[code])


def _apart(value: float, limit: float) -> tuple[str, str]:
    """Both with just enough decimals to look different: 61 and 50, but 50.2 and 50."""
    for decimals in range(6):
        texts = (_rounded(value, decimals), _rounded(limit, decimals))
        if texts[0] != texts[1]:
            break
    return texts


def _rounded(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text
