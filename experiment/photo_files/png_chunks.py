"""chunks(): the chunks of a PNG with their places (https://www.w3.org/TR/png-3/, section 5)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

SIGNATURE = b"\x89PNG\r\n\x1a\n"


class Chunk(NamedTuple):
    """A chunk's kind and place in the file."""

    kind: bytes
    start: int  # position of its length
    end: int  # position after its checksum

    @property
    def is_critical(self) -> bool:
        """Whether readers may not skip it; a lower-case first letter means that they may."""
        return self.kind[:1].isupper()

    def content(self, data: bytes) -> bytes:
        """Its content, without length, kind and checksum; `data` is the whole file."""
        return data[self.start + 8 : self.end - 4]

    def is_whole(self, data: bytes) -> bool:
        """Whether the checksum is right."""
        found = zlib.crc32(memoryview(data)[self.start + 4 : self.end - 4])
        return bool(found == struct.unpack_from(">I", data, self.end - 4)[0])


def chunks(data: bytes) -> Iterator[Chunk]:
    """All chunks, IEND last. Raises EOFError if `data` ends before."""
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
    """The bytes of a chunk, with length and checksum."""
    checksum = zlib.crc32(content, zlib.crc32(kind))
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
