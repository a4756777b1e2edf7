"""AVIF and HEIC photos, whole and patched. HEIC is written by pillow-heif (x265), which only tests have."""

from __future__ import annotations

import io
import struct

import pillow_heif
from PIL import Image


def heic(image: Image.Image, *further: Image.Image, **options: object) -> bytes:
    """The image as HEIC; `further` pictures come behind it in the file. Options are those of pillow_heif."""
    made = pillow_heif.from_pillow(image)
    for other in further:
        made.add_from_pillow(other)
    out = io.BytesIO()
    made.save(out, **{"quality": 90, "chroma": 444, **options})
    return out.getvalue()


def heic_of_12_bits(size: tuple[int, int], level: int, channels: str = "RGB") -> bytes:
    """A plain picture; `level` of all its channels is one of 65 536."""
    samples = struct.pack("<H", level) * (size[0] * size[1] * len(channels))
    out = io.BytesIO()
    options = pillow_heif.options
    before, options.SAVE_HDR_TO_12_BIT = options.SAVE_HDR_TO_12_BIT, True
    try:
        pillow_heif.encode(
            f"{channels};16", size, samples, out, quality=90, chroma=444, enc_params={"preset": "ultrafast"}
        )
    finally:
        options.SAVE_HDR_TO_12_BIT = before
    return out.getvalue()


def box(kind: bytes, *content: bytes) -> bytes:
    """A box of ISO/IEC 14496-12."""
    whole = b"".join(content)
    return struct.pack(">I4s", 8 + len(whole), kind) + whole


def full_box(kind: bytes, version: int, *content: bytes) -> bytes:
    """A box with a version, and no flags."""
    return box(kind, bytes([version, 0, 0, 0]), *content)


def grid(tile: bytes, columns: int, rows: int, size: tuple[int, int], tile_px: int) -> bytes:
    """A HEIC of `size` put together, as iPhones do it, from `columns` times `rows` tiles, all of them `tile`.

    `tile` is a HEIC of tile_px x tile_px, written once and shown by every item.
    """
    at = tile.index(b"hvcC") - 4
    codec = tile[at : at + struct.unpack_from(">I", tile, at)[0]]
    at = tile.index(b"mdat") - 4
    coded = tile[at + 8 : at + struct.unpack_from(">I", tile, at)[0]]
    plan = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, *size)
    tiles = range(2, 2 + columns * rows)
    kinds = {1: b"grid", **dict.fromkeys(tiles, b"hvc1")}
    infos = [
        box(b"infe", b"\2\0\0", b"\0" if item == 1 else b"\1", struct.pack(">HH4s", item, 0, kind), b"\0")
        for item, kind in kinds.items()
    ]  # tiles are hidden
    sizes = [full_box(b"ispe", 0, struct.pack(">II", *each)) for each in (size, (tile_px, tile_px))]
    used = [struct.pack(">HBB", 1, 1, 2), *(struct.pack(">HBBB", item, 2, 1, 3) for item in tiles)]
    made_of = struct.pack(f">HH{len(tiles)}H", 1, len(tiles), *tiles)
    head = box(b"ftyp", b"heic\0\0\0\0mif1heic")

    def meta(start: int) -> bytes:
        places = {1: (start, len(plan)), **dict.fromkeys(tiles, (start + len(plan), len(coded)))}
        extents = [struct.pack(">HHHII", item, 0, 1, *place) for item, place in places.items()]
        return full_box(
            b"meta",
            0,
            full_box(b"hdlr", 0, b"\0\0\0\0pict" + bytes(13)),
            full_box(b"pitm", 0, struct.pack(">H", 1)),
            full_box(b"iinf", 0, struct.pack(">H", len(kinds)), *infos),
            full_box(b"iref", 0, box(b"dimg", made_of)),
            box(
                b"iprp",
                box(b"ipco", codec, *sizes),
                full_box(b"ipma", 0, struct.pack(">I", len(kinds)), *used),
            ),
            full_box(b"iloc", 0, b"\x44\0", struct.pack(">H", len(kinds)), *extents),
        )

    return head + meta(len(head) + len(meta(0)) + 8) + box(b"mdat", plan, coded)


def with_size(data: bytes, width_px: int, height_px: int) -> bytes:
    """The same file, whose first `ispe` says so."""
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", width_px, height_px) + data[at + 8 :]


def with_colours(data: bytes, primaries: int, curve: int) -> bytes:
    """The same file, whose first `nclx` says so."""
    at = data.index(b"nclx") + 4
    return data[:at] + struct.pack(">HH", primaries, curve) + data[at + 4 :]
