"""/api/runs/<id>/again/<kind>: a whole run as a command, "Use via API" of the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from experiment.backends.addresses import REST_SUFFIX
from experiment.codec import from_dict
from experiment.copy_as.whole_run import KINDS, whole_run
from experiment.decide.other_goals import with_goals
from experiment.records import BackendInfo
from httpserver.problems import Refused
from webapp.routes.downloads import goals_asked
from webapp.services import services

routes = Blueprint("again", __name__, url_prefix="/api")


@routes.get("/runs/<run_id>/again/<kind>")
def again(run_id: str, kind: str) -> ResponseReturnValue:
    """The run as text for one of KINDS, with the goals of the query in place of its own."""
    if kind not in KINDS:
        raise Refused("bad_query", f"The kind must be one of {', '.join(KINDS)}, not {kind}.", 404)
    report = with_goals(services().reports.report(run_id), goals_asked())
    needs_token = bool(services().settings.shared_token)
    run = whole_run(report, _backends_now(report), request.url_root, needs_token)
    return Response(KINDS[kind](run), content_type="text/plain; charset=utf-8")


def _backends_now(report: Mapping[str, Any]) -> list[BackendInfo]:
    """Those of the run, of the app's own as they are now; beside one over REST the server itself."""
    rows = {row["name"]: from_dict(BackendInfo, row) for row in report["backends"]}
    here = {info.name: info for info in services().registry.backends()}
    firsts = {first: here[first] for name in rows if (first := name.removesuffix(REST_SUFFIX)) in here}
    now = {name: info if info.added_as else here.get(name, info) for name, info in rows.items()}
    return list((firsts | now).values())
