"""Whole photos in odd files: what cameras, editors and old programs put around and between the pixels.

    for name, data in odd_files(): ...

Each shows photo() or something as small. CANARY stands wherever a file can hide words of its own.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tests.support.odd_photos import (
    CANARY,
    animation,
    chunk,
    encoded,
    exif,
    photo,
    png,
    png_of_16_bits,
    profile_with_red_and_blue_swapped,
    srgb_profile,
)

MANY_SCAN_MARKS = b"\xff\xda" * 200
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6" '
    b'note="' + CANARY + b'"/></rdf:RDF></x:xmpmeta>'
)
P3_PRIMARIES = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)


def odd_files() -> Iterator[tuple[str, bytes]]:
    """(what is odd, as a file name; bytes). All of them can be read."""
    for made in (_jpegs, _pngs, _colours, _gifs, _bmps, _webps):
        yield from made()


def segment(marker: int, content: bytes) -> bytes:
    """One segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def with_segments(jpeg: bytes, *more: bytes) -> bytes:
    """They follow the start of the image."""
    return jpeg[:2] + b"".join(more) + jpeg[2:]


def with_chunks(png_: bytes, *more: bytes) -> bytes:
    """They follow the header."""
    return png_[:33] + b"".join(more) + png_[33:]


def orientation_block(kind: int = 3, count: int = 1, value: int = 6) -> bytes:
    """EXIF of nothing but an orientation, of any type."""
    held = struct.pack(">HH", value, 0) if kind == 3 else struct.pack(">I", value)
    return b"MM\0*\0\0\0\x08\0\1" + struct.pack(">HHI", 0x0112, kind, count) + held + bytes(4)


def lossless_jpeg(width_px: int = 24, height_px: int = 16) -> bytes:
    """Of process 14, each sample told from its left neighbour (ITU-T T.81, annex H). Pillow writes none."""
    levels = np.asarray(photo(width_px, height_px)).astype(int)
    bits = ""
    for y in range(height_px):
        for x in range(width_px):
            for channel in range(3):
                before = levels[y, x - 1] if x else levels[y - 1, 0] if y else (128, 128, 128)
                step = int(levels[y, x, channel] - before[channel])
                size = abs(step).bit_length()
                bits += f"{size:04b}"
                if size:
                    bits += f"{step if step > 0 else step + (1 << size) - 1:0{size}b}"
    bits += "1" * (-len(bits) % 8)
    packed = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    frame = struct.pack(">BHHB", 8, height_px, width_px, 3) + b"R\x11\0G\x11\0B\x11\0"
    table = b"\0" + bytes((0, 0, 0, 9)) + bytes(12) + bytes(range(9))
    scan = segment(0xDA, b"\x03R\0G\0B\0\x01\0\0") + packed
    return b"\xff\xd8" + segment(0xC3, frame) + segment(0xC4, table) + scan + b"\xff\xd9"


def exif_with_thumbnail() -> bytes:
    """As cameras write it: a small JPEG, with words and scans of its own, behind the tags."""
    thumbnail = encoded(photo(8, 8), "JPEG", comment=CANARY + MANY_SCAN_MARKS)
    tags = struct.pack(">HHHIIHHII", 2, 0x0201, 4, 1, 44, 0x0202, 4, 1, len(thumbnail))
    block = b"MM\0*\0\0\0\x08" + struct.pack(">HI", 0, 14) + tags + bytes(4)
    return b"Exif\0\0" + block.ljust(44, b"\0") + thumbnail


def _jpegs() -> Iterator[tuple[str, bytes]]:
    plain = encoded(photo(), "JPEG", quality=95)
    app1 = [segment(0xE1, b"Exif\0\0" + orientation_block(value=value)) for value in range(9)]
    yield "motion photo.jpg", plain + b"\0\0\0\x18ftypmp42" + MANY_SCAN_MARKS + CANARY
    yield "scan marks in a comment.jpg", with_segments(plain, segment(0xFE, MANY_SCAN_MARKS + CANARY))
    yield "scan marks in a thumbnail.jpg", with_segments(plain, segment(0xE1, exif_with_thumbnail()))
    yield (
        "thumbnail in JFIF.jpg",
        plain[:2] + segment(0xE0, plain[6:18] + b"\x02\x02" + bytes(12)) + plain[20:],
    )
    yield "thumbnail in JFXX.jpg", with_segments(plain, segment(0xE0, b"JFXX\0\x13\x02\x02" + CANARY))
    yield "IPTC.jpg", with_segments(plain, segment(0xED, b"Photoshop 3.0\x008BIM" + CANARY))
    yield "long profile.jpg", encoded(photo(), "JPEG", icc_profile=srgb_profile().ljust(200_000, b"\0"))
    xmp = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP)
    yield "orientation in XMP.jpg", with_segments(plain, xmp)
    yield "orientation as a long.jpg", with_segments(plain, segment(0xE1, b"Exif\0\0" + orientation_block(4)))
    yield "two orientations.jpg", with_segments(plain, app1[3], app1[6])
    yield "orientation behind junk.jpg", with_segments(plain, segment(0xE1, b"Exif\0\0junk"), app1[6])
    frame = plain.index(b"\xff\xc4")
    yield "orientation behind the frame.jpg", plain[:frame] + app1[6] + plain[frame:]
    yield "square, orientation 8.jpg", with_segments(encoded(photo(32, 32), "JPEG"), app1[8])
    yield "filled up.jpg", plain[:2] + b"\xff" * 5 + plain[2:]
    yield "words between segments.jpg", plain[:20] + CANARY + plain[20:]
    yield "no JFIF.jpg", plain[:2] + plain[20:]
    yield "grey.jpg", encoded(photo().convert("L"), "JPEG")
    yield "restarts.jpg", encoded(photo(), "JPEG", restart_marker_blocks=2)
    yield "progressive.jpg", encoded(photo(), "JPEG", progressive=True, comment=CANARY)
    yield "RGB.jpg", encoded(photo(), "JPEG", keep_rgb=True)
    yield "inks.jpg", encoded(photo().convert("CMYK"), "JPEG")
    yield "two pictures.jpg", animation("MPO", 2)
    yield "lossless.jpg", lossless_jpeg()


def _pngs() -> Iterator[tuple[str, bytes]]:
    plain, grey = encoded(photo(), "PNG"), encoded(photo().convert("L"), "PNG")
    palette = encoded(photo().quantize(8), "PNG")
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in np.asarray(photo())))
    text = zlib.compress(bytes(1_600_000))
    for name, more in {
        "wrong sum of a text": chunk(b"tEXt", b"Comment\0" + CANARY)[:-4] + b"\0\0\0\0",
        "1.6 MB of packed text": chunk(b"zTXt", b"Comment\0\0" + text),
        "1.6 MB of packed international text": chunk(b"iTXt", b"Comment\0\1\0\0\0" + text),
        "a long profile": chunk(b"iCCP", b"icc\0\0" + zlib.compress(srgb_profile().ljust(1_500_000, b"\0"))),
        "an empty profile": chunk(b"iCCP", b""),
        "a profile without a name": chunk(b"iCCP", b"\0\0" + zlib.compress(b"x")),
        "a profile packed in another way": chunk(b"iCCP", b"icc\0\7" + zlib.compress(b"x")),
        "a short cHRM": chunk(b"cHRM", b"\0\0"),
        "a short gAMA": chunk(b"gAMA", b"\0"),
        "a short pHYs": chunk(b"pHYs", b"\0"),
        "an empty sRGB": chunk(b"sRGB", b""),
        "a short acTL": chunk(b"acTL", b"\0"),
        "a frame without an animation": chunk(b"fcTL", bytes(26)) + chunk(b"fdAT", bytes(9)),
        "a short transparent colour": chunk(b"tRNS", b"\0\1"),
        "words in a chunk of nobody's": chunk(b"teSt", CANARY),
        "orientation in XMP": chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP),
        "EXIF as JPEG has it": chunk(b"eXIf", b"Exif\0\0" + orientation_block()),
        "a wrong sum of EXIF": chunk(b"eXIf", orientation_block())[:-4] + b"abcd",
        "two orientations": chunk(b"eXIf", orientation_block(value=3)) + chunk(b"eXIf", orientation_block()),
    }.items():
        yield f"{name}.png", with_chunks(plain, more)
    yield "two transparent colours.png", with_chunks(grey, chunk(b"tRNS", b"\0\x64"), chunk(b"tRNS", b"\0\1"))
    yield "orientation behind the rows.png", plain[:-12] + chunk(b"eXIf", orientation_block()) + plain[-12:]
    yield "words behind the rows.png", plain[:-12] + chunk(b"tEXt", b"Comment\0" + CANARY) + plain[-12:]
    yield "words behind the end.png", plain + CANARY
    yield "a suggested palette.png", with_chunks(plain, chunk(b"PLTE", bytes(range(9))))
    yield "a window of 256 bytes.png", png(48, 32, 8, 2, b"\x08\x1d" + rows[2:])
    yield (
        "rows in three chunks.png",
        png(48, 32, 8, 2, rows[:1], chunk(b"IDAT", b"")).replace(
            chunk(b"IEND", b""), chunk(b"tIME", bytes(7)) + chunk(b"IDAT", rows[1:]) + chunk(b"IEND", b"")
        ),
    )
    yield "no checksum of the rows.png", png(48, 32, 8, 2, rows[:-4])
    yield "words behind the last row.png", png(48, 32, 8, 2, zlib.compress(zlib.decompress(rows) + CANARY))
    yield "palette with 3 colours missing.png", palette.replace(*_shorter_palette(palette))
    yield "palette, one of it clear.png", encoded(photo().quantize(8), "PNG", transparency=2)
    yield "16 bits.png", png_of_16_bits(2, 3)
    yield "one bit.png", encoded(photo().convert("1"), "PNG")


def _shorter_palette(palette: bytes) -> tuple[bytes, bytes]:
    at = palette.index(b"PLTE")
    length = int.from_bytes(palette[at - 4 : at], "big")
    return palette[at - 4 : at + 8 + length], chunk(b"PLTE", palette[at + 4 : at + length - 5])


def _colours() -> Iterator[tuple[str, bytes]]:
    plain, grey = encoded(photo(), "PNG"), encoded(photo().convert("L"), "PNG")
    glassy = photo().copy()
    glassy.putalpha(Image.linear_gradient("L").resize(glassy.size))
    linear = chunk(b"gAMA", struct.pack(">I", 100_000))
    for name, coded in {
        "Display P3": (12, 13),
        "BT.2020": (9, 14),
        "BT.709": (1, 1),
        "linear": (1, 8),
    }.items():
        yield f"{name} by cICP.png", with_chunks(plain, chunk(b"cICP", bytes((*coded, 0, 1))))
    yield "sRGB by cICP.png", with_chunks(plain, chunk(b"cICP", bytes((1, 13, 0, 1))))
    yield "HDR by cICP.png", with_chunks(plain, chunk(b"cICP", bytes((9, 16, 0, 1))))
    yield "grey by cICP.png", with_chunks(grey, chunk(b"cICP", bytes((12, 8, 0, 1))))
    yield "gamma 1.png", with_chunks(plain, linear)
    yield "grey, gamma 1.png", with_chunks(grey, linear)
    yield "glassy, gamma 1.png", with_chunks(encoded(glassy, "PNG"), linear)
    yield (
        "P3 by cHRM.png",
        with_chunks(plain, chunk(b"gAMA", struct.pack(">I", 45_455)), chunk(b"cHRM", P3_PRIMARIES)),
    )
    yield "gamma 1, but sRGB.png", with_chunks(plain, chunk(b"sRGB", b"\0"), linear)
    yield "glassy, swapped.png", encoded(glassy, "PNG", icc_profile=profile_with_red_and_blue_swapped())
    yield "glassy grey, gamma 1.png", with_chunks(encoded(glassy.convert("LA"), "PNG"), linear)
    yield "swapped.jpg", encoded(photo(), "JPEG", icc_profile=profile_with_red_and_blue_swapped())


def _gifs() -> Iterator[tuple[str, bytes]]:
    indexed = photo().quantize(16)
    plain = encoded(indexed, "GIF")
    table_end = 13 + (6 << (plain[10] & 7))
    words = bytes((len(CANARY),)) + CANARY + b"\0"
    yield "GIF of 1987.gif", b"GIF87a" + plain[6:]
    yield "a comment.gif", plain[:table_end] + b"\x21\xfe" + words + plain[table_end:]
    yield "a program's block.gif", plain[:table_end] + b"\x21\xff\x0bXMP DataXMP" + words + plain[table_end:]
    yield "no end.gif", plain[:-1]
    yield "words behind.gif", plain + CANARY
    yield "interlaced.gif", encoded(indexed, "GIF", interlace=1)
    yield "animated.gif", animation("GIF", 3)
    frame = plain.index(b"\x2c\0\0\0\0", table_end)
    no_table = plain[:10] + bytes((plain[10] & 0x7F,)) + plain[11:13]
    own = bytes((plain[frame + 9] | 0x80 | plain[10] & 7,)) + plain[13:table_end]
    yield "own colours.gif", no_table + plain[frame : frame + 9] + own + plain[frame + 10 :]
    yield "no colours.gif", no_table + plain[frame:]
    few = plain[:10] + bytes((plain[10] & 0xF8,)) + plain[11:19]
    yield "colours missing.gif", few + plain[frame:]
    small = bytearray(plain)
    small[6:10] = struct.pack("<HH", 60, 40)
    yield "smaller than its canvas.gif", bytes(small)


def _bmps() -> Iterator[tuple[str, bytes]]:
    plain = encoded(photo(47, 32), "BMP")
    rows = plain[54:]
    yield "two bytes behind.bmp", plain + b"\0\0"
    yield "profile behind.bmp", _bmp(rows, struct.pack("<I", 124).ljust(4) + plain[18:54] + bytes(84), CANARY)
    yield "OS2.bmp", _bmp(rows, struct.pack("<IHHHH", 12, 47, 32, 1, 24))
    yield "words before the rows.bmp", _bmp(rows, plain[14:54] + CANARY)
    yield "last row not filled up.bmp", plain[:-3]
    yield "from the top.bmp", plain[:22] + struct.pack("<i", -32) + rows_of(plain)
    for mode in ("1", "L", "P", "RGBA"):
        yield f"{mode}.bmp", encoded(photo().convert(mode), "BMP")


def rows_of(bmp: bytes) -> bytes:
    """What stands behind the height."""
    return bmp[26:]


def _bmp(rows: bytes, header: bytes, behind: bytes = b"") -> bytes:
    start = 14 + len(header)
    return struct.pack("<2sIII", b"BM", start + len(rows) + len(behind), 0, start) + header + rows + behind


def _webps() -> Iterator[tuple[str, bytes]]:
    yield "orientation 3.webp", encoded(photo(), "WEBP", lossless=True, exif=exif(3))
    yield "orientation 6.webp", encoded(photo(), "WEBP", lossless=True, exif=exif(6))
    yield "orientation in XMP.webp", encoded(photo(), "WEBP", lossless=True, xmp=XMP)
    yield (
        "swapped.webp",
        encoded(photo(), "WEBP", lossless=True, icc_profile=profile_with_red_and_blue_swapped()),
    )
    glassy = photo().copy()
    glassy.putalpha(Image.linear_gradient("L").resize(glassy.size))
    yield "glassy.webp", encoded(glassy, "WEBP", lossless=True, exact=True)
    yield "animated.webp", animation("WEBP", 3, lossless=True)
    yield "lossy.webp", encoded(photo(), "WEBP", quality=95)
