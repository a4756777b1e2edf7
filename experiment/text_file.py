"""Text as editors save it: UTF-8, or UTF-16 where its mark stands in front."""

from __future__ import annotations

import codecs


def decoded(data: bytes) -> str:
    """The text, without the byte order mark that Windows' editors and shells put in front.

    Raises UnicodeDecodeError where it is neither UTF-8 nor marked as UTF-16.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    return data.decode("utf-8-sig")
