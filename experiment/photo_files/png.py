"""PNG (https://www.w3.org/TR/png-3/): header, palette and rows are kept, all other chunks are read or
dropped.

Ancillary chunks, which readers may skip, are often broken, huge or misplaced. So none but the transparent
colours reaches the decoder.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from itertools import pairwise, takewhile

from experiment import refusals
from experiment.photo_files.contents import Contents
from experiment.photo_files.png_chunks import SIGNATURE, Chunk, chunk_of, chunks
from experiment.photo_files.png_colour import profile_of
from experiment.photo_files.png_rows import rows_bytes, rows_end_well

# A 20 MB photo in libpng's chunks of 8 kB has 2 500. Even an empty chunk costs time.
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
    metadata = _metadata(data, found)
    rows = [chunk for chunk in found if chunk.kind == b"IDAT"]
    packed = b"".join(chunk.content(data) for chunk in rows)
    ends_well = rows_end_well(header, packed)
    if ends_well is None or header[10] or header[11]:  # only method 0 is defined for compression and filter
        raise refusals.damaged(name)
    control = metadata.get(b"acTL", b"")
    is_animated = len(control) == 8 and struct.unpack(">I", control[:4])[0] > 1
    notes = ["Only the first frame of the animation is used."] if is_animated else []
    if header[8] == 16:
        notes.append("16 bits per channel reduced to 8.")
    if not ends_well:
        notes.append("The packed rows of the PNG do not end as they should.")
    kept = [data[found[0].start : found[0].end], *_palette(header[9], metadata)]
    window_bytes = 256 << (packed[0] >> 4)
    is_large_enough = window_bytes >= min(rows_bytes(header), _LARGEST_WINDOW_BYTES)
    if is_large_enough and all(one.end == other.start for one, other in pairwise(rows)):
        kept.append(data[rows[0].start : rows[-1].end])
    else:
        kept.append(_in_one(packed))
    picture = b"".join([SIGNATURE, *kept, chunk_of(b"IEND", b"")])
    colours = len(metadata.get(b"PLTE", b"")) // 3 if header[9] == _PALETTE else None
    return Contents(picture, metadata.get(b"eXIf", b""), profile_of(header, metadata), tuple(notes), colours)


def _all(data: bytes, name: str) -> list[Chunk]:
    """All chunks. Those that readers need are checked: checksum, known kind, not repeated."""
    found = []
    once: set[bytes] = set()
    for chunk in chunks(data):
        if chunk.is_critical and not (chunk.is_whole(data) and chunk.kind in _NEEDED - once):
            raise refusals.damaged(name)
        once |= {chunk.kind} & _ONCE
        found.append(chunk)
        if len(found) > MAX_CHUNKS:
            raise refusals.too_many_parts(name, "chunks")
    return found


def _metadata(data: bytes, found: Sequence[Chunk]) -> Mapping[bytes, bytes]:
    """Kind -> content of the intact chunks before the rows; the first of a kind counts, as in browsers."""
    metadata: dict[bytes, bytes] = {}
    for chunk in takewhile(lambda chunk: chunk.kind != b"IDAT", found):
        if chunk.kind in _READ and chunk.kind not in metadata and chunk.is_whole(data):
            metadata[chunk.kind] = chunk.content(data)
    return metadata


def _palette(colour: int, metadata: Mapping[bytes, bytes]) -> list[bytes]:
    """The chunks of the palette, if pixels use it, and of the transparent colours, if they are valid."""
    palette, transparent = metadata.get(b"PLTE", b""), metadata.get(b"tRNS", b"")
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


def _in_one(packed: bytes) -> bytes:
    """The rows in one chunk with the largest window: libpng refuses a stream that exceeds its window."""
    first = packed[0] & 0x0F | _LARGEST_WINDOW
    flags = packed[1] & 0xE0
    flags += -(first * 256 + flags) % 31
    return chunk_of(b"IDAT", bytes((first, flags)) + packed[2:])
