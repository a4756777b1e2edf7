"""The options of `convert`: what the user says about a model if its file does not say it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

Say = Callable[[str], None]  # prints a line: what was read, or assumed
ScoresOf = Callable[[np.ndarray], np.ndarray]  # from an array as the model takes it to its scores
ByChannel = float | tuple[float, ...]  # one number, or one for every channel: red first

PROBABILITIES, LOGITS = "probabilities", "logits"


@dataclass(frozen=True)
class Wanted:
    """The options of `convert`; None: not given."""

    name: str | None = None
    labels: Path | None = None
    likely_labels: tuple[Path, ...] = ()  # the first with as many labels as scores is used
    background: bool | None = None
    size_px: tuple[int, int] | None = None
    fit: str | None = None
    resize: str | None = None
    preprocess: str | None = None
    scale: float | None = None
    mean: ByChannel | None = None
    std: ByChannel | None = None
    layout: str | None = None
    likely_layout: str | None = None  # if neither file nor user says it
    channels: str | None = None
    signature: str | None = None
    input: str | None = None
    output: str | None = None
    scores: str | None = None  # PROBABILITIES or LOGITS
    photo: Path | None = None
    to: str | None = None  # another runtime's format; None: as it is
