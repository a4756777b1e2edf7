"""The sample run, which comes with Pixelcost: an exported report of the sample photo, under the id `sample`.

It is in no database: not in the history, and it can't be deleted. tools/sample_run.py measures it anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from experiment.export.pictures import pictures_of, without_pictures
from experiment.export.report_json import measured_at
from experiment.records import Thumb
from webapp.store.rows import Event, StoredRun

SAMPLE_ID: Final = "sample"
FILE: Final = Path(__file__).resolve().parents[2] / "static" / "samples" / "sample-run.json"


@dataclass(frozen=True, slots=True)
class Sample:
    """The run as the store would hold it, had it been imported."""

    run: StoredRun
    event: Event
    pictures: Mapping[str, Thumb]


@cache
def sample() -> Sample | None:
    """The sample run, read once; None: this installation has none."""
    if not FILE.is_file():
        return None
    found: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
    came = {"name": FILE.name, "run_id": found["run_id"], "imported_at": found["created_at"]}
    report = without_pictures(found) | {"run_id": SAMPLE_ID, "imported": came}
    return Sample(_row(report), Event(1, "report", json.dumps(report)), pictures_of(found))


def sample_pictures(run_id: str) -> Mapping[str, Thumb] | None:
    """The pictures of the sample run; None for every other run."""
    found = sample() if run_id == SAMPLE_ID else None
    return None if found is None else found.pictures


def _row(report: Mapping[str, Any]) -> StoredRun:
    requests = report["requests"]
    return StoredRun(
        number=0,  # before every other
        id=SAMPLE_ID,
        state="imported",
        name=report["source"]["name"],
        created_at=measured_at(report),
        finished_at=measured_at(report),
        requests_planned=requests["planned"],
        requests_done=requests["done"],
        requests_failed=requests["failed"],
        size_bytes=0,  # of the database
        headline=None,
        plan=report["plan"],
        backends=report["backends"],
        environment=report["environment"],
        failure=None,
        last_seq=1,
    )
