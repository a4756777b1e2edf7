"""The reports of the study: of runs of `python -m experiment` as a user calls it, each report kept.

Reports of times that were measured on another machine are read from a folder. A file there is named as the
study names its own, MODEL-time-PHOTO.json; what ran there is read from it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.study.cells import GPU, Found
from bench.study.models import TITLES, Missing, Model
from bench.study.runs import LABELLED, MADE, PHOTO, TIME, Run
from bench.support.servables import ROOT
from experiment.errors import PixelcostError

CORES = len(os.sched_getaffinity(0))
NOT_OURS = ("TF_SERVERS", "MODEL", "MODEL_NAME", "PIXELCOST_EMBEDDED", "PIXELCOST_WEIGHTS_URL")
NAMED = re.compile(rf"({'|'.join(TITLES)})-{TIME}-({MADE}|{PHOTO})")
REPORTED = {0, 1}  # 1: some requests failed, or nothing can be recommended


class Stopped(Exception):
    """A run ended without a report. The same command goes on from there."""


@dataclass(frozen=True, slots=True)
class Photos:
    """Where the photos are; None: none of that kind."""

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


def run_once(run: Run, model: Model, photos: Photos, out: Path) -> Mapping[str, Any]:
    """The run's report; measured only if it is not there yet.

    Raises Stopped, and PixelcostError if no request was answered.
    """
    path = report_of(run, out)
    if not path.exists():
        done = subprocess.run(
            _command(run, photos, out), check=False, cwd=ROOT, env=environ_of(run, model, out)
        )
        part = path.with_suffix(".part")
        if done.returncode not in REPORTED or json.loads(part.read_text("utf-8"))["state"] != "done":
            raise Stopped(f"{run.id} did not finish (exit code {done.returncode}).")
        part.replace(path)
    report = dict(json.loads(path.read_text("utf-8")))
    if not any(cell["count"] for cell in report["cells"]):
        raise PixelcostError(_without_answers(run, report, path))
    return report


def _without_answers(run: Run, report: Mapping[str, Any], path: Path) -> str:
    """With the first reason that the report gives."""
    skipped = (report.get("photo_set") or {}).get("skipped") or []
    failed = [reason for cell in report["cells"] for reason in cell["failure_reasons"]]
    reasons = [reason["message"] for reason in (*skipped, *failed)]
    why = f": {reasons[0]}" if reasons else "."
    return f"{run.id} got no answers{why} Remove {path} to ask again, or name another --out."


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
    # One backend is enough where only the answers count.
    answering = f"{CORES} CPU:cpus={CORES},runtime={model.runtime}"
    return environ | ({"PIXELCOST_EMBEDDED": answering} if run.is_of_set else {})


def elsewhere(folder: Path) -> list[Found]:
    """Every report in the folder, by name. Raises Missing where there is none, or one with another name."""
    found = [_found(file) for file in sorted(folder.glob("*.json"))]
    if not found:
        raise Missing(f"It holds no MODEL-{TIME}-PHOTO.json.")
    return found


def _found(file: Path) -> Found:
    named = NAMED.fullmatch(file.stem)
    if not named:
        models, photos = ", ".join(TITLES), f"{MADE} or {PHOTO}"
        raise Missing(f"{file.name} is not named MODEL-{TIME}-PHOTO.json, with {models}; {photos}.")
    model, photo = named.groups()
    report = json.loads(file.read_text("utf-8"))
    return Found(Run(model, TIME, photo, ()), TITLES[model], report, machine=_machine(report))


def _machine(report: Mapping[str, Any]) -> str:
    """What it computed with: the library, and the GPU's name or else the processor's."""
    libraries = {
        str(backend["runtime"]).partition(" ")[0] for backend in report["backends"] if backend["runtime"]
    }
    gpu = next((backend["device_name"] for backend in report["backends"] if backend["name"] == GPU), None)
    return ", ".join([*sorted(libraries), gpu or report["environment"]["cpu_model"]])
