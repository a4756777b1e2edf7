"""The web app: HTTP and HTML, and runs that live outside of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Flask


def create_app(*arguments: Any, **named: Any) -> Flask:
    """The WSGI app; see app.create_app. Loaded here only when called: the timing process
    lives in this package too and needs none of it."""
    from webapp import app  # noqa: PLC0415

    return app.create_app(*arguments, **named)
