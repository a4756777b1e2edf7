"""/api/runs/<id>/deciding and /compare: cost, uplink, sensitivity and comparison, from stored reports."""

from __future__ import annotations

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from experiment.decide.other_goals import with_goals
from experiment.decide.prices import read_prices
from experiment.decide.sections import comparison, deciding
from httpserver.problems import Refused
from webapp.routes.downloads import goals_asked, theme_asked
from webapp.services import services

routes = Blueprint("decide", __name__, url_prefix="/api/runs")


@routes.get("/<run_id>/deciding")
def run_deciding(run_id: str) -> ResponseReturnValue:
    """Load, cost, uplink, sensitivity: `price=NAME:PRICE` per backend, `uplink=` a key or Mbit/s.

    The goals of goals_in() and `copies=` judge the run as they do for its report.
    """
    report = with_goals(services().reports.under_way(run_id), goals_asked())
    prices = read_prices(request.args.getlist("price"))
    return jsonify(deciding(report, prices, theme_asked()))


@routes.get("/<run_id>/compare")
def run_compared(run_id: str) -> ResponseReturnValue:
    """This run compared with the run `with`; `copies=` says for both where copies are made."""
    other_id = request.args.get("with", "")
    if not other_id:
        raise Refused("bad_query", "Name the run to compare with: ?with=ID. GET /api/runs lists them.")
    theme, reports = theme_asked(), services().reports
    this = with_goals(reports.report(run_id), goals_asked())
    return jsonify(comparison(this, reports.report(other_id), theme))
