"""PNG (https://www.w3.org/TR/png-3/): header, palette, rows; what else it holds is read, or left out.

Chunks that readers may skip can be broken, huge or in the wrong place without harm to the picture, and
programs write many such. So none of them reaches the decoder but the transparent colours.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from itertools import pairwise

from experiment import refusals
from experiment.photo_files.contents import Contents
from experiment.photo_files.png_chunks import SIGNATURE, Chunk, chunk_of, chunks
from experiment.photo_files.png_colour import profile_of
from experiment.photo_files.png_rows import rows_bytes, rows_end_well

# A 20 MB photo in libpng's chunks of 8 kB has 2 500. Each one costs time, however empty.
MAX_CHUNKS = 20_000

_HEADER_BYTES = 13
_GREY, _RGB, _PALETTE = 0, 2, 3  # colour types that may have a transparent colour
_TRANSPARENT_BYTES = {_GREY: 2, _RGB: 6}
_MAX_PALETTE_BYTES = 3 * 256
_ONCE = {b"IHDR", b"PLTE", b"IEND"}
_NEEDED = _ONCE | {b"IDAT"}
_READ = {b"PLTE", b"tRNS", b"eXIf", b"iCCP", b"cICP", b"sRGB", b"gAMA", b"cHRM", b"acTL"}
_LARGEST_WINDOW = 0x70  # in the first byte of a zlib stream (RFC 1950)
_LARGEST_WINDOW_BYTES = 32 * 1024


def contents(data: bytes, name: str) -> Contents:
    """Raises ImageRefused for damage to what is needed, EOFError for a file that ends early."""
    found = _all(data, name)
    if found[0].kind != b"IHDR" or found[0].end != len(SIGNATURE) + 12 + _HEADER_BYTES:
        raise refusals.damaged(name)
    header = found[0].content(data)
    said = _said(data, found)
    rows = [each for each in found if each.kind == b"IDAT"]
    packed = b"".join(each.content(data) for each in rows)
    ends_well = rows_end_well(header, packed)
    if ends_well is None or header[10] or header[11]:  # there is one way to pack and one to filter
        raise refusals.damaged(name)
    notes = ["Only the first frame of the animation is used."] if _is_animated(said) else []
    if header[8] == 16:
        notes.append("16 bits per channel reduced to 8.")
    if not ends_well:
        notes.append("The packed rows of the PNG do not end as they should.")
    kept = [data[found[0].start : found[0].end], *_palette(header[9], said)]
    as_it_is = [data[each.start : each.end] for each in rows]
    window_bytes = 256 << (packed[0] >> 4)
    is_large_enough = window_bytes >= min(rows_bytes(header), _LARGEST_WINDOW_BYTES)
    kept += as_it_is if is_large_enough and _stand_together(rows) else [_in_one(packed)]
    picture = b"".join([SIGNATURE, *kept, chunk_of(b"IEND", b"")])
    colours = len(said.get(b"PLTE", b"")) // 3 if header[9] == _PALETTE else None
    return Contents(picture, said.get(b"eXIf", b""), profile_of(header, said), tuple(notes), colours)


def _all(data: bytes, name: str) -> list[Chunk]:
    """The chunks, after checking those that readers need: their sums, and that all are known."""
    found = []
    once: set[bytes] = set()
    for each in chunks(data):
        if each.is_critical and not (each.is_whole(data) and each.kind in _NEEDED - once):
            raise refusals.damaged(name)
        once |= {each.kind} & _ONCE
        found.append(each)
        if len(found) > MAX_CHUNKS:
            raise refusals.too_many_parts(name, "chunks")
    return found


def _said(data: bytes, found: Sequence[Chunk]) -> Mapping[bytes, bytes]:
    """Kind -> content of what stands whole before the rows; the first of a kind counts, as in browsers."""
    said: dict[bytes, bytes] = {}
    for each in found:
        if each.kind == b"IDAT":
            break
        if each.kind in _READ and each.kind not in said and each.is_whole(data):
            said[each.kind] = each.content(data)
    return said


def _is_animated(said: Mapping[bytes, bytes]) -> bool:
    control = said.get(b"acTL", b"")
    return len(control) == 8 and struct.unpack(">I", control[:4])[0] > 1


def _palette(colour: int, said: Mapping[bytes, bytes]) -> list[bytes]:
    """The palette where the pixels need one, and the transparent colours where they are well told."""
    palette, transparent = said.get(b"PLTE", b""), said.get(b"tRNS", b"")
    kept = []
    if colour == _PALETTE and palette:
        palette = palette[: min(_MAX_PALETTE_BYTES, len(palette) // 3 * 3)]
        kept.append(chunk_of(b"PLTE", palette))
    is_good = (
        0 < len(transparent) <= len(palette) // 3
        if colour == _PALETTE
        else len(transparent) == _TRANSPARENT_BYTES.get(colour, -1)
    )
    if is_good:
        kept.append(chunk_of(b"tRNS", transparent))
    return kept


def _stand_together(rows: Sequence[Chunk]) -> bool:
    return all(one.end == other.start for one, other in pairwise(rows))


def _in_one(packed: bytes) -> bytes:
    """The rows in one chunk, with the largest window: libpng refuses a stream that reaches beyond its own."""
    first = packed[0] & 0x0F | _LARGEST_WINDOW
    flags = packed[1] & 0xE0
    flags += -(first * 256 + flags) % 31
    return chunk_of(b"IDAT", bytes((first, flags)) + packed[2:])
