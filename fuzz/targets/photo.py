"""A photo as somebody uploads it: read, turned upright, and made smaller."""

from __future__ import annotations

import io
from collections.abc import Iterator

from PIL import Image

from experiment.errors import PixelcostError
from experiment.images.header import Limits
from experiment.images.read import read_image
from experiment.images.reference import make_reference
from experiment.images.variants import make_variants
from experiment.records import Plan
from fuzz.target import Target

PLAN = Plan(sizes_px=(16,), formats=("png", "jpeg"))
LIMITS = Limits(max_pixels=1_000_000)  # so that a number in a header costs no minutes


def _feed(data: bytes) -> str:
    try:
        source = read_image(data, "photo", LIMITS)
    except PixelcostError:
        return "refused"
    make_reference(source)
    make_variants(source, PLAN)
    return "read"


def _seeds() -> Iterator[bytes]:
    colours = Image.linear_gradient("L").resize((40, 30))
    rgb = Image.merge(
        "RGB", (colours, colours.rotate(90, expand=False), colours.transpose(Image.Transpose.ROTATE_180))
    )
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "maker"
    yield _saved(rgb, "JPEG", exif=exif, comment=b"a comment")
    yield _saved(rgb, "JPEG", progressive=True, quality=60)
    yield _saved(rgb.convert("CMYK"), "JPEG")
    yield _saved(colours, "JPEG")
    yield _saved(rgb, "PNG", exif=exif)
    yield _saved(rgb.convert("RGBA"), "PNG")
    yield _saved(rgb.quantize(16), "PNG")
    yield _saved(Image.merge("LA", (colours, colours)), "PNG")
    yield _saved(colours.convert("I;16"), "PNG")
    yield _saved(rgb.quantize(16), "GIF", save_all=True, append_images=[rgb.rotate(90).quantize(16)])
    yield _saved(rgb, "WEBP", exif=exif)
    yield _saved(rgb.convert("RGBA"), "WEBP", lossless=True)
    yield _saved(rgb, "AVIF", exif=exif, speed=10)
    yield _saved(rgb.convert("RGBA"), "AVIF", save_all=True, append_images=[rgb.convert("RGBA")], speed=10)
    yield _saved(rgb, "BMP")
    yield _saved(rgb.quantize(200), "BMP")


def _saved(image: Image.Image, format_name: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format_name, **options)
    return out.getvalue()


TOKENS = [
    *(
        bytes([0xFF, marker])
        for marker in (0xC0, 0xC2, 0xC4, 0xD8, 0xD9, 0xDA, 0xDB, 0xDD, 0xE0, 0xE1, 0xEE, 0xFE)
    ),
    *(
        b"IHDR",
        b"PLTE",
        b"IDAT",
        b"IEND",
        b"tRNS",
        b"iCCP",
        b"cICP",
        b"eXIf",
        b"acTL",
        b"zTXt",
        b"\x89PNG\r\n\x1a\n",
    ),
    *(b"RIFF", b"WEBP", b"VP8 ", b"VP8L", b"VP8X", b"ANIM", b"GIF89a", b"BM", b"Exif\0\0II*\0", b"Adobe\0d"),
    *(b"ftypavif", b"ftypmif1", b"ftypheic", b"CgBI"),
    *(
        b"meta",
        b"pitm",
        b"iloc",
        b"iinf",
        b"infe",
        b"ispe",
        b"ipma",
        b"irot",
        b"imir",
        b"iref",
        b"dimg",
        b"grid",
    ),
]
TARGET = Target("photo", lambda: list(_seeds()), _feed, TOKENS)
