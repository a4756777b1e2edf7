"""WebP without transparency and of one frame, which is all that TensorFlow takes for three channels."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, UnidentifiedImageError

from serving.images.refused import OVER_LIMIT, ImageRefused, check_size


def decode(data: bytes) -> np.ndarray:
    """RGB levels. Raises ImageRefused for transparency and for more than one frame."""
    try:
        with Image.open(io.BytesIO(data), formats=["WEBP"]) as image:
            check_size(*image.size)
            if getattr(image, "n_frames", 1) > 1 or image.mode != "RGB":
                raise ImageRefused("it is a WebP with transparency or several frames: send a plain one")
            return np.asarray(image)
    except Image.DecompressionBombError as problem:  # Pillow's own limit, found before the size is told
        raise ImageRefused(f"its pixels are {OVER_LIMIT}") from problem
    except UnidentifiedImageError as problem:  # whose words name a Python object
        raise ImageRefused("it is a damaged WebP") from problem
    except (OSError, SyntaxError, ValueError) as problem:
        raise ImageRefused(f"it is a damaged WebP: {problem}") from problem
