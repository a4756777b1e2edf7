"""/api: start a run, follow it, list runs, and what there is to choose from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from flask import Blueprint, Response, jsonify, request, url_for
from flask.typing import ResponseReturnValue

from experiment.backends.addresses import chosen
from experiment.errors import PlanRefused
from experiment.export.report_json import SCHEMA, timestamp
from experiment.images.variants import most_variants
from experiment.measure.plan import check_request_count, plan_from_json
from experiment.measure.schedule import planned_requests
from experiment.records import BackendInfo, Plan
from webapp.backends import NONE_CONFIGURED
from webapp.http.security import refuse_from_other_sites
from webapp.problems import Refused
from webapp.routes.options import backends_seen, offers
from webapp.runs.event_stream import hung_up, last_seen
from webapp.runs.live_run import LiveRun
from webapp.services import parts
from webapp.store.search import found, words_in
from webapp.store.store import HistoryRow
from webapp.uploads.browser import check_place

FORM_FIELDS = frozenset({"plan", "true_label"})
PAGE_RUNS, MOST_RUNS = 20, 100

routes = Blueprint("api", __name__, url_prefix="/api")


@routes.post("/runs")
def start_run() -> ResponseReturnValue:
    """Take a photo, or many, and a plan; answer 202 with where to look."""
    app = parts()
    with app.uploads.photos(request, FORM_FIELDS, app.fleet.model()) as photos:
        text = request.form.get("plan", "").strip() or "{}"
        plan = plan_from_json(text, timeout_s=app.settings.tf_request_timeout_s, **photos.plan_defaults)
        check_place(photos, plan)
        is_gone = partial(hung_up, request.environ.get("gunicorn.socket"))
        live = app.runs.submit(photos, plan, backends_for(plan), is_gone)
    answer = _whereabouts(live)
    return jsonify(answer), 202, {"Location": answer["report_url"]}


def backends_for(plan: Plan) -> Sequence[BackendInfo]:
    """The backends that a plan means, unless there are none or it asks for too much of them."""
    backends = chosen(parts().fleet.backends(), plan.backend_names)
    present = [info for info in backends if info.state != "absent"]
    if backends and not present:
        raise PlanRefused([f"{info.name} can't be asked: {info.detail}" for info in backends])
    if not present:
        raise Refused("no_backends", NONE_CONFIGURED, 503)
    planned = planned_requests(plan, most_variants(plan), present)
    check_request_count(planned, parts().settings.max_requests)
    return backends


def _whereabouts(live: LiveRun) -> dict[str, Any]:
    position = parts().runs.turns.position(live)
    return {
        "id": live.id,
        "url": url_for("views.run_page", run_id=live.id),
        "events_url": url_for("api.events", run_id=live.id),
        "report_url": url_for("downloads.report", run_id=live.id),
        "state": "queued" if position else "running",
        "position": position,
    }


@routes.get("/runs/<run_id>/events")
def events(run_id: str) -> ResponseReturnValue:
    """The run's events from its start, or after Last-Event-ID."""
    app = parts()
    after = last_seen(request.headers.get("Last-Event-ID"), request.args.get("last_event_id"))
    run = app.store.run(run_id)
    if not run.is_live and after >= run.last_seq and not app.store.claims.is_held(run_id):
        return "", 204  # tells an EventSource not to come back
    is_gone = partial(hung_up, request.environ.get("gunicorn.socket"))
    stream = app.streams.open(run_id, after, is_gone)
    headers = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
    return Response(stream, mimetype="text/event-stream", headers=headers)


@routes.delete("/runs/<run_id>")
def end_run(run_id: str) -> ResponseReturnValue:
    """Cancel a run that waits or measures (202), remove one that has ended (204)."""
    app = parts()
    live = app.runs.live(run_id)
    if live is not None:
        app.runs.cancel(live)
        return _stopping(run_id, live.state)
    run = app.store.run(run_id)
    if run.is_live and not app.runs.is_unended(run_id) and app.runs.cancel_elsewhere(run_id):
        return _stopping(run_id, run.state)
    if any(each.is_live for _, each in app.store.follow_ups.of(run_id)):
        raise Refused("run_is_live", "A follow-up of it is in progress. Stop that first.", 409)
    app.store.remove(run_id)
    return "", 204


def _stopping(run_id: str, state: str) -> ResponseReturnValue:
    return jsonify({"id": run_id, "state": state, "text": "Stopping. The results so far are kept."}), 202


@routes.get("/runs")
def history() -> ResponseReturnValue:
    """Runs, newest first, a page at a time: `limit`, `before` as in the answer's `next`, `q` to find some."""
    limit = _number("limit", PAGE_RUNS, MOST_RUNS)
    before = _number("before", 0, 2**31 - 1) or None
    text = request.args.get("q", "").strip()
    runs = found(parts().store.history, words_in(text), limit + 1, before)
    more = len(runs) > limit
    asked: dict[str, Any] = {"limit": limit, **({"q": text} if text else {})}
    next_url = url_for("api.history", **asked, before=runs[limit - 1].number) if more else None
    return jsonify({"runs": [_row(run) for run in runs[:limit]], "next": next_url})


def _number(key: str, default: int, high: int) -> int:
    text = request.args.get(key, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 12 and 1 <= int(text) <= high):
        raise Refused("bad_query", f"{key} must be a whole number from 1 to {high}.")
    return int(text)


def _row(run: HistoryRow) -> Mapping[str, Any]:
    return {
        "id": run.id,
        "url": url_for("views.run_page", run_id=run.id),
        "report_url": url_for("downloads.report", run_id=run.id),
        "name": run.name,
        "state": run.state,
        "created_at": timestamp(run.created_at),
        "finished_at": None if run.finished_at is None else timestamp(run.finished_at),
        "requests": {
            "planned": run.requests_planned,
            "done": run.requests_done,
            "failed": run.requests_failed,
        },
        "size_bytes": run.size_bytes,
        "sentence": run.headline,
    }


@routes.get("/backends")
def backends() -> ResponseReturnValue:
    """Every backend with its state; `?refresh=1` asks them anew."""
    fleet = parts().fleet
    if request.args.get("refresh") == "1":
        refuse_from_other_sites()  # an image's address would do
        fleet.refresh()
    return jsonify(backends_seen(fleet))


@routes.get("/schema")
def schema() -> ResponseReturnValue:
    """The report's JSON Schema."""
    return jsonify(SCHEMA)


@routes.get("/config")
def config() -> ResponseReturnValue:
    """Limits, defaults and choices."""
    return jsonify(offers(parts().settings, parts().fleet.model()))
