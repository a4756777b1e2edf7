"""The process that reads one imported report, so that a hostile file can't exhaust the web process.

in:   {"name":…, "run_id":…} in one line, then the file
out:  {"refused":…} in one line; or {"row":…, "thumbs":…}, the row of table `runs` and the pictures, in one
      line, then the report
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Mapping
from typing import Any, Final

from experiment.decide.other_goals import judged
from experiment.errors import ImageRefused
from experiment.export.import_report import ReportRefused, read_report
from experiment.export.pictures import picture_rows, pictures_of, without_pictures
from experiment.export.report_json import measured_at, timestamp
from experiment.file_names import plain_name
from experiment.images.thumbs import SIDE_PX, thumb
from experiment.records import Thumb
from webapp.store.headline import headline_of

IMPORTED: Final = "imported"  # the state of its row, and the key of its report
ADDRESS_SPACE_BYTES: Final = 1024**3  # a legal report of 19 MB, 18,000 cells, needs 0.45 GB
CPU_S: Final = 60  # and 15 s
NICENESS: Final = 10  # a run may be measuring
_ENDED_AS: Final = {"queued": "cancelled", "running": "cancelled"}  # nobody measures it any more
_MOST_COUNT: Final = 2**31 - 1  # what the databases hold


def main() -> None:
    """Serve one file."""
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    job = json.loads(sys.stdin.buffer.readline())
    try:
        row, thumbs, report = imported(sys.stdin.buffer.read(), job["name"], job["run_id"])
    except ReportRefused as refusal:
        _say({"refused": refusal.message})
        return
    _say({"row": row, "thumbs": thumbs})
    sys.stdout.buffer.write(report.encode())


def imported(data: bytes, name: str, run_id: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    """The row of the run that a file becomes, its pictures and its report as JSON. Raises ReportRefused."""
    report = read_report(data, name)
    made = as_imported(without_pictures(report), run_id, name, time.time())
    thumbs = {key: _as_ours(key, picture, name) for key, picture in pictures_of(report).items()}
    return _row(made, name), picture_rows(thumbs), json.dumps(made, allow_nan=False)


def _as_ours(key: str, picture: Thumb, name: str) -> Thumb:
    """A picture of a file, decoded and encoded again: the web process shows only what we have written."""
    try:
        return thumb(picture.data, most_px=SIDE_PX)
    except ImageRefused:
        raise ReportRefused(
            f"{plain_name(name)} is damaged or was changed: its picture {key} can't be decoded, or is larger "
            f"than {SIDE_PX} px. Export it again, or download it again from its source."
        ) from None


def _say(words: Mapping[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(words).encode() + b"\n")


def as_imported(report: Mapping[str, Any], run_id: str, name: str, now: float) -> dict[str, Any]:
    """The report under an id of this server. A live state becomes "cancelled"; little else changes.

    A report from before photo sets gets `photo_set: None`. A report from before 1.7 is judged again, so
    that its recommendation meets the goals that are shown beside it and has the figures that the page shows.
    """
    before = report.get(IMPORTED) or {}
    came = {"name": name, "run_id": before.get("run_id") or report["run_id"], "imported_at": timestamp(now)}
    state = _ENDED_AS.get(report["state"], report["state"])
    made = {"photo_set": None, **report, "run_id": run_id, "state": state}
    return (made if "figures" in report["recommendation"] else judged(made)) | {IMPORTED: came}


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
        "headline": headline_of(made),
        **requests,
    }


if __name__ == "__main__":
    main()
