"""create_app(): puts the route table, services, security and logging together."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from flask import Flask, request
from werkzeug.middleware.proxy_fix import ProxyFix

from gateway import problems
from gateway.config import Settings
from gateway.http.job_ids import JobId, RawPath
from gateway.limits.receive import FORM_MEMORY_BYTES
from gateway.routes import classify, jobs, pages
from gateway.services import Services
from gateway.table import Route
from httpserver import logs, security
from httpserver.problems import Refused

ROOT: Final = Path(__file__).resolve().parent.parent
MOST_BODY_BYTES: Final = 10_000  # of every request that is no upload
OPEN: Final = {"/healthz", "/readyz"}  # what probes need, without a token
ROUTES: Final = (*jobs.ROUTES, *classify.ROUTES, *pages.ROUTES)


def create_app(settings: Settings) -> Flask:
    """The WSGI app. Background work begins with `app.extensions["gateway"].start(...)`."""
    return assembled("gateway", settings, Services(settings), ROUTES)


def assembled(name: str, settings: Settings, shared: Services, routes: Sequence[Route]) -> Flask:
    """An app with these routes."""
    app = Flask(name, root_path=str(ROOT), static_folder="static", template_folder="templates")
    app.config.update(MAX_CONTENT_LENGTH=MOST_BODY_BYTES, MAX_FORM_MEMORY_SIZE=FORM_MEMORY_BYTES)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # keys stay in the order of the code
    app.url_map.converters["job"] = JobId
    app.extensions["gateway"] = shared
    app.extensions["gateway.routes"] = routes
    logs.install(app, shared.metrics, trust_ids=settings.trust_proxy > 0)
    security.install(app, settings)
    if settings.shared_token:
        app.before_request(lambda: _require(settings.shared_token))
    problems.install(app)
    for route in routes:
        app.add_url_rule(route.path, f"{route.method} {route.path}", route.view, methods=[route.method])
    app.wsgi_app = RawPath(app.wsgi_app)  # type: ignore[method-assign]
    if settings.trust_proxy:
        count = settings.trust_proxy
        proxied = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count, x_prefix=count)
        app.wsgi_app = proxied  # type: ignore[method-assign]
    return app


def _require(token: str) -> None:
    """Raises Refused for a request without the token."""
    if request.path in OPEN:
        return
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and hmac.compare_digest(_digest(given.strip()), _digest(token)):
        return
    code = "wrong_token" if scheme else "no_token"
    raise Refused(code, "Send `Authorization: Bearer TOKEN` with the server's token.", 401)


def _digest(text: str) -> bytes:
    """Of a fixed length, so that comparing takes a time that depends on neither text."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
