"""The page, and the addresses for probes and Prometheus."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from experiment import __version__
from httpserver.problems import Refused
from webapp.backends import NONE_CONFIGURED
from webapp.routes.downloads import report
from webapp.routes.options import backends_seen, options
from webapp.services import services
from webapp.store.store import NoSuchRun

routes = Blueprint("pages", __name__)


@routes.get("/")
def index() -> ResponseReturnValue:
    """The page, empty."""
    return _page(None)


@routes.get("/runs/<run_id>")
def run_page(run_id: str) -> ResponseReturnValue:
    """The page showing a run; with status 404 if the run is gone."""
    try:
        run = services().store.run(run_id)
    except NoSuchRun:
        return _page(run_id), 404
    return _page(run_id, None if run.is_live else services().reports.recommendation(run_id))


@routes.get("/.json")
@routes.get("/index.json")
def index_as_json() -> ResponseReturnValue:
    """What the empty page knows: limits and defaults, and the backends."""
    return jsonify(_config())


@routes.get("/runs/<run_id>.json")
def run_page_as_json(run_id: str) -> ResponseReturnValue:
    """The report that the page shows, as /api/runs/<id>: with the same queries."""
    return report(run_id)


def _page(run_id: str | None, headline: str | None = None) -> str:
    """`headline` is what other sites show with a link to a run."""
    return render_template(
        "index.html",
        base=request.script_root,
        run_id=run_id,
        headline=headline,
        app_version=__version__,
        config=_config(),
    )


def _config() -> dict[str, Any]:
    registry = services().registry
    return {"config": options(services().settings, registry.model()), "backends": backends_seen(registry)}


@routes.get("/healthz")
def healthz() -> ResponseReturnValue:
    """The process is alive."""
    return jsonify({"status": "alive", "app_version": __version__})


@routes.get("/readyz")
def readyz() -> ResponseReturnValue:
    """At least one backend answers."""
    backends = services().registry.backends()
    states = {info.name: info.state for info in backends}
    if "ready" not in states.values():
        is_open = not services().settings.shared_token  # else no addresses: probes need no token
        details = "; ".join(f"{info.name}: {(is_open and info.detail) or info.state}" for info in backends)
        raise Refused("not_ready", details or NONE_CONFIGURED, 503, 5)
    return jsonify({"status": "ready", "backends": states})


@routes.get("/metrics")
def metrics() -> ResponseReturnValue:
    """OpenMetrics."""
    text, content_type = services().metrics.text(request.headers.get("Accept", ""))
    return Response(text, content_type=content_type)
