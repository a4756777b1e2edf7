"""/api/runs/<id>/repeats, /retry, /breaking-point and /load: measure again what a finished run sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from flask import Blueprint, jsonify, request, url_for
from flask.typing import ResponseReturnValue

from common.checks import Expected, list_of, number, one_of, whole
from experiment.codec import from_dict
from experiment.figures.view import view_of
from experiment.labels import same_thing
from experiment.measure.plan import check_request_count, parse_plan
from experiment.measure.schedule import planned_requests
from experiment.records import SEED_LIMIT, BackendInfo, Plan
from experiment.under_load.defaults import (
    LEAST_BUDGET_S,
    LEAST_LIMIT_MS,
    MOST_BUDGET_S,
    MOST_CURVES,
    MOST_LIMIT_MS,
    default_load,
)
from experiment.wording import NO_LOAD_ON_QUEUES
from httpserver.problems import Refused
from webapp.routes.runs import accepted, json_sent
from webapp.runs.follow_up import follow_up_of, still_the_same
from webapp.services import services
from webapp.store.sample import SAMPLE_ID
from webapp.store.store import StoredRun
from webapp.worker.pipe import FollowUpKind, LoadCell, LoadOrder

MOST_REPEATS = 1000  # of one cell, follow-ups included; the limit of a plan
MOST_FOLLOW_UPS = 100  # of one run, whose reports read all of them

LARGEST_PART = 0.9  # of the longest run, that budgets may fill: trials end a little later

routes = Blueprint("follow_ups", __name__, url_prefix="/api/runs")


@routes.post("/<run_id>/repeats")
def add_repeats(run_id: str) -> ResponseReturnValue:
    """Add repeats to every cell: {"repeats": 44}. 202 with where to follow it."""
    run, report = _finished(run_id)
    had = report["plan"]["repeats"]
    try:
        repeats = whole(1, MOST_REPEATS - had)(_body("repeats").get("repeats"))
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
    body = _body("backend_name", "timeout_s")
    rule = "backend_name must be one of this run's backends"
    (backend,) = _named(run, [body.get("backend_name")], rule)
    cells = [cell for cell in report["cells"] if cell["backend_name"] == backend["name"]]
    failed = {cell["variant_id"] for cell in cells if cell["failures"] or cell.get("not_sent")}
    if not failed:
        raise Refused("bad_query", f"No request to {backend['name']} failed in this run.", 422)
    before = from_dict(Plan, run.plan)
    timeout_s = parse_plan({"timeout_s": body.get("timeout_s") or before.timeout_s}).timeout_s
    plan = replace(before, timeout_s=timeout_s, repeats=report["plan"]["repeats"])
    infos = _as_now([backend])
    variants = [variant for variant in report["variants"] if variant["id"] in failed]
    return _begun(run, report, variants, plan, infos, "retry")


@routes.post("/<run_id>/breaking-point")
def find_breaking_point(run_id: str) -> ResponseReturnValue:
    """Search for the smallest copy that keeps the answer: {"backend_names": ["8 CPU"]}, or all of them."""
    run, report = _finished(run_id)
    names = _body("backend_names").get("backend_names")
    rule = "backend_names must be a list of this run's backends"
    infos = _that_answered(report, run.backends if names is None else _named(run, names, rule))
    reference = report["variants"][:1]  # it always comes first
    return _begun(run, report, reference, from_dict(Plan, run.plan), infos, "search")


@routes.post("/<run_id>/load")
def put_under_load(run_id: str) -> ResponseReturnValue:
    """Find the capacity of some cells, one after the other; what is left out has a default.

    {"variant_ids": ["512-jpeg-85"], "backend_names": ["8 CPU"], "p99_ms": 100, "budget_s": 25, "seed": 7}
    """
    run, report = _finished(run_id)
    default = default_load(view_of(report))
    if default is None:  # something was answered, so it was by queues
        raise Refused("bad_query", f"Only queues answered, and {NO_LOAD_ON_QUEUES}", 422)
    body = _body("variant_ids", "backend_names", "p99_ms", "budget_s", "seed")
    known = {variant["id"]: variant for variant in report["variants"]}
    ids = _listed(body, "variant_ids", default.variant_ids, known, "variants")
    names = _listed(
        body, "backend_names", default.backend_names, [info["name"] for info in run.backends], "backends"
    )
    for info in _named(run, list(names), "backend_names"):
        if info["protocol"] == "queue":
            raise Refused("bad_query", f"{info['name']} can't be put under load: {NO_LOAD_ON_QUEUES}", 422)
    limit_ms = _number(body, "p99_ms", default.limit_ms, number(LEAST_LIMIT_MS, MOST_LIMIT_MS))
    budget_s = _number(body, "budget_s", default.budget_s, number(LEAST_BUDGET_S, MOST_BUDGET_S))
    seed = _number(body, "seed", from_dict(Plan, run.plan).seed, whole(0, SEED_LIMIT - 1))
    cells = _load_cells(report, ids, names)
    _check_length(len(cells), budget_s)
    infos = _that_answered(report, _named(run, list(names), "backend_names"))
    order = LoadOrder(tuple(cells), limit_ms, budget_s, int(seed))
    sent = [known[id_] for id_ in dict.fromkeys(cell.variant_id for cell in cells)]
    return _begun(run, report, sent, from_dict(Plan, run.plan), infos, "load", order)


def _listed(
    body: Mapping[str, Any], key: str, default: Sequence[str], known: Iterable[str], what: str
) -> Sequence[str]:
    """The names of a list in the body. Raises Refused for others than the run's."""
    try:
        return default if body.get(key) is None else list_of(one_of(known), what, MOST_CURVES)(body[key])
    except Expected as expected:
        raise Refused("bad_query", f"{key} must be {expected}.", 422) from None


def _number(body: Mapping[str, Any], key: str, default: float, check: Callable[[Any], float]) -> float:
    """A number in the body. Raises Refused for one that can't be used."""
    try:
        return default if body.get(key) is None else check(body[key])
    except Expected as expected:
        raise Refused("bad_query", f"{key} must be {expected}.", 422) from None


def _load_cells(report: Mapping[str, Any], ids: Sequence[str], names: Sequence[str]) -> list[LoadCell]:
    """The cells of these variants and backends that were answered. Raises Refused if there is none."""
    cells = {(cell["variant_id"], cell["backend_name"]): cell for cell in report["cells"] if cell["count"]}
    chosen = [cells[id_, name] for name in names for id_ in ids if (id_, name) in cells]
    if not chosen:
        raise Refused("nothing_measured", "No request of these variants to these backends was answered.", 422)
    if len(chosen) > MOST_CURVES:
        pairs = f"These are {len(chosen)} pairs of variant and backend"
        raise Refused("bad_query", f"{pairs}; at most {MOST_CURVES} are put under load at once.", 422)
    reference_id, true_label = report["variants"][0]["id"], report["source"]["true_label"]
    return [
        LoadCell(
            cell["variant_id"],
            cell["backend_name"],
            _expected(cells.get((reference_id, cell["backend_name"]), cell), cell, true_label),
        )
        for cell in chosen
    ]


def _expected(reference: Mapping[str, Any], cell: Mapping[str, Any], true_label: str | None) -> str | None:
    """The label of right answers, as this model writes it: the true one, else its answer to the reference."""
    top = [each["label"] for each in (*cell["top"], *reference["top"])]
    if true_label is not None:
        return next((label for label in top if same_thing(label, true_label)), true_label)
    return reference["top"][0]["label"] if reference["top"] else None


def _check_length(cells: int, budget_s: float) -> None:
    """Raises Refused for what could not end before the limit of a run."""
    longest_s = services().settings.max_run_s
    if cells * budget_s > LARGEST_PART * longest_s:
        why = f"{cells} × {budget_s:g} s is too long: a run may take {longest_s:g} s (PIXELCOST_MAX_RUN)."
        raise Refused("bad_query", f"{why} Choose fewer variants or backends, or a smaller budget_s.", 422)


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
    if run.id == SAMPLE_ID:
        why = "The sample run was measured elsewhere. Start a run of the sample photo to measure further."
        raise Refused("sample_run", why, 422)
    if report.get("imported"):
        raise Refused(
            "not_imported", "An imported run has only small pictures, so nothing can be sent again.", 422
        )
    if report["photo_set"]:
        raise Refused("of_many_photos", "Photos of a set are not kept, so nothing can be sent again.", 422)
    if needs_answers and not any(cell["count"] for cell in report["cells"]):
        raise Refused("nothing_measured", "None of its requests was answered. Start a new run.", 422)
    return run, report


def _that_answered(report: Mapping[str, Any], before: Iterable[Mapping[str, Any]]) -> list[BackendInfo]:
    """Those of some backends of the run that answered in it, as they are now."""
    answered = {cell["backend_name"] for cell in report["cells"] if cell["count"]}
    backends = [backend for backend in before if backend["name"] in answered]
    return _as_now(backends)


def _as_now(backends: Sequence[Mapping[str, Any]]) -> list[BackendInfo]:
    """Backends of the run as they are now. Raises Refused where one has changed, or may not be asked."""
    app = services()
    now = app.added.beside(app.registry.backends(), backends, request.remote_addr or "")
    return still_the_same(backends, now)


def _named(run: StoredRun, names: Any, rule: str) -> list[Mapping[str, Any]]:
    """The backends of the run with these names. Raises Refused with the `rule` for any other value."""
    known = {backend["name"]: backend for backend in run.backends}
    is_list = isinstance(names, list) and names and all(isinstance(name, str) for name in names)
    if not is_list or not set(names) <= set(known):
        raise Refused("bad_query", f"{rule}: {', '.join(known)}.", 422)
    return [known[name] for name in dict.fromkeys(names)]


def _body(*keys: str) -> Mapping[str, Any]:
    """The JSON object in the body; {} if it is empty. Raises Refused for other keys than `keys`."""
    found = json_sent() if request.get_data() else {}
    if not isinstance(found, dict):
        raise Refused("bad_query", 'Send a JSON object, like {"repeats": 44}.', 422)
    if unknown := sorted(found.keys() - set(keys)):
        raise Refused("bad_query", f"Unknown: {', '.join(unknown)}. Known: {', '.join(keys)}.", 422)
    return found


def _begun(
    run: StoredRun,
    report: Mapping[str, Any],
    variants: Iterable[Mapping[str, Any]],
    plan: Plan,
    infos: list[BackendInfo],
    what: FollowUpKind,
    load: LoadOrder | None = None,
) -> ResponseReturnValue:
    app = services()
    live = app.runs.submit(follow_up_of(run, report, variants, what, app.store, load), plan, infos)
    return accepted(live, run.id, kind=what, run_id=run.id, planned=live.log.progress.planned)
