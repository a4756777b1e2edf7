"""Writes protobuf fields: enough for formats whose message classes are not installed.

Format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterable

VARINT, LENGTH = 0, 2  # wire types


def number(field: int, value: int) -> bytes:
    """An integer, boolean or enum field; not negative."""
    return _varint(field << 3 | VARINT) + _varint(value)


def block(field: int, content: bytes | str) -> bytes:
    """A string, bytes or message field, or packed numbers."""
    data = content.encode() if isinstance(content, str) else content
    return _varint(field << 3 | LENGTH) + _varint(len(data)) + data


def numbers(field: int, values: Iterable[int]) -> bytes:
    """Repeated integers, packed."""
    return block(field, b"".join(map(_varint, values)))


def _varint(value: int) -> bytes:
    """Seven bits a byte, lowest first; the top bit says that more follow."""
    groups = bytearray()
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    groups.append(value)
    return bytes(groups)
