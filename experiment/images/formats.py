"""FORMATS: what variants are encoded as. A new format is a new row."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import PIL
from PIL import Image, features

from experiment.axes import values_of
from experiment.images import png
from experiment.images.avif import avif_encoder, encode_avif, why_no_avif
from experiment.records import Plan

# How much finer JPEG's brightness is than its colours: not at all, across, in both directions.
SUBSAMPLINGS: Final = ("4:4:4", "4:2:2", "4:2:0")

# What every model with the signature `predict_images` takes.
READ_BY_CONTRACT: Final = ("image/jpeg", "image/png", "image/gif", "image/bmp")


@dataclass(frozen=True, slots=True)
class Format:
    """One way to encode a picture."""

    name: str  # for people
    media_type: str
    extension: str  # without the dot
    axes: Mapping[str, str]  # its settings: a key of axes.AXES -> the plan's list of values
    encode: Callable[..., bytes]  # image of mode RGB, then the settings by name
    encoder: Callable[..., str]  # settings by name -> which program, with which settings
    why_not: Callable[[], str] = str  # a sentence where this installation can't write it, else ""

    @property
    def lossless(self) -> bool:
        """Whether decoding gives back every pixel."""
        return "quality" not in self.axes


def encodings(plan: Plan) -> list[tuple[str, dict[str, Any]]]:
    """Every way to encode a copy, in the plan's order: a key of FORMATS, and its settings by axis."""
    return [
        (key, dict(zip(FORMATS[key].axes, values, strict=True)))
        for key in plan.formats
        for values in product(*(values_of(plan, many) for many in FORMATS[key].axes.values()))
    ]


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _jpeg(image: Image.Image, quality: int, subsampling: str) -> bytes:
    return _saved(image, "JPEG", quality=quality, subsampling=subsampling)


# "Quality 85" alone means other pixels in other programs: the settings are said outright.
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
