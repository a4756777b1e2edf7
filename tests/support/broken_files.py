"""Files that are not what they say, cut, flipped or made to hurt.

    for name, data, why in broken_files(seed=0, count=200): ...

The same seed gives the same files. First come the odd photos (odd_photos.py), then
hand-made traps, then random damage to small photos until there are `count`.
"""

from __future__ import annotations

import itertools
import random
import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from tests.support.odd_photos import animation, chunk, encoded, odd_photos, photo, png
from tests.support.photo_files.boxes import heic

OTHER_FILES = {
    "zeros.jpg": (bytes(5000), "zero bytes"),
    "notes.pdf": (b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n", "PDF"),
    "page.html": (b"<!doctype html><title>cat</title>", "HTML"),
    "BMW.txt": (b"BMW is a car maker from Munich, and no bitmap at all.", "text that begins like a BMP"),
    "program.jpg": (b"\x7fELF\x02\x01\x01" + bytes(200), "a program"),
    "archive.zip": (b"PK\x03\x04" + bytes(200), "ZIP"),
    "cat.svg": (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
    "evil.svg": (b'<svg><image href="file:///etc/passwd"/></svg>', "SVG that reads files"),
    "cat.heic": (b"\0\0\0\x24ftypheic\0\0\0\0mif1heic" + bytes(300), "HEIC"),
    "cat.avif": (b"\0\0\0\x20ftypavif\0\0\0\0mif1avif" + bytes(300), "AVIF"),
    "scan.tif": (b"II*\0\x08\0\0\0\0\0" + bytes(100), "TIFF"),
    "scan-mm.tif": (b"MM\0*\0\0\0\x08" + bytes(100), "TIFF, big end first"),
    "cat.psd": (b"8BPS\0\x01" + bytes(100), "Photoshop"),
    "cat.jp2": (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(100), "JPEG 2000"),
    "cat.jxl": (b"\xff\x0a" + bytes(100), "JPEG XL"),
    "cat.ico": (b"\0\0\1\0\1\0\x10\x10" + bytes(100), "icon"),
    "cat.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
    "empty.jpg": (b"", "no byte at all"),
    "byte.jpg": (b"\xff", "one byte"),
    "signature.png": (b"\x89PNG\r\n\x1a\n", "the signature alone"),
    "start.jpg": (b"\xff\xd8\xff", "the first three bytes"),
    "start.gif": (b"GIF89a", "the first six bytes"),
    "start.webp": (b"RIFF\x10\0\0\0WEBP", "the first twelve bytes"),
}


def broken_files(seed: int = 0, count: int = 200) -> Iterator[tuple[str, bytes, str]]:
    """(file name, bytes, what is wrong), `count` of them."""
    others = ((name, data, why) for name, (data, why) in OTHER_FILES.items())
    return itertools.islice(
        itertools.chain(odd_photos(), others, cut_files(), _lying(), bombs(), random_damage(seed)), count
    )


def bombs() -> Iterator[tuple[str, bytes, str]]:
    """Small files that ask for a lot of memory or time."""
    huge = bomb_png(13_300, 13_300)
    yield "bomb.png", huge, f"{len(huge) // 1000} kB that unpack to 177 MP"
    yield "header.png", png(20_000, 20_000, 8, 6, b""), "400 MP by its header"
    yield "long-side.png", png(65_001, 1, 8, 2, zlib.compress(bytes(195_004))), "65 001 px long"
    yield "screen.gif", _with_bytes(encoded(photo(), "GIF"), 6, b"\xff" * 4), "a GIF of 65 535 x 65 535 px"
    yield "frame.gif", _gif_with_a_huge_frame(), "a small GIF whose frame is huge"
    yield "huge.webp", _lossless_webp_header(16_383, 16_383), "a WebP of 268 MP by its header"
    yield "huge.bmp", _with_bytes(encoded(photo(), "BMP"), 18, struct.pack("<ii", 60_000, -60_000)), "BMP"
    yield "huge.jpg", _jpeg_with_size(65_500, 65_500), "a JPEG of 4 290 MP by its header"
    yield "passes.jpg", jpeg_with_passes(3000), "a JPEG of 3 000 passes"
    yield "segments.jpg", b"\xff\xd8" + b"\xff\xe0\0\2" * 200_000, "200 000 empty JPEG segments"
    yield "filler.jpg", b"\xff\xd8" + b"\xff" * 2_000_000, "2 MB of filler before the picture"
    small = encoded(photo(), "PNG")
    texts = b"".join(chunk(b"tEXt", b"key%d\0value" % number) for number in range(64_000))
    yield "texts.png", small[:33] + texts + small[33:], "64 000 text chunks"
    packed = zlib.compress(bytes(1 << 20), 9)
    unpacking = chunk(b"zTXt", b"key\0\0" + packed) * 70
    yield "packed-texts.png", small[:33] + unpacking + small[33:], "70 MB of packed text"
    profile = chunk(b"iCCP", b"icc\0\0" + zlib.compress(bytes(1 << 26), 9))
    yield "packed-profile.png", small[:33] + profile + small[33:], "a colour profile of 67 MB"
    yield "long.webp", animation("WEBP", 200), "200 frames"
    yield "large.jpg", encoded(photo(), "JPEG") + bytes(20_000_000), "over 20 MB"


def bomb_png(width_px: int, height_px: int) -> bytes:
    """A whole RGBA PNG of nothing but zeros, without ever holding its pixels.

    A deflate stream may be repeated at each full flush; the checksum of n zeros is known.
    """
    size_bytes = height_px * (1 + 4 * width_px)
    packer = zlib.compressobj(9, wbits=-15)
    million = packer.compress(bytes(1_000_000)) + packer.flush(zlib.Z_FULL_FLUSH)
    rest = packer.compress(bytes(size_bytes % 1_000_000)) + packer.flush()
    checksum = (size_bytes % 65521) << 16 | 1
    packed = b"\x78\xda" + million * (size_bytes // 1_000_000) + rest + struct.pack(">I", checksum)
    return png(width_px, height_px, 8, 6, packed)


def jpeg_with_passes(count: int) -> bytes:
    """A progressive JPEG that repeats its last pass."""
    data = encoded(photo(), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * count + data[-2:]


def cut_files() -> Iterator[tuple[str, bytes, str]]:
    """Photos that end too early."""
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP"):
        data = encoded(photo(), kind)
        for share in (0.02, 0.3, 0.7, 0.99):
            yield f"cut.{kind.lower()}", data[: int(len(data) * share)], f"{share:.0%} of the file"
    whole = encoded(photo(), "PNG")
    yield "no-end.png", whole[:-12], "a PNG without its end"


def _lying() -> Iterator[tuple[str, bytes, str]]:
    rows = zlib.compress(bytes(32 * (1 + 3 * 48)))
    yield "taller.png", png(48, 64, 8, 2, rows), "claims twice the rows it has"
    yield "shorter.png", png(48, 16, 8, 2, rows), "claims half the rows it has"
    yield "no-width.png", png(0, 32, 8, 2, rows), "no width"
    yield "colour.png", png(48, 32, 8, 5, rows), "a colour type that does not exist"
    yield "no-palette.png", png(48, 32, 8, 3, zlib.compress(bytes(32 * 49))), "palette without a palette"
    whole = encoded(photo(), "PNG")
    yield "header-sum.png", _with_bytes(whole, 29, b"\0\0\0\0"), "wrong checksum of the header"
    yield "pixel-sum.png", _with_bytes(whole, len(whole) - 16, b"\0\0\0\0"), "wrong checksum of the pixels"
    yield "length.png", _with_bytes(whole, 33, b"\xff\xff\xff\xff"), "a chunk longer than the file"
    yield "taller.jpg", _jpeg_with_size(48, 4000), "claims more rows than it has"
    yield "no-size.jpg", b"\xff\xd8\xff\xe0\0\2\xff\xda" + bytes(100), "a JPEG that never says its size"
    webp = encoded(photo(), "WEBP")
    yield "longer.webp", _with_bytes(webp, 4, struct.pack("<I", len(webp) * 2)), "claims twice its length"
    yield "chunk.webp", _with_bytes(webp, 12, b"VP9 "), "a WebP chunk that does not exist"
    bmp = encoded(photo(), "BMP")
    yield "depth.bmp", _with_bytes(bmp, 28, b"\x07\0"), "7 bits per pixel"
    yield "offset.bmp", _with_bytes(bmp, 10, b"\xff\xff\xff\x7f"), "pixels that begin beyond the end"
    yield "width.bmp", _with_bytes(bmp, 18, struct.pack("<i", -48)), "negative width"
    yield "two.jpg", encoded(photo(), "JPEG") + encoded(photo(), "PNG"), "two pictures in one file"


def random_damage(seed: int) -> Iterator[tuple[str, bytes, str]]:
    """Small photos with some bytes changed, without end."""
    noise = random.Random(seed)
    wholes = [encoded(photo(), kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP")]
    wholes += [encoded(photo(), "JPEG", progressive=True), animation("GIF", 3), animation("WEBP", 3)]
    wholes += [encoded(Image.new("P", (9, 9)), "PNG"), encoded(photo().convert("CMYK"), "JPEG")]
    wholes += [encoded(photo(), "AVIF"), heic(photo())]
    for number in itertools.count():
        data = bytearray(noise.choice(wholes))
        how = noise.choice((_flip, _overwrite, _drop, _repeat))
        how(data, noise)
        yield f"damaged-{number}.jpg", bytes(data), f"random damage: {how.__name__[1:]}"


def _flip(data: bytearray, noise: random.Random) -> None:
    for _ in range(noise.choice((1, 3, 30))):
        data[noise.randrange(len(data))] ^= 1 << noise.randrange(8)


def _overwrite(data: bytearray, noise: random.Random) -> None:
    at = noise.randrange(len(data))
    length = min(noise.choice((1, 4, 60)), len(data) - at)
    data[at : at + length] = noise.choice((b"\0", b"\xff", noise.randbytes(1))) * length


def _drop(data: bytearray, noise: random.Random) -> None:
    at = noise.randrange(len(data))
    del data[at : at + noise.choice((1, 7, 100))]


def _repeat(data: bytearray, noise: random.Random) -> None:
    at = noise.randrange(len(data))
    data[at:at] = data[at : at + noise.choice((2, 40, 400))]


def _with_bytes(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def _jpeg_with_size(width_px: int, height_px: int) -> bytes:
    data = encoded(photo(), "JPEG")
    return _with_bytes(data, data.index(b"\xff\xc0") + 5, struct.pack(">HH", height_px, width_px))


def _lossless_webp_header(width_px: int, height_px: int) -> bytes:
    bits = struct.pack("<I", (height_px - 1) << 14 | (width_px - 1))
    body = b"WEBPVP8L" + struct.pack("<I", 100) + b"\x2f" + bits + bytes(95)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _gif_with_a_huge_frame() -> bytes:
    data = encoded(Image.new("P", (48, 32)), "GIF")
    at = data.index(b"\x2c\0\0\0\0\x30\0\x20\0")
    return _with_bytes(data, at + 5, b"\xff\xff\xff\xff")
