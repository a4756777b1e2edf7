"""FORMATS: the formats in which variants are encoded. A new format is a new row."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import PIL
from PIL import Image, features

from experiment.images import png
from experiment.images.avif import avif_encoder, encode_avif, why_no_avif
from experiment.records import Plan

# JPEG stores colours at full resolution, at half of it horizontally, or at half of it in both directions.
SUBSAMPLINGS: Final = ("4:4:4", "4:2:2", "4:2:0")

# Formats that every model with the signature `predict_images` reads.
READ_BY_CONTRACT: Final = ("image/jpeg", "image/png", "image/gif", "image/bmp")


@dataclass(frozen=True, slots=True)
class Format:
    """How to encode an image: FORMATS["jpeg"].encode(image, quality=85, subsampling="4:2:0")."""

    name: str  # for people
    media_type: str
    extension: str  # without the dot
    axes: Mapping[str, str]  # its settings: a key of axes.AXES -> the plan's list of values
    encode: Callable[..., bytes]  # takes an image of mode RGB, then the settings by name
    encoder: Callable[..., str]  # takes the settings by name, returns Variant.encoder
    why_not: Callable[[], str] = str  # returns a sentence if this installation can't write it, else ""

    @property
    def lossless(self) -> bool:
        """Whether decoding restores every pixel."""
        return "quality" not in self.axes


def encodings(plan: Plan) -> list[tuple[str, dict[str, Any]]]:
    """Every key of FORMATS in the plan, with every combination of its settings by axis, in the plan's order.

    >>> encodings(Plan(formats=("png", "webp"), webp_qualities=(80,)))
    [('png', {}), ('webp', {'quality': 80})]
    """
    return [
        (key, dict(zip(FORMATS[key].axes, values, strict=True)))
        for key in plan.formats
        for values in product(*(getattr(plan, list_key) for list_key in FORMATS[key].axes.values()))
    ]


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _jpeg(image: Image.Image, quality: int, subsampling: str) -> bytes:
    return _saved(image, "JPEG", quality=quality, subsampling=subsampling)


# "Quality 85" means other pixels in other programs, so the program and all settings are named.
def _jpeg_encoder(quality: int, subsampling: str) -> str:
    turbo = features.version("libjpeg_turbo")
    library = f"libjpeg-turbo {turbo}" if turbo else f"libjpeg {features.version('jpg')}"
    return f"Pillow {PIL.__version__} / {library}, q{quality}, {subsampling}"


def _webp_encoder(settings: str) -> str:
    return f"Pillow {PIL.__version__} / libwebp {features.version('webp')}, {settings}, method {_WEBP_METHOD}"


_WEBP_METHOD = 4  # effort, 0..6; Pillow's and libwebp's own default

FORMATS: Final[dict[str, Format]] = {
    "png": Format(
        name="PNG",
        media_type="image/png",
        extension="png",
        axes={},
        encode=png.encode_png,
        encoder=lambda: png.ENCODER,
    ),
    "jpeg": Format(
        name="JPEG",
        media_type="image/jpeg",
        extension="jpg",
        axes={"quality": "jpeg_qualities", "subsampling": "subsamplings"},
        encode=_jpeg,
        encoder=_jpeg_encoder,
    ),
    "webp": Format(
        name="WebP",
        media_type="image/webp",
        extension="webp",
        axes={"quality": "webp_qualities"},
        encode=lambda image, quality: _saved(image, "WEBP", quality=quality, method=_WEBP_METHOD),
        encoder=lambda quality: _webp_encoder(f"q{quality}, 4:2:0"),
    ),
    "webp-lossless": Format(
        name="WebP lossless",
        media_type="image/webp",
        extension="webp",
        axes={},
        encode=lambda image: _saved(image, "WEBP", lossless=True, method=_WEBP_METHOD),
        encoder=lambda: _webp_encoder("lossless"),
    ),
    "avif": Format(
        name="AVIF",
        media_type="image/avif",
        extension="avif",
        axes={"quality": "avif_qualities"},
        encode=encode_avif,
        encoder=avif_encoder,
        why_not=why_no_avif,
    ),
}
