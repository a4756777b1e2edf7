"""Text that others wrote: files as editors save them, and messages of other programs."""

from __future__ import annotations

import codecs


def first_line(text: str, otherwise: str, longest: int = 300) -> str:
    """The first line that is not blank, printable, cut at `longest` characters, with a full stop.

    `otherwise` is used if every line is blank.
    """
    line = next((line.strip() for line in text.splitlines() if line.strip()), otherwise)
    line = "".join(char if char.isprintable() else "?" for char in line)  # some quote bytes of the input
    line = line if len(line) <= longest else f"{line[:longest].rstrip()} ..."
    return line if line.endswith((".", "!", "?")) else f"{line}."


def decoded(data: bytes) -> str:
    """The text of a file in UTF-8 or, with a byte order mark, UTF-16; the mark is removed.

    Raises UnicodeDecodeError for anything else.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    return data.decode("utf-8-sig")
