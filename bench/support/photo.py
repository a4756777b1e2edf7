"""The photo that is measured: the sample cat enlarged to 10 MP, with a camera's grain.

The grain is chosen so that the file weighs what a camera's would: 2.8 MB as JPEG, and
1.5 bytes per pixel as PNG at 2048 px. Without it PNG would look too good.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

SAMPLE = Path(__file__).resolve().parents[2] / "static" / "samples" / "cat.png"
SIZE_PX = (3872, 2576)
GRAIN_LEVELS = 8.0  # standard deviation, of 255
QUALITY = 90


def ten_megapixels() -> bytes:
    """A JPEG, always the same."""
    with Image.open(SAMPLE) as sample:
        enlarged = sample.convert("RGB").resize(SIZE_PX, Image.Resampling.BICUBIC)
    grain = np.random.default_rng(0).normal(0, GRAIN_LEVELS, (SIZE_PX[1], SIZE_PX[0], 3))
    pixels = (np.asarray(enlarged) + grain).clip(0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()
