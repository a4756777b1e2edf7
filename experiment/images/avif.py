"""AVIF by libavif's AOM encoder, with every setting that changes its bytes given explicitly.

Speed 6 makes the smallest file in an acceptable time. A photo at 2048 px (2.8 MP), q60, takes one core 3.3 s
and 68 kB at speed 4, 2.7 s and 68 kB at 5, 0.5 s and 77 kB at 6, 0.5 s and 94 kB at 7, 0.2 s and 93 kB at 8;
WebP takes 0.2 s. One thread, because the bytes depend on the number of threads, and no tiles, which only more
threads would use.
"""

from __future__ import annotations

import io
import threading
from contextlib import nullcontext

import PIL
from PIL import AvifImagePlugin, Image, features

SPEED = 6  # 0 to 10; higher is faster, larger and worse
CODEC = "aom"
# Encoding takes up to 25 bytes of memory per pixel, so large images are encoded one at a time.
LARGE_PIXELS = 4_000_000
_large_turn = threading.Lock()


def why_no_avif() -> str:
    """A sentence on why this installation can't write AVIF; empty if it can."""
    lacks = "its image library, Pillow, was built without AVIF"
    if features.check("avif"):
        from PIL import _avif  # noqa: PLC0415  missing in a Pillow without AVIF

        if _avif.encoder_codec_available(CODEC):
            return ""
        lacks = "its libavif was built without the AOM encoder"
    return f"This server can't write AVIF: {lacks}. Install Pillow from PyPI, which has both."


def encode_avif(image: Image.Image, quality: int) -> bytes:
    """The image (mode RGB) as AVIF in 4:2:0, without metadata: the same bytes on any number of cores."""
    buffer = io.BytesIO()
    with _large_turn if image.width * image.height > LARGE_PIXELS else nullcontext():
        settings = {"quality": quality, "subsampling": "4:2:0", "speed": SPEED, "codec": CODEC}
        image.save(buffer, "AVIF", **settings, max_threads=1, autotiling=False)
    return buffer.getvalue()


def avif_encoder(quality: int) -> str:
    """The encoder with its settings: "Pillow 13.0.0 / libavif 1.3.0 / aom 3.12.1, q65, 4:2:0, speed 6"."""
    libraries = f"libavif {features.version('avif')} / {CODEC} {AvifImagePlugin.get_codec_version(CODEC)}"
    return f"Pillow {PIL.__version__} / {libraries}, q{quality}, 4:2:0, speed {SPEED}"
