"""Writes protobuf fields: enough for formats whose message classes are not installed.

Format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterable

from common.wire import varint

VARINT, LENGTH = 0, 2  # wire types


def number(field: int, value: int) -> bytes:
    """An integer, boolean or enum field; not negative."""
    return varint(field << 3 | VARINT) + varint(value)


def block(field: int, content: bytes | str) -> bytes:
    """A string, bytes or message field, or packed numbers."""
    data = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | LENGTH) + varint(len(data)) + data


def numbers(field: int, values: Iterable[int]) -> bytes:
    """Repeated integers, packed."""
    return block(field, b"".join(map(varint, values)))
