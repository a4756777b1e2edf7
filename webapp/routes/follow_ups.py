"""/api/runs/<id>/repeats, /retry and /breaking-point: measure further what a finished run sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from flask import Blueprint, jsonify, request, url_for
from flask.typing import ResponseReturnValue

from experiment.codec import from_dict
from experiment.measure.plan import check_request_count, parse_plan
from experiment.measure.schedule import planned_requests
from experiment.records import BackendInfo, Plan
from webapp.problems import Refused
from webapp.runs.follow_up import follow_up_of, still_the_same
from webapp.services import services
from webapp.store.store import StoredRun
from webapp.worker.pipe import FollowUpKind

MOST_REPEATS = 1000  # of one cell, all sessions together; the plan's own limit
MOST_FOLLOW_UPS = 100  # of one run; each is read anew for every report of it

routes = Blueprint("follow_ups", __name__, url_prefix="/api/runs")


@routes.post("/<run_id>/repeats")
def add_repeats(run_id: str) -> ResponseReturnValue:
    """Measure every cell so many times more: {"repeats": 44}. 202 with where to look."""
    run, report = _finished(run_id)
    repeats = _repeats(report)
    plan = from_dict(Plan, run.plan)
    # Another seed, or the added blocks would come in the order of the first ones again.
    plan = replace(plan, repeats=repeats, seed=plan.seed + 1 + len(report["additions"]))
    infos = _servers(report, run.backends)
    check_request_count(
        planned_requests(plan, len(report["variants"]), infos), services().settings.max_requests
    )
    return _begun(run, report, _variant_ids(report), plan, infos, "repeats")


@routes.post("/<run_id>/retry")
def retry(run_id: str) -> ResponseReturnValue:
    """Measure the cells of one backend again in which requests failed or were not sent.

    {"backend_name": "8 CPU", "timeout_s": 120}; without `timeout_s` the time limit stays.
    """
    run, report = _finished(run_id, needs_answers=False)
    body = _body()
    named = _named(run, {"backend_names": [body.get("backend_name")]})
    cells = [cell for cell in report["cells"] if cell["backend_name"] == named[0]["name"]]
    failed = {cell["variant_id"] for cell in cells if cell["failures"] or cell.get("not_sent")}
    if not failed:
        raise Refused("bad_query", f"No request to {named[0]['name']} failed in this run.", 422)
    before = from_dict(Plan, run.plan)
    timeout_s = parse_plan({"timeout_s": body.get("timeout_s") or before.timeout_s}).timeout_s
    plan = replace(before, timeout_s=timeout_s, repeats=report["plan"]["repeats"])
    infos = still_the_same(named, services().registry.backends())
    return _begun(run, report, failed, plan, infos, "retry")


@routes.post("/<run_id>/breaking-point")
def find_breaking_point(run_id: str) -> ResponseReturnValue:
    """Search for the smallest copy that keeps the answer: {"backend_names": ["8 CPU"]}, or all of them."""
    run, report = _finished(run_id)
    infos = _servers(report, _named(run, _body()))
    return _begun(run, report, _variant_ids(report)[:1], from_dict(Plan, run.plan), infos, "search")


@routes.get("/<run_id>/follow-ups")
def follow_ups(run_id: str) -> ResponseReturnValue:
    """What was measured after the run had ended, or is being measured, oldest first."""
    run = services().store.run(run_id)
    rows = [_row(kind, follow_up) for kind, follow_up in services().store.follow_ups.of(run.id)]
    return jsonify({"follow_ups": rows})


def _variant_ids(report: Mapping[str, Any]) -> list[str]:
    """The reference's first."""
    return [variant["id"] for variant in report["variants"]]


def _finished(run_id: str, *, needs_answers: bool = True) -> tuple[StoredRun, Mapping[str, Any]]:
    """The run and its report, if there is anything to measure further."""
    app = services()
    run = app.store.run(run_id)
    if run.is_live:
        raise Refused("run_is_live", "This run is still in progress. Wait until it ends, or stop it.", 409)
    before = app.store.follow_ups.of(run.id)
    if any(follow_up.is_live for _, follow_up in before):
        raise Refused(
            "run_is_live", "A follow-up of this run is in progress. Wait until it ends, or stop it.", 409
        )
    if len(before) >= MOST_FOLLOW_UPS:
        raise Refused(
            "too_many_follow_ups",
            f"It has {len(before)} follow-ups, the most for one run. Start a new run.",
            409,
        )
    report = app.reports.report(run.id)
    if report.get("imported"):
        raise Refused("not_imported", "An imported run has no images, so nothing can be sent again.", 422)
    if report["photo_set"]:
        raise Refused("of_many_photos", "Photos of a set are not kept, so nothing can be sent again.", 422)
    if needs_answers and not any(cell["count"] for cell in report["cells"]):
        raise Refused("nothing_measured", "None of its requests was answered. Start a new run.", 422)
    return run, report


def _servers(report: Mapping[str, Any], before: Any) -> list[BackendInfo]:
    """Those of the run that answered, as they are now."""
    answered = {cell["backend_name"] for cell in report["cells"] if cell["count"]}
    backends = [backend for backend in before if backend["name"] in answered]
    return still_the_same(backends, services().registry.backends())


def _named(run: StoredRun, body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    names = body.get("backend_names")
    if names is None:
        return list(run.backends)
    known = {backend["name"]: backend for backend in run.backends}
    is_list = isinstance(names, list) and names and all(isinstance(name, str) for name in names)
    if not is_list or not set(names) <= set(known):
        raise Refused("bad_query", f"backend_names must be a list of this run's: {', '.join(known)}.", 422)
    return [known[name] for name in dict.fromkeys(names)]


def _repeats(report: Mapping[str, Any]) -> int:
    repeats, had = _body().get("repeats"), report["plan"]["repeats"]
    most = MOST_REPEATS - had
    if not isinstance(repeats, int) or isinstance(repeats, bool) or not 1 <= repeats <= most:
        raise Refused(
            "bad_query", f"repeats must be a whole number from 1 to {most}: the run has {had} already.", 422
        )
    return repeats


def _body() -> Mapping[str, Any]:
    """The JSON object sent; nothing is the empty one."""
    found = request.get_json(silent=True, force=True) if request.get_data() else {}
    if not isinstance(found, dict):
        raise Refused("bad_query", 'Send a JSON object, like {"repeats": 44}.', 422)
    return found


def _begun(
    run: StoredRun,
    report: Mapping[str, Any],
    variant_ids: Iterable[str],
    plan: Plan,
    infos: list[BackendInfo],
    what: FollowUpKind,
) -> ResponseReturnValue:
    app = services()
    live = app.runs.submit(follow_up_of(run, report, variant_ids, what, app.store), plan, infos)
    position = app.runs.queue.position(live)
    report_url = url_for("downloads.report", run_id=run.id)
    answer = {
        "id": live.id,
        "kind": what,
        "run_id": run.id,
        "events_url": url_for("api.events", run_id=live.id),
        "report_url": report_url,
        "state": "queued" if position else "running",
        "position": position,
        "planned": live.log.progress.planned,
    }
    return jsonify(answer), 202, {"Location": report_url}


def _row(kind: str, run: StoredRun) -> dict[str, Any]:
    return {
        "id": run.id,
        "kind": kind,
        "state": run.state,
        "planned": run.requests_planned,
        "events_url": url_for("api.events", run_id=run.id),
    }
