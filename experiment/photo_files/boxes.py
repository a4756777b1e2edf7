"""main_picture(): what the boxes of an AVIF or HEIC say of its picture (ISO/IEC 14496-12 and 23008-12).

Only offsets and numbers are read, of a few kilobytes. A picture may be cut into tiles (a grid, as iPhones
store it); thumbnails, depth maps and further pictures are of no interest.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from experiment import refusals

AVIF_CODEC, HEVC_CODEC = b"av01", b"hvc1"
# The largest photos of phones have some 200 tiles, and as many items and extents.
MAX_PARTS = 10_000
_DEPTH = {b"meta": 4, b"iprp": 0, b"ipco": 0, b"moov": 0, b"trak": 0}  # box -> bytes before the boxes in it


class MainPicture(NamedTuple):
    """The picture that a file is meant to show."""

    codec: bytes  # b"av01", b"hvc1", or another
    width_px: int  # as stored, before it is turned upright
    height_px: int
    decoded_pixels: int  # of all tiles, or of the picture itself
    colours: tuple[int, int] | None  # primaries and curve by their numbers in Rec. ITU-T H.273


class _Box(NamedTuple):
    kind: bytes
    start: int  # of its content
    end: int


def main_picture(data: bytes, name: str) -> MainPicture:
    """Raises EOFError, struct.error or IndexError if the file ends early, ImageRefused without a picture."""
    boxes = {box.kind: box for box in reversed(list(_boxes(data, 0, len(data), name)))}
    if b"meta" not in boxes:
        return _of_track(data, boxes, name)
    inner = {box.kind: box for box in _inside(data, boxes[b"meta"], name)}
    if not {b"pitm", b"iinf", b"iloc", b"iprp"} <= inner.keys():
        raise refusals.damaged(name)
    main = _number(data, inner[b"pitm"].start + 4, 4 if data[inner[b"pitm"].start] else 2)
    types = _item_types(data, inner[b"iinf"], name)
    _check_extents(data, inner[b"iloc"], inner.get(b"idat"), name)
    properties = _properties(data, inner[b"iprp"], name)
    tiles = _tiles(data, inner.get(b"iref"), main, name)
    width_px, height_px = _size(data, properties.get(main, ()), name)
    decoded_pixels = width_px * height_px
    codec = types.get(main, b"")
    if codec == b"grid":
        if not tiles:
            raise refusals.damaged(name)
        sizes = [_size(data, properties.get(tile, ()), name) for tile in tiles]
        decoded_pixels = sum(width * height for width, height in sizes)
        codec, *others = {types.get(tile, b"") for tile in tiles}
        codec = b"" if others else codec
    return MainPicture(codec, width_px, height_px, decoded_pixels, _colours(data, properties.get(main, ())))


def _of_track(data: bytes, boxes: Mapping[bytes, _Box], name: str) -> MainPicture:
    """An animation may have no picture beside its frames; its tracks know their size."""
    tracks = list(_inside(data, boxes[b"moov"], name)) if b"moov" in boxes else []
    heads = [
        head
        for track in tracks
        if track.kind == b"trak"
        for head in _inside(data, track, name)
        if head.kind == b"tkhd"
    ]
    if not heads:
        if b"mdat" not in boxes:
            raise EOFError  # nothing but a name
        raise refusals.damaged(name)
    sizes = [struct.unpack_from(">II", data, head.end - 8) for head in heads]
    width_px, height_px = max(
        ((width >> 16, height >> 16) for width, height in sizes), key=lambda size: size[0]
    )
    return MainPicture(b"", width_px, height_px, width_px * height_px, None)


def _boxes(data: bytes, start: int, end: int, name: str) -> Iterator[_Box]:
    """The boxes from `start` to `end`. Raises EOFError for one that ends later."""
    count = 0
    while start + 8 <= end:
        length, kind = struct.unpack_from(">I4s", data, start)
        content = start + 8
        if length == 1:  # a longer number follows
            length, content = struct.unpack_from(">Q", data, content)[0], content + 8
        length = length or end - start  # 0: to the end
        count += 1
        if count > MAX_PARTS:
            raise refusals.too_many_parts(name, "parts")
        if length < content - start:
            raise refusals.damaged(name)
        if start + length > end:
            raise EOFError
        yield _Box(kind, content, start + length)
        start += length


def _inside(data: bytes, box: _Box, name: str) -> Iterator[_Box]:
    return _boxes(data, box.start + _DEPTH[box.kind], box.end, name)


def _number(data: bytes, at: int, size_bytes: int) -> int:
    if at + size_bytes > len(data):
        raise EOFError
    return int.from_bytes(data[at : at + size_bytes], "big")


def _item_types(data: bytes, box: _Box, name: str) -> dict[int, bytes]:
    """Item -> its type, from `infe` boxes of version 2 or 3."""
    found = {}
    for entry in _boxes(data, box.start + (8 if data[box.start] else 6), box.end, name):
        wide = 4 if data[entry.start] == 3 else 2
        item = _number(data, entry.start + 4, wide)
        found[item] = data[entry.start + 4 + wide + 2 : entry.start + 4 + wide + 6]
    return found


def _check_extents(data: bytes, box: _Box, own: _Box | None, name: str) -> None:
    """Whether the file holds all bytes of all items. Raises EOFError if it ends before."""
    version, sizes, more = data[box.start], data[box.start + 4], data[box.start + 5]
    offset_bytes, length_bytes, base_bytes = sizes >> 4, sizes & 15, more >> 4
    index_bytes = more & 15 if version else 0
    wide = 4 if version == 2 else 2
    count, at = _number(data, box.start + 6, wide), box.start + 6 + wide
    parts = 0
    for _ in range(count):
        at += wide
        place = _number(data, at, 2) & 15 if version else 0
        at += 4 if version else 2
        base, at = _number(data, at, base_bytes), at + base_bytes
        extents, at = _number(data, at, 2), at + 2
        parts += 1 + extents
        if parts > MAX_PARTS:
            raise refusals.too_many_parts(name, "parts")
        for _ in range(extents):
            at += index_bytes
            offset = _number(data, at, offset_bytes)
            length = _number(data, at + offset_bytes, length_bytes)
            at += offset_bytes + length_bytes
            end = len(data) if place != 1 else own.end - own.start if own else 0
            if place < 2 and base + offset + length > end:
                raise EOFError


def _properties(data: bytes, box: _Box, name: str) -> dict[int, list[_Box]]:
    """Item -> the boxes that describe it, in their order."""
    known: list[_Box] = []
    found: dict[int, list[_Box]] = {}
    for part in _inside(data, box, name):
        if part.kind == b"ipco":
            known = list(_inside(data, part, name))
    for part in _inside(data, box, name):
        if part.kind == b"ipma":
            for item, numbers in _associations(data, part, name):
                found.setdefault(item, []).extend(known[number - 1] for number in numbers if number)
    return found


def _associations(data: bytes, box: _Box, name: str) -> Iterator[tuple[int, list[int]]]:
    wide_item = 4 if data[box.start] else 2
    wide_number = 2 if data[box.start + 3] & 1 else 1
    mask = 0x7FFF if wide_number == 2 else 0x7F
    count, at = _number(data, box.start + 4, 4), box.start + 8
    if count > MAX_PARTS:
        raise refusals.too_many_parts(name, "parts")
    for _ in range(count):
        item, at = _number(data, at, wide_item), at + wide_item
        numbers, at = _number(data, at, 1), at + 1
        yield item, [_number(data, at + wide_number * each, wide_number) & mask for each in range(numbers)]
        at += wide_number * numbers


def _tiles(data: bytes, box: _Box | None, main: int, name: str) -> list[int]:
    """The items that the main one is put together from."""
    if box is None:
        return []
    wide = 4 if data[box.start] else 2
    found: list[int] = []
    for reference in _boxes(data, box.start + 4, box.end, name):
        if reference.kind == b"dimg" and _number(data, reference.start, wide) == main:
            count, at = _number(data, reference.start + wide, 2), reference.start + wide + 2
            if count > MAX_PARTS:
                raise refusals.too_many_parts(name, "parts")
            found += [_number(data, at + wide * each, wide) for each in range(count)]
    return found


def _size(data: bytes, properties: Sequence[_Box], name: str) -> tuple[int, int]:
    for box in properties:
        if box.kind == b"ispe":
            width_px, height_px = struct.unpack_from(">II", data, box.start + 4)
            return width_px, height_px
    raise refusals.damaged(name)


def _colours(data: bytes, properties: Sequence[_Box]) -> tuple[int, int] | None:
    for box in properties:
        if box.kind == b"colr" and data[box.start : box.start + 4] == b"nclx":
            primaries, curve = struct.unpack_from(">HH", data, box.start + 4)
            return primaries, curve
    return None
