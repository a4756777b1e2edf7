"""/api/runs/<id>/thumbs: the small pictures of what a run sent."""

from __future__ import annotations

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from experiment.export.pictures import ID
from httpserver.problems import Refused
from webapp.services import services

routes = Blueprint("pictures", __name__, url_prefix="/api/runs")


@routes.get("/<run_id>/thumbs/<key>")
def thumb_of(run_id: str, key: str) -> ResponseReturnValue:
    """One small picture; `key` is a variant's id, or `step-<size_px>-<quality>` of a search."""
    store = services().store
    run_id = store.follow_ups.run_of(run_id) or store.run(run_id).id
    found = store.thumbs.get(run_id, key) if ID.fullmatch(key) else None
    if found is None:
        raise Refused("no_such_picture", f"Run {run_id} has no picture {key}, or has not made it yet.", 404)
    response = Response(found.data, mimetype=found.media_type)
    response.headers["Cache-Control"] = "private, max-age=3600"
    response.add_etag()
    return response.make_conditional(request)
