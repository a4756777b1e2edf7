"""The error of an image that can't be decoded, and the limit of its size."""

from __future__ import annotations

PIXEL_LIMIT = 100_000_000  # more than any camera makes; as RGB levels 300 MB
OVER_LIMIT = f"over the limit of {PIXEL_LIMIT // 1_000_000} megapixels; send a smaller one"


class ImageRefused(Exception):
    """The image can't be decoded. The message is a clause without its subject: "it is empty"."""


def check_size(width_px: int, height_px: int) -> None:
    """Call it with the size in the header, before anything is unpacked. Raises ImageRefused."""
    if width_px <= 0 or height_px <= 0:
        raise ImageRefused(f"its header says {width_px} x {height_px} px")
    if width_px * height_px > PIXEL_LIMIT:
        raise ImageRefused(f"its {width_px} x {height_px} px are {OVER_LIMIT}")
