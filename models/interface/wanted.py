"""What a user says about a model, where its file does not say it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.interface.preprocess import ByChannel

Say = Callable[[str], None]  # one line for people: what was read, or assumed
ScoresOf = Callable[[np.ndarray], np.ndarray]  # what a model answers to values as it takes them

PROBABILITIES, LOGITS = "probabilities", "logits"


@dataclass(frozen=True)
class Wanted:
    """The options of `convert`; None: find out, or take the default."""

    name: str | None = None
    labels: Path | None = None
    likely_labels: tuple[Path, ...] = ()  # to take where they are as many as the scores
    background: bool | None = None
    size_px: tuple[int, int] | None = None
    fit: str | None = None
    resize: str | None = None
    preprocess: str | None = None
    scale: float | None = None
    mean: ByChannel | None = None
    std: ByChannel | None = None
    layout: str | None = None
    likely_layout: str | None = None  # to take where the file leaves it open
    channels: str | None = None
    signature: str | None = None
    input: str | None = None
    output: str | None = None
    scores: str | None = None  # PROBABILITIES or LOGITS
    photo: Path | None = None
    to: str | None = None  # another runtime's format; None: as it is
