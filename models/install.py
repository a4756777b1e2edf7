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
from pathlib import Path

from models.placing import Placed, alone_in

KEPT_VERSIONS = 2
SCRATCH = ".installing-"  # no number, so that no server takes it for a version


def install(source: Path, base: Path) -> Placed:
    """Make sure that the newest version in `base` has the files of the newest one in `source`.

    The copy is renamed into its place when it is complete. Raises OSError, and FileNotFoundError when
    `source` holds no version.
    """
    offered = _versions(source)
    if not offered:
        raise FileNotFoundError(f"{source} holds no version: a directory such as {source}/1")
    base.mkdir(parents=True, exist_ok=True)
    with alone_in(base):
        there = _versions(base)
        if there and content_hash(there[-1]) == content_hash(offered[-1]):
            return Placed(there[-1], is_new=False)
        target = base / str(int(there[-1].name) + 1 if there else 1)
        for left_by_a_killed_process in base.glob(f"{SCRATCH}*"):
            shutil.rmtree(left_by_a_killed_process)
        with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=base) as scratch:
            shutil.copytree(offered[-1], Path(scratch) / target.name)
            (Path(scratch) / target.name).rename(target)
        for old in there[: -(KEPT_VERSIONS - 1)]:
            shutil.rmtree(old)
    return Placed(target, is_new=True)


def content_hash(directory: Path) -> str:
    """One hash over the names and bytes of all files in it."""
    digest = hashlib.sha256()
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            of_file = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.relative_to(directory).as_posix()}\0{of_file}\0".encode())
    return digest.hexdigest()


def _versions(base: Path) -> list[Path]:
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
