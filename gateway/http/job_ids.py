"""Ids of jobs in addresses. They may hold any printable character; "/" and "%" are written %2F and %25.

WSGI decodes a path before it is divided into its parts, so "a%2Fevents" and "a/events" would look the same.
RawPath leaves these two encoded, and JobId decodes them when the parts are known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit

from werkzeug.routing import BaseConverter

_KEPT = re.compile("%(2f|25)", re.IGNORECASE)

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class RawPath:
    """Middleware: the path with "/" and "%" still encoded."""

    def __init__(self, app: Wsgi):
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        raw = str(environ.get("RAW_URI", ""))
        if "%" in raw:
            path = urlsplit(raw).path if "://" in raw.partition("?")[0] else re.split("[?#]", raw)[0]
            kept = unquote_to_bytes(_KEPT.sub(r"%25\1", path).encode("latin-1", "replace"))
            environ["PATH_INFO"] = kept.decode("latin-1")
        return self._app(environ, start_response)


class JobId(BaseConverter):
    """One part of a path that RawPath has left encoded."""

    regex = "[^/]+"

    def to_python(self, value: str) -> str:
        """The id in a path."""
        return unquote(value)

    def to_url(self, value: str) -> str:
        """The id as it stands in a path."""
        return in_path(value)


def in_path(text: str) -> str:
    """As one part of a path.

    >>> in_path("2024/cat:1")
    '2024%2Fcat%3A1'
    """
    return quote(text, safe="")
