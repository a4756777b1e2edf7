"""Copies of an encoded image that differ in their bytes and in nothing else.

A server or a proxy that caches by bytes has to work on each of them, and decoding one costs as much as
decoding another. The pixels are the same, so the right answer is too.

    JPEG              a comment segment after the start of the image
    PNG               a text chunk after the header
    other formats     some bytes after the end of the image, which decoders leave unread
"""

from __future__ import annotations

import zlib

_JPEG_START, _COMMENT = b"\xff\xd8", b"\xff\xfe"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER_END = len(_PNG_SIGNATURE) + 8 + 13 + 4  # length, type, 13 bytes of IHDR, checksum


def distinct_copy(image: bytes, number: int) -> bytes:
    """The copy with that number; all are of one length."""
    mark = b"copy %08d" % number
    if image.startswith(_JPEG_START):
        segment = _COMMENT + (len(mark) + 2).to_bytes(2) + mark
        return _JPEG_START + segment + image[len(_JPEG_START) :]
    if image.startswith(_PNG_SIGNATURE) and len(image) > _PNG_HEADER_END:
        text = b"tEXtComment\0" + mark
        chunk = (len(text) - 4).to_bytes(4) + text + zlib.crc32(text).to_bytes(4)
        return image[:_PNG_HEADER_END] + chunk + image[_PNG_HEADER_END:]
    return image + mark
