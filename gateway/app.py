"""create_app(): puts the route table, services, security and logging together."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from flask import Flask, request
from werkzeug.middleware.proxy_fix import ProxyFix

from gateway import problems
from gateway.cluster_serving.servables import servables
from gateway.config import Settings
from gateway.http.job_ids import JobId, RawPath, Wsgi
from gateway.limits.receive import FORM_MEMORY_BYTES
from gateway.routes import classify, jobs, models, pages
from gateway.services import Services
from gateway.table import OPEN, Route
from httpserver import logs, security
from httpserver.problems import Refused

ROOT: Final = Path(__file__).resolve().parent.parent
MOST_BODY_BYTES: Final = 10_000  # of every request that is no upload
ROUTES: Final = (*jobs.ROUTES, *classify.ROUTES, *models.ROUTES, *pages.ROUTES)


def create_app(settings: Settings) -> Flask:
    """The WSGI app. Background work begins with `app.extensions["gateway"].start(...)`."""
    shared = Services(settings)
    app = assembled("gateway", settings, shared, ROUTES)
    if settings.frontend_port:
        other = front_end_app(settings, shared)
        by_port = ByPort(app.wsgi_app, settings.frontend_port, other.wsgi_app)
        app.wsgi_app = by_port  # type: ignore[method-assign]
    return app


def front_end_app(settings: Settings, shared: Services) -> Flask:
    """The app of Cluster Serving's port. Arrow, which only this one needs, takes 40 MB."""
    from gateway.cluster_serving.front_end import FrontEnd  # noqa: PLC0415
    from gateway.cluster_serving.routes import ROUTES as FRONT_END  # noqa: PLC0415

    front = FrontEnd(shared, servables(settings.servables, settings.queue))
    shared.also_start(front.start)
    app = assembled("front_end", settings, shared, FRONT_END)
    app.extensions["gateway.front_end"] = front
    return app


class ByPort:
    """Middleware: requests to one port go to another app."""

    def __init__(self, app: Wsgi, port: int, other: Wsgi):
        self._app = app
        self._port = port
        self._other = other

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        connection = environ.get("gunicorn.socket")
        is_other = connection is not None and connection.getsockname()[1] == self._port
        return (self._other if is_other else self._app)(environ, start_response)


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
    if request.path in OPEN or request.endpoint == "static":
        return
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and hmac.compare_digest(_digest(given.strip()), _digest(token)):
        return
    code = "wrong_token" if scheme else "no_token"
    raise Refused(code, "Send `Authorization: Bearer TOKEN` with the server's token.", 401)


def _digest(text: str) -> bytes:
    """Of a fixed length, so that comparing takes a time that depends on neither text."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
