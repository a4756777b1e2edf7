"""WebP and AVIF by Pillow's decoders, both only of one frame and without transparency.

For WebP that is all that TensorFlow takes for three channels; AVIF it does not read at all. As of every other
format only 8-bit levels are read: no colour profile is applied, and no tone mapping. But a turn or a mirror
of an AVIF (the boxes irot and imir) is part of the picture (ISO/IEC 23008-12, section 6.5.10), so it is
made, as in browsers; an orientation in EXIF is not, as of every other format.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import AvifImagePlugin, Image, ImageOps, UnidentifiedImageError

from serving.images.refused import OVER_LIMIT, ImageRefused, check_size

# One request, one thread, as for every other format; else there would be one for every core of the server.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1

BRANDS_END = 64  # more than any encoder lists


def is_avif(data: bytes) -> bool:
    """By the brands in the first box; the very first brand may be a general one, also of HEIC."""
    brands = data[8:BRANDS_END]
    return data[4:8] == b"ftyp" and (b"avif" in brands or b"avis" in brands)


def decode_webp(data: bytes) -> np.ndarray:
    """RGB levels [height, width, 3]. Raises ImageRefused for transparency, several frames and damage."""
    return _levels(data, "WebP")


def decode_avif(data: bytes) -> np.ndarray:
    """RGB levels [height, width, 3]. Raises ImageRefused for transparency, several frames and damage."""
    if not AvifImagePlugin.SUPPORTED:
        raise ImageRefused("it is an AVIF, and this server's image library, Pillow, was built without AVIF")
    return _levels(data, "AVIF")


def _levels(data: bytes, name: str) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(data), formats=[name]) as image:
            check_size(*image.size)
            if getattr(image, "n_frames", 1) > 1 or image.mode not in {"RGB", "L"}:
                raise ImageRefused(f"it is {name} with transparency or several frames: send a plain one")
            # Pillow hands irot and imir on as EXIF's orientation, in place of what EXIF itself says.
            picture = ImageOps.exif_transpose(image) if name == "AVIF" else image
            return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))
    except Image.DecompressionBombError as problem:  # Pillow's own limit, found before the size is known
        raise ImageRefused(f"its pixels are {OVER_LIMIT}") from problem
    except UnidentifiedImageError as problem:  # whose words name a Python object
        raise ImageRefused(f"it is a truncated or damaged {name}") from problem
    except (OSError, SyntaxError, ValueError, RuntimeError) as problem:
        raise ImageRefused(f"it is a truncated or damaged {name}: {problem}") from problem
