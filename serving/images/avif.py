"""AVIF of one frame and without transparency, by Pillow's decoder (libavif). TensorFlow reads none.

As of every other format only 8-bit levels are read: no colour profile is applied, and no tone mapping. But a
turn or a mirror (the boxes irot and imir) is part of the picture (ISO/IEC 23008-12, section 6.5.10), so it is
made, as in browsers; an orientation in EXIF is not, as of every other format.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import AvifImagePlugin, Image, ImageOps, UnidentifiedImageError

from serving.images.refused import OVER_LIMIT, ImageRefused, check_size

# One request, one thread, like every other format's; else it would be one for each of the server's cores.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1

BRANDS_END = 64  # more than any encoder lists


def is_avif(data: bytes) -> bool:
    """By the first box, which lists brands. The first one may be a general one, also of HEIC."""
    brands = data[8:BRANDS_END]
    return data[4:8] == b"ftyp" and (b"avif" in brands or b"avis" in brands)


def decode(data: bytes) -> np.ndarray:
    """RGB levels. Raises ImageRefused for transparency, several frames and damage."""
    if not AvifImagePlugin.SUPPORTED:
        raise ImageRefused("it is an AVIF, and this server's image library, Pillow, was built without AVIF")
    try:
        with Image.open(io.BytesIO(data), formats=["AVIF"]) as image:
            check_size(*image.size)
            if getattr(image, "n_frames", 1) > 1 or image.mode not in {"RGB", "L"}:
                raise ImageRefused("it is an AVIF with transparency or several frames: send a plain one")
            # Pillow hands irot and imir on as EXIF's orientation, in place of what EXIF itself says.
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except Image.DecompressionBombError as problem:  # Pillow's own limit, found before the size is told
        raise ImageRefused(f"its pixels are {OVER_LIMIT}") from problem
    except UnidentifiedImageError as problem:  # whose words name a Python object
        raise ImageRefused("it is a truncated or damaged AVIF") from problem
    except (OSError, SyntaxError, ValueError, RuntimeError) as problem:
        raise ImageRefused(f"it is a truncated or damaged AVIF: {problem}") from problem
