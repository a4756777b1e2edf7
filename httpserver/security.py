"""Keeps other sites out: response headers, and checks of a request's Host, prefix and origin."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

from flask import Flask, Response, request

from common.addresses import is_ip_address, is_loopback
from httpserver.problems import Refused

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; worker-src 'self' blob:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
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

# The segments of a path, as RFC 3986 writes them, and what a browser would read as something else.
_PREFIX = re.compile(r"(/([\w.~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})+)*", re.ASCII)
_LEADS_ELSEWHERE = re.compile(r"//|.*[\\\x00-\x1f\x7f]|(.*/)?\.\.?(/|$)", re.DOTALL)

ANY_HOST: Final = {"/healthz", "/readyz"}  # probes send any Host, and see nothing secret

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


class Reach(Protocol):
    """The settings that say by which names a process can be reached."""

    @property
    def host(self) -> str:
        """The address that it listens on."""

    @property
    def allowed_hosts(self) -> str:
        """Host names that it answers to, with a space between them."""

    @property
    def trust_proxy(self) -> int:
        """Proxies in front."""


def install(app: Flask, settings: Reach) -> None:
    """Check every request, and add headers to every answer."""
    names = hosts(settings)
    if names:
        app.before_request(lambda: refuse_other_hosts(names))
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


def hosts(settings: Reach) -> Collection[str]:
    """The host names that the app answers to; empty: to any.

    If it listens to this machine only, the names are known. A request for another name then comes from a
    page whose own name was made to lead here (DNS rebinding).
    """
    if settings.allowed_hosts:
        return {"localhost", *settings.allowed_hosts.split()}
    return {"localhost"} if is_loopback(settings.host) and not settings.trust_proxy else set()


def refuse_other_hosts(names: Collection[str]) -> None:
    """Refuse a Host that is not one of `names`. IP addresses pass: DNS rebinding needs a name."""
    try:
        host = (urlsplit(f"//{request.host}").hostname or "").removesuffix(".")
    except ValueError:
        host = ""
    if request.path not in ANY_HOST and host not in names and not is_ip_address(host):
        raise Refused(
            "bad_host",
            f"The request is for the host {request.host or '(none)'}. If that name is right, for example "
            "that of a proxy in front, add it to PIXELCOST_ALLOWED_HOSTS.",
            421,
        )


def refuse_odd_prefix() -> None:
    """Refuse an X-Forwarded-Prefix that would lead a browser to another site, like //other.example."""
    prefix = request.script_root
    if not _PREFIX.fullmatch(prefix) or _LEADS_ELSEWHERE.match(unquote(prefix)):
        raise Refused("bad_prefix", "Set it to a path like /pixelcost in the proxy, or leave it out.", 400)


def refuse_other_sites() -> None:
    """Refuse a request that changes something, if a page of another site made the browser send it."""
    if request.method not in SAFE_METHODS:
        refuse_from_other_sites()


def refuse_from_other_sites() -> None:
    """The same, whatever the method.

    Browsers say where a request comes from: by Sec-Fetch-Site on https and localhost, by
    Origin everywhere. Programs send neither and are let through.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site in {"same-origin", "none"}:
        return
    origin = request.headers.get("Origin")
    if site is None and (origin is None or urlsplit(origin).netloc == request.host):
        return
    raise Refused(
        "cross_site",
        f"The request came from {origin or 'another site'}, but this app is at {request.host}. If there is a "
        "proxy in between, let it pass the header Host on, or set PIXELCOST_TRUST_PROXY=1.",
        403,
    )
