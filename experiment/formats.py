"""FORMATS: what variants are encoded as. A new format is a new row."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import PIL
from PIL import Image, features

from experiment import png

_SUBSAMPLING = "4:2:0"  # said outright: "quality 85" alone means other pixels in other programs


@dataclass(frozen=True, slots=True)
class Format:
    """One way to encode a picture."""

    name: str  # for people
    media_type: str
    extension: str  # without the dot
    lossless: bool  # a lossless format ignores the quality
    encode: Callable[[Image.Image, int], bytes]  # image of mode RGB, quality 1..100
    encoder: Callable[[int], str]  # quality -> which program, with which settings


def _jpeg(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling=_SUBSAMPLING)
    return buffer.getvalue()


def _jpeg_encoder(quality: int) -> str:
    turbo = features.version("libjpeg_turbo")
    library = f"libjpeg-turbo {turbo}" if turbo else f"libjpeg {features.version('jpg')}"
    return f"Pillow {PIL.__version__} / {library}, q{quality}, {_SUBSAMPLING}"


FORMATS: Final = {
    "png": Format(
        name="PNG",
        media_type="image/png",
        extension="png",
        lossless=True,
        encode=lambda image, _: png.encode_png(image),
        encoder=lambda _: png.ENCODER,
    ),
    "jpeg": Format(
        name="JPEG",
        media_type="image/jpeg",
        extension="jpg",
        lossless=False,
        encode=_jpeg,
        encoder=_jpeg_encoder,
    ),
}
