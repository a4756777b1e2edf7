"""What keeps other sites out: response headers, and a check of who sends a change."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from flask import Flask, Response, request

from webapp.problems import Refused

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # not no-referrer: that would hide the Origin we check
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_PREFIX = re.compile(r"(/[\w.~-]+)*", re.ASCII)

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


def install(app: Flask) -> None:
    """Check every change and mark every answer."""
    app.before_request(refuse_odd_prefix)
    app.before_request(refuse_other_sites)
    app.after_request(add_headers)


def add_headers(response: Response) -> Response:
    """Security headers; a response's own come first."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if not request.path.startswith("/static/"):
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def refuse_odd_prefix() -> None:
    """Refuse a path in front (X-Forwarded-Prefix) that leads a browser elsewhere, as //other.example."""
    if not _PREFIX.fullmatch(request.script_root):
        raise Refused("bad_prefix", "The proxy in front names a path (X-Forwarded-Prefix) that is none.", 400)


def refuse_other_sites() -> None:
    """Refuse a change that a page of another site makes its visitor's browser send.

    Browsers say where a request comes from: by Sec-Fetch-Site on https and localhost, by
    Origin everywhere. Programs send neither and are let through.
    """
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site in {"same-origin", "none"}:
        return
    origin = request.headers.get("Origin")
    if site is None and (origin is None or urlsplit(origin).netloc == request.host):
        return
    raise Refused(
        "cross_site",
        f"This came from {origin or 'another site'}, but this app is at {request.host}. If a proxy stands in "
        "between, let it pass the header Host on, or set PIXELCOST_TRUST_PROXY=1.",
        403,
    )
