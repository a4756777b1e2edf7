"""contents_of(): separates a photo's file into image and metadata, without decoding. One file per format."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from experiment import refusals
from experiment.photo_files import bmp, boxed, gif, jpeg, png, webp
from experiment.photo_files.contents import Contents

__all__ = ["Contents", "contents_of"]

_FORMATS: Final[dict[str, Callable[[bytes, str], Contents]]] = {
    "JPEG": jpeg.contents,
    "PNG": png.contents,
    "WEBP": webp.contents,
    "GIF": gif.contents,
    "BMP": bmp.contents,
    "AVIF": boxed.contents,
    "HEIC": boxed.contents,
}


def contents_of(data: bytes, kind: str, name: str) -> Contents:
    """The contents of a file of the format `kind`, a key of header.READABLE; `name` is for messages.

    Raises ImageRefused if it ends early, contradicts itself or is built to waste time.
    """
    try:
        return _FORMATS[kind](data, name)
    except (EOFError, struct.error, IndexError):
        raise refusals.truncated() from None
