"""/api/runs: start, follow, stop, delete and list runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from flask import Blueprint, Response, jsonify, request, url_for
from flask.typing import ResponseReturnValue

from common.checks import Expected, whole_text
from common.json_values import strict_json
from experiment.backends.addresses import chosen, that_take_photos
from experiment.export.report_json import timestamp
from experiment.images.variants import most_variants
from experiment.measure.plan import check_request_count, plan_from_json
from experiment.measure.schedule import planned_requests
from experiment.records import SET_REPEATS, BackendInfo, Plan
from httpserver.client_socket import hung_up
from httpserver.problems import Refused
from webapp.backends import NONE_CONFIGURED
from webapp.runs.event_stream import last_seen
from webapp.runs.live_run import LiveRun
from webapp.services import services
from webapp.store.sample import SAMPLE_ID
from webapp.store.search import found, words_in
from webapp.store.store import HistoryRow
from webapp.uploads.browser import check_resized_as_planned
from webapp.worker.pipe import JobKind

FORM_FIELDS = frozenset({"plan", "true_label", "servers"})
PAGE_RUNS, MOST_RUNS = 20, 100
# The defaults of a plan that depend on the kind of upload.
PLAN_DEFAULTS: Final[Mapping[JobKind, Mapping[str, Any]]] = {
    "photo": {},
    "photo_set": {"repeats": SET_REPEATS},
    "browser_variants": {"resize_in": "browser"},
}

routes = Blueprint("runs", __name__, url_prefix="/api")


@routes.post("/runs")
def start_run() -> ResponseReturnValue:
    """Take a photo or a photo set, and a plan; 202 with where to follow the run."""
    app = services()
    with app.uploads.photos(request, FORM_FIELDS, app.registry.model()) as submission:
        text = request.form.get("plan", "").strip() or "{}"
        defaults = {"timeout_s": app.settings.tf_request_timeout_s, **PLAN_DEFAULTS[submission.job.kind]}
        plan = plan_from_json(text, **defaults)
        check_resized_as_planned(submission.job, plan)
        is_gone = partial(hung_up, request.environ.get("gunicorn.socket"))
        backends = backends_for(plan, request.form.get("servers", ""))
        live = app.runs.submit(submission, plan, backends, is_gone)
    return accepted(live, live.id, url=url_for("pages.run_page", run_id=live.id))


def accepted(live: LiveRun, report_id: str, **more: Any) -> ResponseReturnValue:
    """202: where to follow a run, and where the report is that it becomes a part of."""
    position = services().runs.queue.position(live)
    report_url = url_for("downloads.report", run_id=report_id)
    answer = {
        "id": live.id,
        "events_url": url_for("runs.events", run_id=live.id),
        "report_url": report_url,
        "state": "queued" if position else "running",
        "position": position,
        **more,
    }
    return jsonify(answer), 202, {"Location": report_url}


def json_sent() -> Any:
    """The JSON value in the body; None if it holds none."""
    try:
        return strict_json(request.get_data().decode())
    except (ValueError, RecursionError):  # RecursionError: nested too deeply
        return None


def backends_for(plan: Plan, servers: str = "") -> Sequence[BackendInfo]:
    """The backends of a plan; `servers` are those that somebody added, as JSON.

    Raises ServerRefused, and PlanRefused or Refused if none is available or the plan is too large.
    """
    app, registry = services(), services().registry
    taken = [info.name for info in registry.backends()]
    added = app.added.of_run(servers, taken, request.remote_addr or "")
    backends = chosen([*registry.backends(), *added], plan.backend_names)
    if any(info.state == "wrong_signature" for info in backends):
        registry.refresh()  # somebody may have put the right model there
        backends = chosen([*registry.backends(), *added], plan.backend_names)
    if not backends:
        raise Refused("no_backends", NONE_CONFIGURED, 503)
    planned = planned_requests(plan, most_variants(plan), that_take_photos(backends))
    check_request_count(planned, services().settings.max_requests)
    return backends


@routes.get("/runs/<run_id>/events")
def events(run_id: str) -> ResponseReturnValue:
    """The run's events from its start, or after Last-Event-ID."""
    app = services()
    after = last_seen(request.headers.get("Last-Event-ID"), request.args.get("last_event_id"))
    run = app.store.run(run_id)
    if not run.is_live and after >= run.last_seq and not app.store.leases.is_held(run_id):
        return "", 204  # an EventSource does not reconnect after it
    is_gone = partial(hung_up, request.environ.get("gunicorn.socket"))
    stream = app.streams.open(run_id, after, is_gone)
    headers = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
    return Response(stream, mimetype="text/event-stream", headers=headers)


@routes.delete("/runs/<run_id>")
def end_run(run_id: str) -> ResponseReturnValue:
    """Stop a run that waits or measures (202), or delete one that has ended (204)."""
    app = services()
    if run_id == SAMPLE_ID:
        raise Refused("sample_run", "The sample run comes with Pixelcost and can't be deleted.", 409)
    live = app.runs.live(run_id)
    if live is not None:
        app.runs.queue.cancel(live)
        return _stopping(run_id, live.state)
    run = app.store.run(run_id)
    if run.is_live and not app.runs.leases.is_unended(run_id) and app.store.leases.cancel(run_id):
        return _stopping(run_id, run.state)
    if any(follow_up.is_live for _, follow_up in app.store.follow_ups.of(run_id)):
        raise Refused("run_is_live", "A follow-up of this run is in progress. Stop it first.", 409)
    app.store.remove(run_id)
    return "", 204


def _stopping(run_id: str, state: str) -> ResponseReturnValue:
    return jsonify({"id": run_id, "state": state, "text": "Stopping. The results so far are kept."}), 202


@routes.get("/runs")
def history() -> ResponseReturnValue:
    """A page of runs, newest first: `limit`, `before` as in the answer's `next`, and `q`, words to find.

    With `like=ID` each says whether it is about the photo of that run: `same_photo`, null where not known.
    """
    limit = _number("limit", PAGE_RUNS, MOST_RUNS)
    before = _number("before", 0, 2**31 - 1) or None
    text = request.args.get("q", "").strip()
    runs = found(services().store.history, words_in(text), limit + 1, before)
    more = len(runs) > limit
    like = request.args.get("like", "")
    kept = {"q": text, "like": like}
    asked: dict[str, Any] = {"limit": limit, **{key: value for key, value in kept.items() if value}}
    next_url = url_for("runs.history", **asked, before=runs[limit - 1].number) if more else None
    rows = [_row(run) for run in runs[:limit]]
    return jsonify({"runs": _with_same_photo(rows, like) if like else rows, "next": next_url})


def _with_same_photo(rows: Sequence[Mapping[str, Any]], like: str) -> list[dict[str, Any]]:
    """Another photo's times can't be compared with this one's, so the page offers the same photo first."""
    hashes = services().store.photo_hashes([like, *(row["id"] for row in rows)])
    mine = hashes.get(like)
    known = {run_id: mine == other for run_id, other in hashes.items() if mine}
    return [{**row, "same_photo": known.get(row["id"])} for row in rows]


def _number(key: str, default: int, high: int) -> int:
    text = request.args.get(key, "")
    if not text:
        return default
    try:
        return whole_text(1, high)(text)
    except Expected as expected:
        raise Refused("bad_query", f"{key} must be {expected}.") from None


def _row(run: HistoryRow) -> Mapping[str, Any]:
    return {
        "id": run.id,
        "url": url_for("pages.run_page", run_id=run.id),
        "report_url": url_for("downloads.report", run_id=run.id),
        "name": run.name,
        "state": run.state,
        "created_at": timestamp(run.created_at),
        "finished_at": None if run.finished_at is None else timestamp(run.finished_at),
        "requests": {key: getattr(run, f"requests_{key}") for key in ("planned", "done", "failed")},
        "size_bytes": run.size_bytes,
        "sentence": run.headline,
    }
