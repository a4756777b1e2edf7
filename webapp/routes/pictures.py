"""/api/runs/<id>/thumbs and card.png: the small pictures of what a run sent, and the run as one picture."""

from __future__ import annotations

from functools import lru_cache

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from experiment import __version__
from experiment.export.card import MEDIA_TYPE, card
from experiment.export.pictures import ID
from httpserver.problems import Refused
from webapp.services import services

KEPT_CARDS = 8  # of about 100 kB

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


@routes.get("/<run_id>/card.png")
def card_of(run_id: str) -> ResponseReturnValue:
    """An ended run as a picture of 1200 x 630 px, for links to it."""
    app = services()
    run = app.store.run(app.store.follow_ups.run_of(run_id) or run_id)
    if run.is_live:
        why = "This run is still in progress. Its card can be drawn when it has ended."
        raise Refused("run_is_live", why, 409)
    stamp = f"{app.reports.stamp(run)}-{__version__}"
    response = Response(_drawn(run.id, stamp), mimetype=MEDIA_TYPE)
    response.headers["Cache-Control"] = "private, no-cache"
    response.set_etag(stamp)
    return response.make_conditional(request)


@lru_cache(maxsize=KEPT_CARDS)
def _drawn(run_id: str, _stamp: str) -> bytes:
    app = services()
    return card(app.reports.report(run_id), app.store.thumbs.all(run_id))
