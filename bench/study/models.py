"""The models of the study, each made once by `python -m models`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.servables import ROOT

NAMES = ("demo", "mobilenet", "inception-v3")
RANDOM = "inception-v3-random"  # right in speed only
TITLES = {  # for people
    "demo": "demo model",
    "mobilenet": "MobileNet v2, 8 bit",
    "inception-v3": "Inception v3",
    RANDOM: "Inception v3, random weights",
}
DOWNLOAD_FAILED = 3  # exit code of `python -m models`, see docs/models.md


@dataclass(frozen=True, slots=True)
class Model:
    """One that is ready to be served."""

    name: str
    title: str
    base_path: Path
    answers: bool = True  # False: random weights, right in speed only
    is_imagenet: bool = True  # knows the labels of the labelled photos, and not only some of them


class Missing(Exception):
    """A model that can't be had, and why. The study goes on without it."""


def prepare(name: str, folder: Path, file: Path | None, labels: Path | None) -> Model:
    """The model, made in `folder` unless it is there. `file` and `labels` are MobileNet's.

    Raises Missing.
    """
    base_path = folder / name
    if name == "demo":
        _models("export", "demo", "--out", str(base_path))
        return Model(name, TITLES[name], base_path, is_imagenet=False)
    if name == "mobilenet":
        _converted(base_path, file, labels)
        return Model(name, TITLES[name], base_path)
    return _inception(base_path)


def card(model: Model) -> Mapping[str, Any]:
    """What is known of it: title, labels, input."""
    found = next(model.base_path.glob("*/assets.extra/pixelcost.json"))
    return dict(json.loads(found.read_text("utf-8")))


def _converted(base_path: Path, file: Path | None, labels: Path | None) -> None:
    if not (base_path / "1").exists():
        if file is None:
            raise Missing("Its file is not in the project: name it with --mobilenet FILE.tflite")
        named = ("--labels", str(labels)) if labels else ()
        _models("convert", str(file), "--out", str(base_path), *named)


def _inception(base_path: Path) -> Model:
    """With the published weights, else with random ones, which take as long."""
    random = base_path.with_name(RANDOM)
    done = _models("export", "inception-v3", "--out", str(base_path), fails_with=DOWNLOAD_FAILED)
    if done:
        return Model("inception-v3", TITLES["inception-v3"], base_path)
    _models("export", "inception-v3", "--out", str(random), "--random", "0")
    return Model("inception-v3", TITLES[RANDOM], random, answers=False)


def _models(*arguments: str, fails_with: int = 0) -> bool:
    """Whether it worked; False for the one exit code that may be."""
    command = [sys.executable, "-m", "models", *arguments]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    if done.returncode not in {0, fails_with}:
        raise Missing(f"{' '.join(command[1:4])} failed: {done.stderr.strip()[-400:]}")
    return done.returncode == 0
