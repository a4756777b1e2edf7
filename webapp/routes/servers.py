"""/api/backends/test: a server that somebody wants to add on the page, for the runs of one browser."""

from __future__ import annotations

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from experiment.codec import to_dict
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
