"""Writes a servable into its folder: whole or not at all, and only if it is not there already.

A servable is a folder `<base>/<version>/` with a card, `assets.extra/pixelcost.json`: its name, labels, how
an image becomes pixels, and a hash of everything that it was made from.
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
class Placed:
    """The servable's folder, and whether it had to be written."""

    directory: Path
    is_new: bool


def place(out: Path, name: str, made_from: str, write: Callable[[Path], Mapping[str, object]]) -> Placed:
    """Make sure that `out/1` holds the model `name` with the hash `made_from` on its card.

    `write` makes the folder that it gets, puts a model into it and returns the card. The folder is then
    renamed, so that a server never sees half a model and a killed export leaves nothing that looks like one.
    Raises OSError when `out` can't be written, ModelProblem when another model lies there.
    """
    target = out / VERSION
    if out.exists() and not out.is_dir():
        raise ModelProblem(f"{out} is a file. Name a folder with --out.")
    out.mkdir(parents=True, exist_ok=True)
    with alone_in(out):
        found = card_of(target)
        if found.get("made_from") == made_from:
            return Placed(target, is_new=False)
        _refuse_another(target, name, found)
        with tempfile.TemporaryDirectory(prefix=f".{VERSION}-", dir=out) as scratch:
            fresh = Path(scratch) / VERSION
            write_card(fresh, {**write(fresh), "made_from": made_from})
            if target.exists():
                target.rename(Path(scratch) / "replaced")
            fresh.rename(target)
    return Placed(target, is_new=True)


@contextmanager
def alone_in(directory: Path, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the folder's lock during the block; `on_wait` is called if another process holds it.

    The kernel releases it when the process ends.
    """
    with (directory / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if on_wait:
                on_wait()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def card_of(directory: Path) -> dict[str, object]:
    """The card of a complete model; empty if the card or a part of the model is missing or damaged."""
    try:
        card = json.loads((directory / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    of_saved_model = (directory / "saved_model.pb").is_file(), (directory / "variables").is_dir()
    is_whole = all(of_saved_model) or (
        not any(of_saved_model) and any(path.is_file() for path in directory.iterdir())
    )
    return card if is_whole and isinstance(card, dict) else {}


def write_card(directory: Path, card: Mapping[str, object]) -> None:
    """Write `card` into a model's folder."""
    path = directory / CARD
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(card, indent=1), encoding="utf-8")


def hash_of(files: Iterable[Path], *more: str) -> str:
    """One SHA-256 over the bytes of the files and the texts that a model is made from."""
    digest = hashlib.sha256()
    for part in (*(path.read_bytes() for path in files), *(text.encode() for text in more)):
        digest.update(part)
    return digest.hexdigest()


def refuse_patterns(directory: Path) -> None:
    """Raises ModelProblem if TensorFlow would take the path of a SavedModel for a file name pattern."""
    path = os.path.realpath(directory)
    if found := [character for character in "[*?\\" if character in path]:
        raise ModelProblem(
            f"{path}: TensorFlow can't load a SavedModel from a folder with {found[0]} in its path. "
            "Give it another name."
        )


def _refuse_another(target: Path, name: str, found: Mapping[str, object]) -> None:
    """Raises ModelProblem unless `target` is empty, damaged, or an older export of the same model."""
    is_foreign = target.is_dir() and any(target.iterdir()) and not (target / CARD).is_file()
    if is_foreign or found.get("name", name) != name:
        other = f"another model, {found['name']}" if found else "a model that was not exported here"
        raise ModelProblem(f"{target} holds {other}. Name an empty folder with --out, or remove that one.")
