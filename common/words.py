"""What other programs say, fit for a sentence of our own."""

from __future__ import annotations


def first_line(text: str, otherwise: str, longest: int = 300) -> str:
    """The first line that says something, printable, cut at `longest` characters, with a full stop.

    `otherwise` stands in where nothing was said.
    """
    line = next((line.strip() for line in text.splitlines() if line.strip()), otherwise)
    line = "".join(char if char.isprintable() else "?" for char in line)  # some quote bytes of the input
    line = line if len(line) <= longest else f"{line[:longest].rstrip()} ..."
    return line if line.endswith((".", "!", "?")) else f"{line}."
