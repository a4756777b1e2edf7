"""/api/runs/<id>/repeats, /retry and /breaking-point: measure again what a finished run sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from flask import Blueprint, jsonify, request, url_for
from flask.typing import ResponseReturnValue

from common.checks import Expected, whole
from experiment.codec import from_dict
from experiment.measure.plan import check_request_count, parse_plan
from experiment.measure.schedule import planned_requests
from experiment.records import BackendInfo, Plan
from webapp.problems import Refused
from webapp.routes.runs import accepted
from webapp.runs.follow_up import follow_up_of, still_the_same
from webapp.services import services
from webapp.store.store import StoredRun
from webapp.worker.pipe import FollowUpKind

MOST_REPEATS = 1000  # of one cell, follow-ups included; the limit of a plan
MOST_FOLLOW_UPS = 100  # of one run, whose reports read all of them

routes = Blueprint("follow_ups", __name__, url_prefix="/api/runs")


@routes.post("/<run_id>/repeats")
def add_repeats(run_id: str) -> ResponseReturnValue:
    """Add repeats to every cell: {"repeats": 44}. 202 with where to follow it."""
    run, report = _finished(run_id)
    had = report["plan"]["repeats"]
    try:
        repeats = whole(1, MOST_REPEATS - had)(_body().get("repeats"))
    except Expected as expected:
        raise Refused("bad_query", f"repeats must be {expected}: the run has {had} already.", 422) from None
    plan = from_dict(Plan, run.plan)
    # Another seed, so that the added blocks get other orders than the first ones.
    plan = replace(plan, repeats=repeats, seed=plan.seed + 1 + len(report["additions"]))
    infos = _that_answered(report, run.backends)
    planned = planned_requests(plan, len(report["variants"]), infos)
    check_request_count(planned, services().settings.max_requests)
    return _begun(run, report, report["variants"], plan, infos, "repeats")


@routes.post("/<run_id>/retry")
def retry(run_id: str) -> ResponseReturnValue:
    """Measure the cells of one backend again in which requests failed or were not sent.

    {"backend_name": "8 CPU", "timeout_s": 120}; without `timeout_s` the time limit stays.
    """
    run, report = _finished(run_id, needs_answers=False)
    body = _body()
    rule = "backend_name must be one of this run's backends"
    (backend,) = _named(run, [body.get("backend_name")], rule)
    cells = [cell for cell in report["cells"] if cell["backend_name"] == backend["name"]]
    failed = {cell["variant_id"] for cell in cells if cell["failures"] or cell.get("not_sent")}
    if not failed:
        raise Refused("bad_query", f"No request to {backend['name']} failed in this run.", 422)
    before = from_dict(Plan, run.plan)
    timeout_s = parse_plan({"timeout_s": body.get("timeout_s") or before.timeout_s}).timeout_s
    plan = replace(before, timeout_s=timeout_s, repeats=report["plan"]["repeats"])
    infos = still_the_same([backend], services().registry.backends())
    variants = [variant for variant in report["variants"] if variant["id"] in failed]
    return _begun(run, report, variants, plan, infos, "retry")


@routes.post("/<run_id>/breaking-point")
def find_breaking_point(run_id: str) -> ResponseReturnValue:
    """Search for the smallest copy that keeps the answer: {"backend_names": ["8 CPU"]}, or all of them."""
    run, report = _finished(run_id)
    names = _body().get("backend_names")
    rule = "backend_names must be a list of this run's backends"
    infos = _that_answered(report, run.backends if names is None else _named(run, names, rule))
    reference = report["variants"][:1]  # it always comes first
    return _begun(run, report, reference, from_dict(Plan, run.plan), infos, "search")


@routes.get("/<run_id>/follow-ups")
def follow_ups(run_id: str) -> ResponseReturnValue:
    """The run's follow-ups, oldest first."""
    run = services().store.run(run_id)
    rows = [
        {
            "id": follow_up.id,
            "kind": kind,
            "state": follow_up.state,
            "planned": follow_up.requests_planned,
            "events_url": url_for("runs.events", run_id=follow_up.id),
        }
        for kind, follow_up in services().store.follow_ups.of(run.id)
    ]
    return jsonify({"follow_ups": rows})


def _finished(run_id: str, *, needs_answers: bool = True) -> tuple[StoredRun, Mapping[str, Any]]:
    """The run and its report. Raises Refused if the run can't have a follow-up now."""
    app = services()
    run = app.store.run(run_id)
    if run.is_live:
        raise Refused("run_is_live", "This run is still in progress. Wait until it ends, or stop it.", 409)
    before = app.store.follow_ups.of(run.id)
    if any(follow_up.is_live for _, follow_up in before):
        why = "A follow-up of this run is in progress. Wait until it ends, or stop it."
        raise Refused("run_is_live", why, 409)
    if len(before) >= MOST_FOLLOW_UPS:
        why = f"It has {len(before)} follow-ups, the most for one run. Start a new run."
        raise Refused("too_many_follow_ups", why, 409)
    report = app.reports.report(run.id)
    if report.get("imported"):
        raise Refused("not_imported", "An imported run has no images, so nothing can be sent again.", 422)
    if report["photo_set"]:
        raise Refused("of_many_photos", "Photos of a set are not kept, so nothing can be sent again.", 422)
    if needs_answers and not any(cell["count"] for cell in report["cells"]):
        raise Refused("nothing_measured", "None of its requests was answered. Start a new run.", 422)
    return run, report


def _that_answered(report: Mapping[str, Any], before: Iterable[Mapping[str, Any]]) -> list[BackendInfo]:
    """Those of some backends of the run that answered in it, as they are now."""
    answered = {cell["backend_name"] for cell in report["cells"] if cell["count"]}
    backends = [backend for backend in before if backend["name"] in answered]
    return still_the_same(backends, services().registry.backends())


def _named(run: StoredRun, names: Any, rule: str) -> list[Mapping[str, Any]]:
    """The backends of the run with these names. Raises Refused with the `rule` for any other value."""
    known = {backend["name"]: backend for backend in run.backends}
    is_list = isinstance(names, list) and names and all(isinstance(name, str) for name in names)
    if not is_list or not set(names) <= set(known):
        raise Refused("bad_query", f"{rule}: {', '.join(known)}.", 422)
    return [known[name] for name in dict.fromkeys(names)]


def _body() -> Mapping[str, Any]:
    """The JSON object in the request's body; {} if it is empty."""
    found = request.get_json(silent=True, force=True) if request.get_data() else {}
    if not isinstance(found, dict):
        raise Refused("bad_query", 'Send a JSON object, like {"repeats": 44}.', 422)
    return found


def _begun(
    run: StoredRun,
    report: Mapping[str, Any],
    variants: Iterable[Mapping[str, Any]],
    plan: Plan,
    infos: list[BackendInfo],
    what: FollowUpKind,
) -> ResponseReturnValue:
    app = services()
    live = app.runs.submit(follow_up_of(run, report, variants, what, app.store), plan, infos)
    return accepted(live, run.id, kind=what, run_id=run.id, planned=live.log.progress.planned)
