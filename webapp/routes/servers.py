"""/api/backends/test: a server that somebody wants to add on the page, for the runs of one browser.
/api/models: the models of the catalogue, started and stopped as further embedded backends."""

from __future__ import annotations

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from experiment.codec import to_dict
from experiment.embedded.more_models import MOST_MODELS
from webapp.routes.runs import json_sent
from webapp.services import services

routes = Blueprint("servers", __name__, url_prefix="/api")


@routes.post("/backends/test")
def test() -> ResponseReturnValue:
    """The server that the JSON object in the body describes, as a backend with its state now."""
    app = services()
    wanted = json_sent()
    app.runs.single_requests.refuse_while_measuring()
    taken = {info.name for info in app.registry.backends()}
    return jsonify(to_dict(app.added.test(wanted, taken, request.remote_addr or "")))


@routes.get("/models")
def models() -> ResponseReturnValue:
    """The catalogue with the state of each model, or why none can be started here."""
    added = services().models
    return jsonify({"models": list(added.rows()), "why_not": added.why_not, "most": MOST_MODELS})


@routes.post("/models/<name>/start")
def start_model(name: str) -> ResponseReturnValue:
    """Serve a model as a further backend: {"cpus": 1, "download": true}; 202."""
    app = services()
    app.runs.single_requests.refuse_while_measuring()
    return jsonify(app.models.start(name, json_sent() if request.get_data() else None)), 202


@routes.post("/models/<name>/stop")
def stop_model(name: str) -> ResponseReturnValue:
    """End the server of a model that was started here; 202."""
    app = services()
    app.runs.single_requests.refuse_while_measuring()
    return jsonify(app.models.stop(name)), 202
