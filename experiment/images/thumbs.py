"""thumb(): the small picture of an encoded image, as people are shown it: on the page, in reports, on cards.

It is decoded from the bytes that were sent, so it shows what their size and their compression have done.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import Final

import PIL.AvifImagePlugin
import PIL.WebPImagePlugin  # noqa: F401  both: else Pillow would load all its plugins to find them
from PIL import Image

from experiment import refusals
from experiment.images.colour import to_srgb
from experiment.records import Thumb

SIDE_PX: Final = 192  # the longest side; smaller images stay as they are
QUALITY: Final = 80
MEDIA_TYPE: Final = "image/webp"
TINY_PX: Final = 64  # up to here lossless may be smaller, and is tried
FILE_BYTES: Final = 150_000  # of all pictures in one report: 200,000 characters of base64
_SAMPLE: Final = 16  # pictures that are tried before all of them are made smaller
# How pictures get smaller until those of a report fit into it: longest side and quality.
_SMALLER: Final = ((160, 70), (128, 65), (96, 60), (64, 50), (48, 40), (32, 30))
READABLE: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF")


def thumb(
    encoded: bytes, side_px: int = SIDE_PX, quality: int = QUALITY, most_px: int | None = None
) -> Thumb:
    """The picture in the bytes of an image file, at most `side_px` on its longest side, never enlarged.

    Takes 3 to 5 ms for a copy of 512 px, 10 ms for a JPEG of 12 MP, which is decoded at an eighth of its
    size, and 0.3 s for a PNG of 12 MP. EXIF is ignored, as models ignore it. Raises ImageRefused for bytes
    that can't be decoded, and, before it decodes them, for an image with a side above `most_px`.
    """
    try:
        image: Image.Image = Image.open(io.BytesIO(encoded), formats=READABLE)
        if most_px is not None and max(image.size) > most_px:
            raise ValueError(f"{image.size} is larger than {most_px} px")
        image.draft("RGB", (side_px, side_px))  # JPEG can be decoded at a half, a quarter or an eighth
        image, _ = to_srgb(image)
        image.thumbnail((side_px, side_px), Image.Resampling.LANCZOS, reducing_gap=3.0)
        return Thumb(MEDIA_TYPE, image.width, image.height, _encoded(image, quality))
    except MemoryError:
        raise
    except Exception as error:  # whatever decoders raise on hostile bytes
        raise refusals.damaged("The picture") from error


def fitted(pictures: Mapping[str, Thumb], most_bytes: int = FILE_BYTES) -> dict[str, Thumb]:
    """The pictures with all their bytes together within `most_bytes`: as they are, or all of them smaller.

    The last ones are left out if even pictures of 32 px are too many, which takes more than a run may have.
    """
    made = dict(pictures)
    sample = list(made.values())[:: max(1, len(made) // _SAMPLE)]
    for side_px, quality in _SMALLER:
        if _total_bytes(made.values()) <= most_bytes:
            return made
        about_bytes = _total_bytes(_smaller(each, side_px, quality) for each in sample) / len(sample)
        is_smallest = (side_px, quality) == _SMALLER[-1]
        if about_bytes * len(made) <= most_bytes or is_smallest:
            made = {key: _smaller(each, side_px, quality) for key, each in pictures.items()}
    while _total_bytes(made.values()) > most_bytes:
        made.popitem()
    return made


def _total_bytes(pictures: Iterable[Thumb]) -> int:
    return sum(len(each.data) for each in pictures)


def _smaller(picture: Thumb, side_px: int, quality: int) -> Thumb:
    made = thumb(picture.data, side_px, quality)
    is_shrunk = made.width_px < picture.width_px or made.height_px < picture.height_px
    return made if is_shrunk or len(made.data) < len(picture.data) else picture


def _encoded(image: Image.Image, quality: int) -> bytes:
    lossy = _webp(image, {"quality": quality, "method": 2})
    if max(image.size) > TINY_PX:
        return lossy
    return min(lossy, _webp(image, {"lossless": True, "method": 2}), key=len)


def _webp(image: Image.Image, settings: Mapping[str, int]) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", **settings)
    return buffer.getvalue()
