"""create_app(): puts routes, services, security and logging together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from httpserver import logs, security
from webapp import problems
from webapp.config import Settings, read_settings
from webapp.http import access, compress
from webapp.routes import (
    again,
    classify,
    decide,
    downloads,
    follow_ups,
    imports,
    inspector,
    options,
    pages,
    photos,
    pictures,
    runs,
    servers,
    upload2018,
)
from webapp.services import Services
from webapp.uploads.receive import FORM_MEMORY_BYTES
from webapp.worker.process import WORKER_COMMAND

ROOT = Path(__file__).resolve().parent.parent
MOST_BODY_BYTES = 10_000  # of every request except an upload


def create_app(settings: Settings | None = None, worker_command: Sequence[str] = WORKER_COMMAND) -> Flask:
    """The WSGI app. Background work begins with `app.extensions["pixelcost"].start()`.

    Raises ConfigRefused for invalid settings.
    """
    settings = settings or read_settings()
    app = Flask("webapp", root_path=str(ROOT), static_folder="static", template_folder="templates")
    app.config.update(
        MAX_CONTENT_LENGTH=MOST_BODY_BYTES, MAX_FORM_MEMORY_SIZE=FORM_MEMORY_BYTES, MAX_FORM_PARTS=50
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]  # keys stay in the order of the code
    services = Services(settings, worker_command)
    app.extensions["pixelcost"] = services
    logs.install(app, services.metrics, trust_ids=settings.trust_proxy > 0)
    security.install(app, settings)
    access.install(app, settings.shared_token)
    problems.install(app)
    compress.install(app)
    for module in (
        pages,
        runs,
        classify,
        options,
        downloads,
        decide,
        follow_ups,
        imports,
        inspector,
        again,
        photos,
        pictures,
        servers,
        upload2018,
    ):
        app.register_blueprint(module.routes)
    if settings.trust_proxy:
        count = settings.trust_proxy
        proxied = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count, x_prefix=count)
        app.wsgi_app = proxied  # type: ignore[method-assign]
    return app
