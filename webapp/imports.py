"""POST /api/runs/import: an exported report becomes a run again, entirely from its file."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, cast

from flask import Blueprint, jsonify, request, url_for
from flask.typing import ResponseReturnValue

from experiment.export import timestamp
from experiment.report_file import read_report
from webapp.parts import parts
from webapp.photo_upload import SpooledRequest
from webapp.problems import Refused
from webapp.reports import with_answer
from webapp.store import Event

IMPORTED: Final = "imported"  # the state of its row, and the key of its report
_ENDED_AS: Final = {"queued": "cancelled", "running": "cancelled"}  # nobody measures it any more
_MOST_COUNT = 2**31 - 1  # what the databases hold

routes = Blueprint("imports", __name__, url_prefix="/api/runs")


@routes.post("/import")
def import_report() -> ResponseReturnValue:
    """Take the JSON of a run in the field `file`; 201 with where it is shown."""
    app = parts()
    with app.uploads.document(cast(SpooledRequest, request)) as (name, data):
        report = read_report(data, name)
    run_id = secrets.token_hex(8)
    made = as_imported(report, run_id, name, time.time())
    app.store.add_ended(_row(made, name), Event(1, "report", json.dumps(made, allow_nan=False)))
    app.store.evict()
    report_url = url_for("downloads.report", run_id=run_id)
    answer = {"id": run_id, "url": url_for("views.run_page", run_id=run_id), "report_url": report_url}
    return jsonify(answer), 201, {"Location": report_url}


def as_imported(report: Mapping[str, Any], run_id: str, name: str, now: float) -> dict[str, Any]:
    """The report under an id of this server's; nothing else changes, but a state that can't go on."""
    before = report.get(IMPORTED) or {}
    came = {"name": name, "run_id": before.get("run_id") or report["run_id"], "imported_at": timestamp(now)}
    state = _ENDED_AS.get(report["state"], report["state"])
    return {**report, "run_id": run_id, "state": state, IMPORTED: came}


def refuse_if_imported(report: Mapping[str, Any]) -> None:
    """Raise Refused for what only the server that measured it has."""
    if report.get(IMPORTED):
        raise Refused(
            "not_imported",
            "This run was imported from its JSON, which holds no images and no answers of single photos. "
            "They are on the server that measured it.",
            404,
        )


def _row(made: Mapping[str, Any], name: str) -> dict[str, Any]:
    requests = {
        f"requests_{key}": min(made["requests"][key], _MOST_COUNT) for key in ("planned", "done", "failed")
    }
    return {
        "id": made["run_id"],
        "state": IMPORTED,
        "name": made["source"]["name"] or name,
        "created_at": measured_at(made),
        "finished_at": time.time(),
        "plan": json.dumps(made["plan"]),
        "backends": json.dumps(made["backends"]),
        "environment": json.dumps(made["environment"]),
        "failure": None,
        "headline": with_answer(made["recommendation"]["sentence"], made),
        **requests,
    }


def measured_at(report: Mapping[str, Any]) -> float:
    """Seconds since the epoch; a day that no calendar has counts as none."""
    try:
        return datetime.strptime(report["created_at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0
