"""AVIF by libavif's AOM encoder, with every setting that changes its bytes said outright.

Speed 6 makes the smallest file that a page's run can wait for. A photo at 2048 px (2.8 MP), q60, takes
one core 3.3 s and 68 kB at speed 4, 2.7 s and 68 kB at 5, 0.5 s and 77 kB at 6, 0.5 s and 94 kB at 7, 0.2 s
and 93 kB at 8; WebP takes 0.2 s. One thread, because the bytes differ with their number, and no tiles, which
only further threads would use.
"""

from __future__ import annotations

import io
import threading
from contextlib import nullcontext

import PIL
from PIL import AvifImagePlugin, Image, features

SPEED = 6  # 0 to 10; higher is faster, larger and worse
CODEC = "aom"
# Encoding takes up to 25 bytes of memory per pixel, so large pictures take turns; smaller ones do no harm.
LARGE_PIXELS = 4_000_000
_large_turn = threading.Lock()


def why_no_avif() -> str:
    """Why this installation can't write AVIF, as a sentence; empty where it can."""
    if not features.check("avif"):
        lacks = "its image library, Pillow, was built without AVIF"
    elif not _has_aom():
        lacks = "its libavif was built without the AOM encoder"
    else:
        return ""
    return f"This server can't write AVIF: {lacks}. Install Pillow from PyPI, which has both."


def _has_aom() -> bool:
    from PIL import _avif  # noqa: PLC0415  not there in a Pillow without AVIF

    return bool(_avif.encoder_codec_available(CODEC))


def encode_avif(image: Image.Image, quality: int) -> bytes:
    """The picture (mode RGB) in 4:2:0, without metadata: the same bytes on any number of cores."""
    buffer = io.BytesIO()
    with _large_turn if image.width * image.height > LARGE_PIXELS else nullcontext():
        image.save(
            buffer,
            "AVIF",
            quality=quality,
            subsampling="4:2:0",
            speed=SPEED,
            codec=CODEC,
            max_threads=1,
            autotiling=False,
        )
    return buffer.getvalue()


def avif_encoder(quality: int) -> str:
    """Which program, with which settings."""
    codec = f"{CODEC} {AvifImagePlugin.get_codec_version(CODEC)}"
    library = f"libavif {features.version('avif')} / {codec}"
    return f"Pillow {PIL.__version__} / {library}, q{quality}, 4:2:0, speed {SPEED}"
