"""POST /api/runs/import: an exported report becomes a run again."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any, Final

from flask import Blueprint, jsonify, request, url_for
from flask.typing import ResponseReturnValue

from experiment.export.import_report import ReportRefused
from experiment.export.pictures import pictures_in
from experiment.file_names import plain_name
from experiment.records import Thumb
from httpserver.problems import Refused
from webapp.services import services
from webapp.store.store import Event
from webapp.worker.import_report import IMPORTED
from webapp.worker.process import ROOT

WORKER_COMMAND: Final = (sys.executable, "-m", "webapp.worker.import_report")
TIMEOUT_S: Final = 180.0  # the process has a low priority
WAIT_S: Final = 30.0  # for another report that is being read
_PASSED_ON: Final = (
    "PATH",
    "PYTHONPATH",
    "LANG",
    "LC_ALL",
    "TZ",
)  # of our environment: no secrets

_reading = threading.Lock()
routes = Blueprint("imports", __name__, url_prefix="/api/runs")


@routes.post("/import")
def import_report() -> ResponseReturnValue:
    """Take the JSON of a run in the field `file`; 201 with its new addresses."""
    app = services()
    run_id = secrets.token_hex(8)
    with app.uploads.document(request) as (name, data):
        row, thumbs, report = _read(data, name, run_id)
    app.store.add_ended(row, Event(1, "report", report), thumbs)
    app.store.evict()
    report_url = url_for("downloads.report", run_id=run_id)
    answer = {"id": run_id, "url": url_for("pages.run_page", run_id=run_id), "report_url": report_url}
    return jsonify(answer), 201, {"Location": report_url}


def _read(data: bytes, name: str, run_id: str) -> tuple[dict[str, Any], dict[str, Thumb], str]:
    """Row, pictures and report to store, checked in a process of its own. Raises ReportRefused."""
    if not _reading.acquire(timeout=WAIT_S):
        raise Refused("too_many_uploads", "Another report is being read. Try again in a few seconds.", 429, 5)
    try:
        done = subprocess.run(
            WORKER_COMMAND,
            input=json.dumps({"name": name, "run_id": run_id}).encode() + b"\n" + data,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={key: os.environ[key] for key in _PASSED_ON if key in os.environ},
            timeout=TIMEOUT_S,
            start_new_session=True,  # a Ctrl-C in the terminal is for the web process alone
            check=True,
        )
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
        why = "can't be read: it takes more time or memory than any report"
        how = 'Choose a file that was saved with the button "JSON" below a run.'
        raise ReportRefused(f"{plain_name(name)} {why}. {how}") from None
    finally:
        _reading.release()
    head, _, report = done.stdout.partition(b"\n")
    answer = json.loads(head)
    if "refused" in answer:
        raise ReportRefused(answer["refused"])
    return answer["row"], pictures_in(answer["thumbs"]), report.decode()


def refuse_if_imported(report: Mapping[str, Any]) -> None:
    """Raise Refused, for files that only the server that measured the run has."""
    if report.get(IMPORTED):
        why = "The run was imported from its JSON, which has only small pictures, and no answers to photos."
        raise Refused("not_imported", f"{why} The server that measured it may still have them.", 404)
