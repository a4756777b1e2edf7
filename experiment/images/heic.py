"""HEIC, the format of iPhones, by libheif and libde265 as the package pi-heif ships them. They only decode.

The package is optional: without it HEIC photos are refused, and nothing else changes.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache

from PIL import Image

from experiment import refusals


@cache
def heic_opener() -> Callable[[io.BytesIO], Image.Image]:
    """Like Image.open(), for HEIC. load() decodes, and turns upright as the boxes `irot` and `imir` say.

    Raises ImageRefused if pi-heif is missing or can't be loaded.
    """
    try:
        import pi_heif  # noqa: PLC0415  optional, and only for photos of this format
    except ImportError:
        raise refusals.heic_not_supported() from None

    # The main picture alone: further ones would take memory, and are not measured.
    pi_heif.options.THUMBNAILS = pi_heif.options.DEPTH_IMAGES = pi_heif.options.AUX_IMAGES = False
    pi_heif.options.DECODE_THREADS = 0
    opener: Callable[[io.BytesIO], Image.Image] = (
        pi_heif.HeifImageFile
    )  # not registered: Pillow finds no HEIC itself
    return opener
