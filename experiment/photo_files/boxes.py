"""main_picture(): what the boxes of an AVIF or HEIC say of its picture (ISO/IEC 14496-12 and 23008-12).

Only offsets and numbers are read, of a few kilobytes. A picture may be cut into tiles (a grid, as iPhones
store it); thumbnails, depth maps and further pictures are of no interest.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from experiment import refusals
from experiment.photo_files.av1 import largest_frame

AVIF_CODEC, HEVC_CODEC = b"av01", b"hvc1"
# The largest photos of phones have some 200 tiles, and as many items and extents.
MAX_PARTS = 10_000
# Box -> bytes before the boxes in it.
_DEPTH = {b"meta": 4, **dict.fromkeys((b"iprp", b"ipco", b"moov", b"trak", b"mdia", b"minf", b"stbl"), 0)}
_SPARE_PIXELS = 65_536  # codecs round sizes up
_COPIES, _LEAST_UNITS = 2, 100  # of the file that all pictures may take together; units of each picture


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


_Extent = tuple[int, int]  # start and end, of the file


class _Coded(NamedTuple):
    """A picture in AV1, by the boxes."""

    extents: tuple[_Extent, ...]
    width_px: int
    height_px: int


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
    extents = _extents(data, inner[b"iloc"], inner.get(b"idat"), name)
    properties = _properties(data, inner[b"iprp"], name)
    coded = [
        _Coded(tuple(extents.get(item, ())), *_size(data, properties.get(item, ()), name))
        for item, kind in types.items()
        if kind == AVIF_CODEC
    ]
    if coded and b"moov" in boxes:  # whose frames some decoders prefer
        coded += _first_frames(data, boxes[b"moov"], name)
    _check_coded(data, coded, name)
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
    frames = _first_frames(data, boxes[b"moov"], name) if b"moov" in boxes else []
    if not frames:
        if b"mdat" not in boxes:
            raise EOFError  # nothing but a name
        raise refusals.damaged(name)
    _check_coded(data, frames, name)
    largest = max(frames, key=lambda frame: frame.width_px)
    pixels = largest.width_px * largest.height_px
    return MainPicture(b"", largest.width_px, largest.height_px, pixels, None)


def _first_frames(data: bytes, movie: _Box, name: str) -> list[_Coded]:
    """The first frame of each track; without extents if it is not AV1."""
    found = []
    for track in _inside(data, movie, name):
        parts = _parts_of(data, track, name) if track.kind == b"trak" else {}
        if b"tkhd" in parts:
            width, height = struct.unpack_from(">II", data, parts[b"tkhd"].end - 8)
            found.append(_Coded(_place_of_first(data, parts), width >> 16, height >> 16))
    return found


def _parts_of(data: bytes, track: _Box, name: str) -> dict[bytes, _Box]:
    """The boxes in a track, down to those that say where its frames are."""
    found: dict[bytes, _Box] = {}
    inside: _Box | None = track
    for further in (b"mdia", b"minf", b"stbl", b""):
        inner = {box.kind: box for box in _inside(data, inside, name)} if inside else {}
        found |= inner
        inside = inner.get(further)
    return found


def _place_of_first(data: bytes, track: Mapping[bytes, _Box]) -> tuple[_Extent, ...]:
    kind, sizes = track.get(b"stsd"), track.get(b"stsz")
    places, wide = track.get(b"stco"), 4
    if b"co64" in track:
        places, wide = track[b"co64"], 8
    if not (kind and sizes and places) or data[kind.start + 12 : kind.start + 16] != AVIF_CODEC:
        return ()
    start = _number(data, places.start + 8, wide)
    length = _number(data, sizes.start + 4, 4) or _number(data, sizes.start + 12, 4)
    return ((start, start + length),)


def _check_coded(data: bytes, pictures: Sequence[_Coded], name: str) -> None:
    """Raises ImageRefused if a picture decodes to far more than the boxes say."""
    left = _COPIES * len(data)
    pixels: dict[tuple[_Extent, ...], int] = {}
    for extents, width_px, height_px in pictures:
        if extents not in pixels:
            left -= sum(end - start for start, end in extents)
            if left < 0:
                raise refusals.too_many_parts(name, "parts")
            coded = b"".join(data[start:end] for start, end in extents)
            try:
                pixels[extents] = largest_frame(coded, MAX_PARTS // len(pictures) + _LEAST_UNITS)
            except ValueError:
                raise refusals.too_many_parts(name, "parts") from None
        if pixels[extents] > 2 * width_px * height_px + _SPARE_PIXELS:
            raise refusals.damaged(name)


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


def _extents(data: bytes, box: _Box, own: _Box | None, name: str) -> dict[int, list[_Extent]]:
    """Item -> start and end of each of its parts. Raises EOFError if the file ends before one of them."""
    version, sizes, more = data[box.start], data[box.start + 4], data[box.start + 5]
    offset_bytes, length_bytes, base_bytes = sizes >> 4, sizes & 15, more >> 4
    index_bytes = more & 15 if version else 0
    wide = 4 if version == 2 else 2
    count, at = _number(data, box.start + 6, wide), box.start + 6 + wide
    places = {0: (0, len(data)), 1: (own.start, own.end) if own else (0, 0)}  # of the file, of this box
    found: dict[int, list[_Extent]] = {}
    parts = 0
    for _ in range(count):
        item, at = _number(data, at, wide), at + wide
        first, last = places.get(_number(data, at, 2) & 15 if version else 0, (0, sys.maxsize))
        at += 4 if version else 2
        base, at = first + _number(data, at, base_bytes), at + base_bytes
        extents, at = _number(data, at, 2), at + 2
        parts += 1 + extents
        if parts > MAX_PARTS:
            raise refusals.too_many_parts(name, "parts")
        for _ in range(extents):
            at += index_bytes
            start = base + _number(data, at, offset_bytes)
            end = start + _number(data, at + offset_bytes, length_bytes)
            at += offset_bytes + length_bytes
            if end > last:
                raise EOFError
            found.setdefault(item, []).append((start, end if end > start else last))
    return found


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
