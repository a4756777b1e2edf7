"""Paths as TensorFlow Serving takes them, also as file:///models/x; those elsewhere are refused."""

from __future__ import annotations

import re
from pathlib import Path

SCHEME = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
HOSTS = {"", "localhost"}


def local_path(text: str) -> Path:
    """Raises ValueError with a sentence that lacks its full stop."""
    if "\0" in text:
        raise ValueError("it holds a NUL, and no path has one")
    match = SCHEME.fullmatch(text)
    if not match:
        return Path(text)
    if match["scheme"].lower() != "file":
        raise ValueError(
            f"{text} lies on {match['scheme'].lower()}://, and this server reads local files only. Mount "
            "that place, or copy what is there, and give the local path"
        )
    host, slash, rest = match["rest"].partition("/")
    if host.lower() not in HOSTS:
        raise ValueError(
            f"{text} names the host {host!r}. A local path has three slashes: file:///{match['rest']}"
        )
    return Path(slash + rest)
