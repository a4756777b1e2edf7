"""Puts a servable in its place: whole or not at all, and only when it has to.

Each is a folder `<base>/<version>/` with a card, `assets.extra/pixelcost.json`, that says what it was
made from.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from models.problems import ModelProblem

VERSION = "1"
CARD = Path("assets.extra") / "pixelcost.json"  # TensorFlow Serving ignores files it does not know there


@dataclass(frozen=True)
class Exported:
    """Where the servable lies, and whether it had to be written."""

    directory: Path
    is_new: bool


def place(out: Path, name: str, made_from: str, write: Callable[[Path], Mapping[str, object]]) -> Exported:
    """Make sure that `out/1` holds the model `name`, made from just that.

    `write` puts a model into a directory that is not there yet and gives its card. It is renamed
    into its place, so that a server never sees half a model and a killed export leaves nothing that looks
    like one. Raises OSError when `out` can't be written, ModelProblem when another model lies there.
    """
    target = out / VERSION
    if out.exists() and not out.is_dir():
        raise ModelProblem(f"{out} is a file. Name a folder with --out.")
    out.mkdir(parents=True, exist_ok=True)
    with alone_in(out):
        found = card_of(target)
        if found.get("made_from") == made_from:
            return Exported(target, is_new=False)
        _refuse_another(target, name, found)
        with tempfile.TemporaryDirectory(prefix=f".{VERSION}-", dir=out) as scratch:
            fresh = Path(scratch) / VERSION
            _write_card(fresh, {**write(fresh), "made_from": made_from})
            if target.exists():
                target.rename(Path(scratch) / "replaced")
            fresh.rename(target)
    return Exported(target, is_new=True)


@contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """A second one waits, then finds what the first made. The lock ends with the process that held it."""
    with (directory / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def card_of(directory: Path) -> dict[str, object]:
    """The card of a whole model; empty where there is none."""
    try:
        card = json.loads((directory / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return card if _is_whole(directory) and isinstance(card, dict) else {}


def _is_whole(directory: Path) -> bool:
    """Both parts of a SavedModel; of another kind its file."""
    parts = (directory / "saved_model.pb").is_file(), (directory / "variables").is_dir()
    return all(parts) if any(parts) else any(path.is_file() for path in directory.iterdir())


def hash_of(files: Iterable[Path], *more: str) -> str:
    """One hash over everything that a model is made from."""
    digest = hashlib.sha256()
    for part in (*(path.read_bytes() for path in files), *(text.encode() for text in more)):
        digest.update(part)
    return digest.hexdigest()


def refuse_patterns(directory: Path) -> None:
    """Raises ModelProblem for a SavedModel's folder that TensorFlow would take for a pattern of names."""
    path = os.path.realpath(directory)
    if found := [character for character in "[*?\\" if character in path]:
        raise ModelProblem(
            f"{path}: TensorFlow can't load a SavedModel from a folder with {found[0]} in its path. "
            "Give it another name."
        )


def _refuse_another(target: Path, name: str, found: Mapping[str, object]) -> None:
    """What is damaged may be replaced, and an older export of the same model; nothing else."""
    is_foreign = target.is_dir() and any(target.iterdir()) and not (target / CARD).is_file()
    if is_foreign or found.get("name", name) != name:
        other = f"another model, {found['name']}" if found else "a model that was not exported here"
        raise ModelProblem(f"{target} holds {other}. Name an empty folder with --out, or remove that one.")


def _write_card(directory: Path, card: Mapping[str, object]) -> None:
    path = directory / CARD
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(card, indent=1), encoding="utf-8")
