"""Reads a protobuf message field by field: what nobody asks for is skipped, not copied.

protobuf's own runtime copies the whole message, with all weights of a model, and stops every other thread
meanwhile. So large messages are cut up with this, and the pieces that are wanted are parsed by their classes.
Format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

FIXED_BYTES = {1: 8, 5: 4}  # wire types of numbers with a fixed size

Value = int | memoryview


class CutOff(ValueError):
    """The bytes end within a field. `field` is its number; 0 where not even that is there."""

    def __init__(self, field: int):
        super().__init__("it is cut off")
        self.field = field


def mapped(file: Path) -> memoryview:
    """A file's bytes, read only where they are looked at. Not for empty files."""
    with file.open("rb") as opened:
        return memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))


def fields(message: memoryview) -> Iterator[tuple[int, Value]]:
    """Number and value of each field. Raises ValueError: CutOff, or another when it is not a protobuf."""
    position = 0
    while position < len(message):
        key, position = _varint_at(message, position, 0)
        field, wire = key >> 3, key & 7
        if not field or wire not in {0, 1, 2, 5}:
            raise ValueError("it is not a protobuf")
        if wire == 0:
            number, position = _varint_at(message, position, field)
            yield field, number
            continue
        size, position = (FIXED_BYTES[wire], position) if wire != 2 else _varint_at(message, position, field)
        if size > len(message) - position:
            raise CutOff(field)
        yield field, message[position : position + size]
        position += size


def messages(message: memoryview, *path: int) -> Iterator[memoryview]:
    """The messages, texts or bytes at the end of a path of fields. Raises ValueError."""
    for field, value in fields(message):
        if field == path[0] and isinstance(value, memoryview):
            if len(path) == 1:
                yield value
            else:
                yield from messages(value, *path[1:])


def text(message: memoryview, *path: int) -> str:
    """The first text at the end of a path of fields; empty if there is none. Raises ValueError."""
    return str(next(messages(message, *path), memoryview(b"")), "utf-8")


def varint(value: int) -> bytes:
    """A number as a message holds it: seven bits in each byte, the lowest first."""
    groups = [value >> shift & 127 for shift in range(0, max(1, value.bit_length()), 7)]
    return bytes([*(group | 128 for group in groups[:-1]), groups[-1]])


def _varint_at(message: memoryview, position: int, field: int) -> tuple[int, int]:
    """A number, and where it ends."""
    number = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            raise CutOff(field)
        byte = message[position]
        position += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, position
    raise ValueError("it is not a protobuf")
