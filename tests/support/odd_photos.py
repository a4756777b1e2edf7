"""Photos that are odd but whole: every mode, depth, orientation and profile that people send.

    for name, data, why in odd_photos(): ...

Also the small builders that other tests make their files with.
"""

from __future__ import annotations

import functools
import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageCms

CANARY = b"CANARY-51.4779N-0.0015W"  # stands for a place, a name, a serial number
ORIENTATION_TAG, DESCRIPTION_TAG = 0x0112, 0x010E


def photo(width_px: int = 48, height_px: int = 32, seed: int = 1) -> Image.Image:
    """A smooth picture with edges and grain, and no side like the other."""
    y, x = np.mgrid[0:height_px, 0:width_px] / max(width_px, height_px, 2)
    waves = np.stack([np.sin(9 * x + 4 * y), np.cos(5 * x - 7 * y), np.sin(6 * x * y + 2)], axis=-1)
    edges = 40 * ((x + y) % 0.31 > 0.2)[..., np.newaxis]
    grain = np.random.default_rng(seed).normal(0, 4, waves.shape)
    return Image.fromarray((120 + 70 * waves + edges + grain).clip(0, 255).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """`image` as Pillow writes it."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width_px: int, height_px: int, depth: int, colour: int, packed: bytes, extra: bytes = b"") -> bytes:
    """A PNG of already filtered and deflated rows; `extra` chunks stand before them."""
    header = struct.pack(">IIBBBBB", width_px, height_px, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


def png_of_16_bits(colour: int, samples: int, extra: bytes = b"") -> bytes:
    """4 x 2 px with the sample values 0x0100, 0x1101, 0x2102, ... `samples` for each pixel."""
    values = [(0x0100 + 0x1001 * index) & 0xFFFF for index in range(4 * 2 * samples)]
    rows = [struct.pack(f">{4 * samples}H", *values[4 * samples * row :][: 4 * samples]) for row in (0, 1)]
    return png(4, 2, 16, colour, zlib.compress(b"".join(b"\0" + row for row in rows)), extra)


def exif(orientation: object = 1, description: bytes = CANARY) -> bytes:
    """An EXIF block."""
    block = Image.Exif()
    block[DESCRIPTION_TAG] = description.decode()
    if isinstance(orientation, int):
        block[ORIENTATION_TAG] = orientation
    return block.tobytes()


def srgb_profile() -> bytes:
    """What most cameras embed."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def profile_with_red_and_blue_swapped() -> bytes:
    """A valid profile in which pure red means blue: impossible to overlook."""
    swapped = srgb_profile()
    for one, other in ((b"rXYZ", b"bXYZ"), (b"rTRC", b"bTRC")):
        swapped = swapped.replace(one, b"????", 1).replace(other, one, 1).replace(b"????", other, 1)
    return swapped


def nested_thumbnails(depth: int = 8) -> bytes:
    """A JPEG whose EXIF holds a JPEG whose EXIF holds a JPEG..."""
    data = encoded(photo(8, 8), "JPEG")
    for _ in range(depth):
        block = Image.Exif()
        block[0x927C] = data  # MakerNote: any bytes
        data = encoded(photo(8, 8), "JPEG", exif=block.tobytes())
    return data


def animation(kind: str, frames: int, **options: object) -> bytes:
    """`frames` differing frames of 24 x 16 px."""
    first, *rest = [photo(24, 16, seed) for seed in range(frames)]
    return encoded(first, kind, save_all=True, append_images=rest, duration=50, **options)


@functools.cache  # the long animations take a second
def odd_photos() -> tuple[tuple[str, bytes, str], ...]:
    """(file name, bytes, what is odd). Every one of them can be read."""
    return (*_modes(), *_shapes(), *_orientations(), *_profiles(), *_animations())


def _modes() -> Iterator[tuple[str, bytes, str]]:
    image = photo()
    alpha = Image.linear_gradient("L").resize(image.size)
    glassy = image.copy()
    glassy.putalpha(alpha)
    palette = image.quantize(16)
    yield "rgba.png", encoded(glassy, "PNG"), "transparency"
    yield "la.png", encoded(glassy.convert("LA"), "PNG"), "grey with transparency"
    yield "grey.png", encoded(image.convert("L"), "PNG"), "grey"
    yield "bilevel.png", encoded(image.convert("1"), "PNG"), "one bit per pixel"
    yield "palette.png", encoded(palette, "PNG"), "palette"
    yield "palette-alpha.png", encoded(palette, "PNG", transparency=3), "palette with transparency"
    yield "key.png", encoded(image, "PNG", transparency=image.getpixel((0, 0))), "one transparent colour"
    yield "i16.png", png_of_16_bits(0, 1), "16-bit grey"
    yield "i16-key.png", png_of_16_bits(0, 1, chunk(b"tRNS", b"\x01\x00")), "16-bit grey, one transparent"
    yield "rgb16.png", png_of_16_bits(2, 3), "16-bit RGB"
    yield "rgb16-key.png", png_of_16_bits(2, 3, chunk(b"tRNS", bytes(6))), "16-bit RGB, one transparent"
    yield "la16.png", png_of_16_bits(4, 2), "16-bit grey with transparency"
    yield "rgba16.png", png_of_16_bits(6, 4), "16-bit RGBA"
    yield "cmyk.jpg", encoded(image.convert("CMYK"), "JPEG"), "CMYK, inverted as Adobe does"
    yield "grey.jpg", encoded(image.convert("L"), "JPEG"), "grey"
    yield "progressive.jpg", encoded(image, "JPEG", progressive=True), "progressive"
    yield "444.jpg", encoded(image, "JPEG", subsampling="4:4:4"), "full colour resolution"
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        kind = image.convert(mode)
        yield f"{mode.lower()}.bmp", encoded(kind, "BMP"), f"BMP of mode {mode}"
    yield "lossy.webp", encoded(image, "WEBP"), "lossy WebP"
    yield "lossless.webp", encoded(image, "WEBP", lossless=True), "lossless WebP"
    yield "alpha.webp", encoded(glassy, "WEBP"), "WebP with transparency"
    yield "still.gif", encoded(image, "GIF"), "GIF of one frame"
    yield "clear.gif", encoded(palette, "GIF", transparency=3), "GIF with transparency"


def _shapes() -> Iterator[tuple[str, bytes, str]]:
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP"):
        yield f"dot.{kind.lower()}", encoded(Image.new("RGB", (1, 1), "red"), kind), "1 x 1 px"
    yield "line.png", encoded(Image.new("RGB", (40_000, 1), "red"), "PNG"), "40 000 x 1 px"
    yield "pole.jpg", encoded(Image.new("RGB", (1, 40_000), "red"), "JPEG"), "1 x 40 000 px"
    yield "really-a-png.jpg", encoded(photo(), "PNG"), "wrong extension"
    yield "no extension", encoded(photo(), "JPEG"), "no extension"
    yield "../../etc/passwd\x00\n.jpg", encoded(photo(), "JPEG"), "hostile name"
    yield "nested.jpg", nested_thumbnails(), "EXIF within EXIF within EXIF"
    yield "comment.jpg", encoded(photo(), "JPEG", comment=CANARY * 2000), "a comment of 46 kB"
    flat = png(6000, 6000, 8, 0, zlib.compress(bytes(6001 * 6000), 9))
    yield "flat.png", flat, f"36 MP in {len(flat) // 1000} kB, within the limits"


def _orientations() -> Iterator[tuple[str, bytes, str]]:
    for orientation in range(1, 9):
        data = encoded(photo(), "JPEG", exif=exif(orientation))
        yield f"exif-{orientation}.jpg", data, f"EXIF orientation {orientation}"
    for orientation in (0, 9, 60_000):
        data = encoded(photo(), "JPEG", exif=exif(orientation))
        yield f"exif-{orientation}.jpg", data, "EXIF orientation that does not exist"
    yield "exif-6.png", encoded(photo(), "PNG", exif=exif(6)), "EXIF orientation 6 in a PNG"
    yield "exif-6.webp", encoded(photo(), "WEBP", exif=exif(6)), "EXIF orientation 6 in a WebP"
    yield "exif-cut.jpg", encoded(photo(), "JPEG", exif=exif(6)[:20]), "EXIF that ends too early"
    yield "exif-junk.jpg", encoded(photo(), "JPEG", exif=b"Exif\0\0" + CANARY), "EXIF of junk"


def _profiles() -> Iterator[tuple[str, bytes, str]]:
    swapped = profile_with_red_and_blue_swapped()
    yield "srgb.jpg", encoded(photo(), "JPEG", icc_profile=srgb_profile()), "sRGB profile"
    yield "wide.jpg", encoded(photo(), "JPEG", icc_profile=swapped), "a profile that is not sRGB"
    yield "wide.webp", encoded(photo(), "WEBP", icc_profile=swapped), "a profile that is not sRGB, in a WebP"
    yield "icc-junk.jpg", encoded(photo(), "JPEG", icc_profile=CANARY), "a broken profile"
    yield "icc-cut.png", encoded(photo(), "PNG", icc_profile=swapped[:200]), "a profile that ends too early"
    grey = photo().convert("L")
    yield "icc-grey.png", encoded(grey, "PNG", icc_profile=srgb_profile()), "an RGB profile on a grey picture"


def _animations() -> Iterator[tuple[str, bytes, str]]:
    yield "animated.gif", animation("GIF", 5), "5 frames"
    yield "long.gif", animation("GIF", 300), "300 frames"
    yield "animated.webp", animation("WEBP", 5), "5 frames"
    yield "animated.png", animation("PNG", 5), "5 frames (APNG)"
    yield "long.png", animation("PNG", 200), "200 frames (APNG)"
    yield "phone.jpg", animation("MPO", 2), "two pictures in one JPEG, as phones write it"
