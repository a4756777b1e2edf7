"""Where a training stands: written whole after every epoch, so that a killed one goes on from there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.problems import ModelProblem

STATE, IDENTITY = "state.npz", "training.json"
KINDS = ("variable", "first_moment", "second_moment")


@dataclass(frozen=True)
class State:
    """Epochs behind us, the student's arrays in the order of the file, and the optimiser's of what learns."""

    epochs_done: int
    epochs_planned: int
    variable: list[np.ndarray]
    first_moment: list[np.ndarray]
    second_moment: list[np.ndarray]


def save(work: Path, state: State) -> None:
    """Beside the old one, then in its place: there is a whole one at any time."""
    arrays = {f"{kind}_{i}": array for kind in KINDS for i, array in enumerate(getattr(state, kind))}
    partial = work / f"{STATE}.partial"
    with partial.open("wb") as stream:
        np.savez(stream, done=state.epochs_done, planned=state.epochs_planned, **arrays)
    partial.rename(work / STATE)


def load(work: Path) -> State | None:
    """None when there is none yet."""
    if not (work / STATE).exists():
        return None
    with np.load(work / STATE) as stored:
        count = {kind: sum(name.startswith(f"{kind}_") for name in stored.files) for kind in KINDS}
        lists = {kind: [stored[f"{kind}_{i}"] for i in range(count[kind])] for kind in KINDS}
        return State(int(stored["done"]), int(stored["planned"]), **lists)


def claim(work: Path, identity: dict[str, Any]) -> None:
    """The folder belongs to one training. Raises ModelProblem when it belongs to another."""
    path = work / IDENTITY
    wanted = json.loads(json.dumps(identity))
    if not path.exists():
        path.write_text(json.dumps(identity, indent=1), encoding="utf-8")
        return
    found = json.loads(path.read_text(encoding="utf-8"))
    changed = sorted(key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key))
    if changed:
        raise ModelProblem(
            f"{work} holds a training with another {', '.join(changed)}. Go on with the same options, "
            "or begin anew in another folder (--work)."
        )
