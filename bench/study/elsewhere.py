"""Times that were taken on another machine: reports of `python -m experiment`, kept in a folder.

A file is named as the study names its own, MODEL-time-PHOTO.json. What ran there is read from it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.study.cells import GPU, Found
from bench.study.models import TITLES, Missing
from bench.study.runs import MADE, PHOTO, TIME, Run

NAMED = re.compile(rf"({'|'.join(TITLES)})-{TIME}-({MADE}|{PHOTO})")


def elsewhere(folder: Path) -> list[Found]:
    """Every report in the folder, by name. Raises Missing where there is none, or one with another name."""
    found = [_found(file) for file in sorted(folder.glob("*.json"))]
    if not found:
        raise Missing(f"There is no MODEL-{TIME}-PHOTO.json in it.")
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
    libraries = {str(each["runtime"]).partition(" ")[0] for each in report["backends"] if each["runtime"]}
    gpu = next((each["device_name"] for each in report["backends"] if each["name"] == GPU), None)
    return ", ".join([*sorted(libraries), gpu or report["environment"]["cpu_model"]])
