"""Reads single fields of a large protobuf message; the rest is skipped, not copied.

protobuf's own runtime copies the whole message, all weights of a model included, and blocks every other
thread meanwhile. So large messages are cut up here, and only the fields that are needed are parsed by their
classes. Format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

FIXED_BYTES = {1: 8, 5: 4}  # wire types of numbers with a fixed size

Value = int | memoryview


class CutOff(ValueError):
    """The bytes end within a field. `field` is its number, or 0 if they end within that."""

    def __init__(self, field: int):
        super().__init__("it is cut off")
        self.field = field


def mapped(file: Path) -> memoryview:
    """A file's bytes, read from disk as they are accessed. Not for empty files."""
    with file.open("rb") as opened:
        return memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))


def fields(message: memoryview) -> Iterator[tuple[int, Value]]:
    """Number and value of every field. Raises CutOff, or another ValueError if it is not a protobuf."""
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
    """The messages, texts or bytes at a path of field numbers. Raises ValueError.

    messages(model, 7, 1) are the values of field 1 within every field 7.
    """
    for field, value in fields(message):
        if field == path[0] and isinstance(value, memoryview):
            if len(path) == 1:
                yield value
            else:
                yield from messages(value, *path[1:])


def text(message: memoryview, *path: int) -> str:
    """The first text at a path of field numbers; empty if there is none. Raises ValueError."""
    return str(next(messages(message, *path), memoryview(b"")), "utf-8")


def varint(value: int) -> bytes:
    """A number as protobuf encodes it: seven bits in each byte, the lowest first; 300 is b"\\xac\\x02"."""
    groups = [value >> shift & 127 for shift in range(0, max(1, value.bit_length()), 7)]
    return bytes([*(group | 128 for group in groups[:-1]), groups[-1]])


def _varint_at(message: memoryview, position: int, field: int) -> tuple[int, int]:
    """The number at `position`, and the position after it."""
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
