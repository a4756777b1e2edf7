"""chunks(): the chunks of a PNG, each with its place (https://www.w3.org/TR/png-3/, section 5)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

SIGNATURE = b"\x89PNG\r\n\x1a\n"


class Chunk(NamedTuple):
    """Its kind, and where it stands."""

    kind: bytes
    start: int  # of its length
    end: int  # behind its checksum

    @property
    def is_critical(self) -> bool:
        """A small first letter marks what readers may skip."""
        return self.kind[:1].isupper()

    def content(self, data: bytes) -> bytes:
        """Its bytes, without length, kind and checksum."""
        return data[self.start + 8 : self.end - 4]

    def is_whole(self, data: bytes) -> bool:
        """Whether the checksum is right."""
        found = zlib.crc32(memoryview(data)[self.start + 4 : self.end - 4])
        return bool(found == struct.unpack_from(">I", data, self.end - 4)[0])


def chunks(data: bytes) -> Iterator[Chunk]:
    """Up to IEND, which is the last. Raises EOFError where the data ends before."""
    at, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        if at + 12 > len(data):
            raise EOFError
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise EOFError
        yield Chunk(kind, at, end)
        at = end


def chunk_of(kind: bytes, content: bytes) -> bytes:
    """A chunk with its checksum."""
    sum_ = zlib.crc32(content, zlib.crc32(kind))
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", sum_)
