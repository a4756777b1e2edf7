"""Parsers of the settings that web processes share."""

from __future__ import annotations

import re
from pathlib import Path

from common.checks import Expected


def host_names(text: str) -> str:
    """Parses names of this host: with a space between them, in lower case. Raises Expected."""
    names = text.lower().replace(",", " ").replace(";", " ").split()
    if not all(re.fullmatch(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", name) for name in names):
        raise Expected("names without a port, as `pixelcost.example.org,pixelcost`")
    return " ".join(names)


def token(text: str) -> str:
    """Parses a shared token. Raises Expected."""
    if not re.fullmatch(r"[!-~]{16,}", text.strip()):
        raise Expected("16 or more characters without spaces, as `openssl rand -hex 24` makes them")
    return text.strip()


def token_in_file(text: str) -> str:
    """The token in the file of that name. Raises Expected."""
    try:
        return token(Path(text.strip()).read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Expected(f"a file that can be read ({error.__class__.__name__})") from error
