"""Copies an exported servable into a shared folder, as the model image does when it starts.

    python -m models.install /model /models/inception

Needs nothing but Python. If the same model is installed already, nothing happens; another one becomes the
next version, which a running server finds and switches to. The version before it stays, for a rollback.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Container
from pathlib import Path

from models.placing import Placed, alone_in
from models.problems import ModelProblem

KEPT_VERSIONS = 2
SCRATCH = ".installing-"  # no number, so that no server takes it for a version


def install(source: Path, base: Path) -> Placed:
    """Make sure that the newest version in `base` has the files of the newest one in `source`.

    The copy is renamed into its place when it is complete. Raises OSError, and FileNotFoundError when
    `source` holds no version.
    """
    offered = versions_in(source)
    if not offered:
        raise FileNotFoundError(f"{source} holds no version: a directory such as {source}/1")
    base.mkdir(parents=True, exist_ok=True)
    with alone_in(base):
        there = versions_in(base)
        if there and content_hash(there[-1]) == content_hash(offered[-1]):
            return Placed(there[-1], is_new=False)
        for left_by_a_killed_process in base.glob(f"{SCRATCH}*"):
            shutil.rmtree(left_by_a_killed_process)
        with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=base) as scratch:
            copy = Path(scratch) / "copy"
            shutil.copytree(offered[-1], copy)
            placed = move_in(copy, base, None)
        remove_old(base, KEPT_VERSIONS, spared={placed.directory})
    return placed


def move_in(complete: Path, base: Path, number: int | None) -> Placed:
    """Rename a complete folder to the version `number` of `base`; None: the next, unless it is the newest.

    The caller holds the lock of `base`, and both lie on one file system. Raises ModelProblem if that version
    has other files: a server may be reading them.
    """
    there = {int(path.name): path for path in versions_in(base)}
    same = there.get(max(there, default=0) if number is None else number)
    if same and content_hash(same) == content_hash(complete):
        return Placed(same, is_new=False)
    if same and number is not None:
        raise ModelProblem(
            f"{same} holds another model already. A version is never changed, because a server may read "
            "it: install under a new number, or remove that folder first."
        )
    target = base / str(max(there, default=0) + 1 if number is None else number)
    complete.rename(target)
    return Placed(target, is_new=True)


def remove_old(base: Path, kept: int, spared: Container[Path]) -> None:
    """Leave the newest `kept` versions, and those of `spared`."""
    for old in versions_in(base)[:-kept]:
        if old not in spared:
            shutil.rmtree(old)


def content_hash(directory: Path) -> str:
    """One hash over the names and bytes of all files in it."""
    digest = hashlib.sha256()
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            of_file = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.relative_to(directory).as_posix()}\0{of_file}\0".encode())
    return digest.hexdigest()


def versions_in(base: Path) -> list[Path]:
    """The numbered folders, the newest last."""
    found = (path for path in base.iterdir() if path.name.isascii() and path.name.isdigit())
    return sorted(found, key=lambda path: int(path.name))


def main(arguments: list[str]) -> int:
    """Exit code: 0 when the model is in its place, 2 when it can't be put there."""
    if len(arguments) != 2:
        print("python -m models.install FROM TO: both hold one numbered directory for each version")
        return 2
    source, base = map(Path, arguments)
    try:
        installed = install(source, base)
    except OSError as problem:
        print(
            f"The model could not be put into {base}: {problem}. It must be writable for user {os.getuid()}: "
            "give the volume to that user, or to its group (Kubernetes: fsGroup).",
            file=sys.stderr,
        )
        return 2
    print(f"model: {installed.directory}" + ("" if installed.is_new else " (was there already)"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
