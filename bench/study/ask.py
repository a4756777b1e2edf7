"""One run of the study: `python -m experiment` as a user calls it, with its report kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.study.models import Model
from bench.study.runs import LABELLED, MADE, PHOTO, Run
from bench.support.servables import ROOT
from experiment.errors import PixelcostError

CORES = len(os.sched_getaffinity(0))
NOT_OURS = ("TF_SERVERS", "MODEL", "MODEL_NAME", "PIXELCOST_EMBEDDED", "PIXELCOST_WEIGHTS_URL")
REPORTED = {0, 1}  # 1: some requests failed, or nothing can be recommended


class Stopped(Exception):
    """A run ended without a report. The same command goes on from there."""


@dataclass(frozen=True, slots=True)
class Photos:
    """Where the photos are; None: there are none of that kind."""

    labelled: Path
    made: Path
    photo: Path | None
    label_map: Path

    @property
    def kinds(self) -> tuple[str, ...]:
        """Those that there are."""
        return tuple(kind for kind in (LABELLED, MADE, PHOTO) if getattr(self, kind))


def report_of(run: Run, out: Path) -> Path:
    """Where its report is kept."""
    return out / f"{run.id}.json"


def journal_of(run: Run, out: Path) -> Path:
    """Where a run over many photos keeps what was measured."""
    return out / f"{run.id}.jsonl"


def asked(run: Run, model: Model, photos: Photos, out: Path) -> Mapping[str, Any]:
    """The run's report; measured only if it is not there yet.

    Raises Stopped, and PixelcostError where it holds no answer: nothing can be said of it then.
    """
    path = report_of(run, out)
    if not path.exists():
        done = subprocess.run(
            _command(run, photos, out), check=False, cwd=ROOT, env=environ_of(run, model, out)
        )
        part = path.with_suffix(".part")
        if done.returncode not in REPORTED or json.loads(part.read_text("utf-8"))["state"] != "done":
            raise Stopped(f"{run.id} did not come to its end (exit code {done.returncode}).")
        part.replace(path)
    report = dict(json.loads(path.read_text("utf-8")))
    if not any(cell["count"] for cell in report["cells"]):
        raise PixelcostError(_without_answers(run, report, path))
    return report


def _without_answers(run: Run, report: Mapping[str, Any], path: Path) -> str:
    """With the first reason that the report gives."""
    skipped = (report.get("photo_set") or {}).get("skipped") or []
    failed = [reason for cell in report["cells"] for reason in cell["failure_reasons"]]
    reasons = [each["message"] for each in (*skipped, *failed)]
    why = f": {reasons[0]}" if reasons else "."
    return f"{run.id} got no answer at all{why} Remove {path} to ask again, or name another --out."


def _command(run: Run, photos: Photos, out: Path) -> list[str]:
    """The report goes to a .part first: an interrupted run has one too."""
    subject = str(getattr(photos, run.photos))
    command = [sys.executable, "-m", "experiment", "--seed", "0", "--json", str(out / f"{run.id}.part")]
    if not run.is_of_set:
        return [*command, subject, *run.arguments]
    kept = ("--journal", journal_of(run, out), "--answers", out / f"{run.id}.csv")
    named = ("--photos", subject, "--label-map", photos.label_map)
    return [*command, *map(str, named), *map(str, kept), *run.arguments]


def environ_of(run: Run, model: Model, out: Path) -> dict[str, str]:
    """What the run gets of this process's environment, and what the study adds.

    Times are taken on the post's three backends, which are those that start by themselves.
    """
    environ = {key: value for key, value in os.environ.items() if key not in NOT_OURS}
    # A data folder for each model: who shares one with a running app asks that app's servers.
    data_dir = out / "data" / model.name
    environ |= {"MODEL_BASE_PATH": str(model.base_path), "PIXELCOST_DATA_DIR": str(data_dir)}
    # One backend is enough to tell what a model answers.
    answering = f"{CORES} CPU:cpus={CORES},runtime={model.runtime}"
    return environ | ({"PIXELCOST_EMBEDDED": answering} if run.is_of_set else {})
