"""The models of the study, each made once by `python -m models`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.support.servables import ROOT

LITE0, LITE2, MOBILENET = "efficientnet-lite0", "efficientnet-lite2", "mobilenet"
RANDOM = "inception-v3-random"  # right in speed only
TITLES = {  # for people
    LITE0: "EfficientNet-Lite0",
    LITE2: "EfficientNet-Lite2",
    MOBILENET: "MobileNet v2, 8 bit",
    RANDOM: "Inception v3, random weights",
}
NAMES = tuple(TITLES)
# Where it is not the usual one: TensorFlow decodes in the model's graph, and knows no AVIF there.
ANSWERED_BY = {LITE0: "openvino", LITE2: "openvino"}


@dataclass(frozen=True, slots=True)
class Model:
    """One that is ready to be served."""

    name: str
    base_path: Path

    @property
    def title(self) -> str:
        """Its name for people."""
        return TITLES[self.name]

    @property
    def answers(self) -> bool:
        """Whether its answers mean anything; with random weights only its times do."""
        return self.name != RANDOM

    @property
    def runtime(self) -> str:
        """What its answers are computed with; times are those of the usual runtime."""
        return ANSWERED_BY.get(self.name, "auto")

    @property
    def card(self) -> Mapping[str, Any]:
        """What is known of it: title, labels, how it wants its pixels."""
        found = next(self.base_path.glob("*/assets.extra/pixelcost.json"))
        return dict(json.loads(found.read_text("utf-8")))


class Missing(Exception):
    """A model or report that can't be had, and why. The study goes on without it."""


def prepare(name: str, folder: Path, file: Path | None, labels: Path | None) -> Model:
    """The model, made in `folder` unless it is there. `file` and `labels` are MobileNet's.

    Raises Missing.
    """
    model = Model(name, folder / name)
    if not (model.base_path / "1").exists():
        _models(*_making(name, file, labels), "--out", str(model.base_path))
    return model


def _making(name: str, file: Path | None, labels: Path | None) -> list[str]:
    if name == RANDOM:
        return ["export", RANDOM.removesuffix("-random"), "--random", "0"]
    if name != MOBILENET:
        return ["export", name]
    if file is None:
        raise Missing("Its file is not in the project: name it with --mobilenet FILE.tflite")
    return ["convert", str(file), *(("--labels", str(labels)) if labels else ())]


def _models(*arguments: str) -> None:
    command = [sys.executable, "-m", "models", *arguments]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise Missing(f"python -m {' '.join(command[2:5])} failed: {done.stderr.strip()[-400:]}")
