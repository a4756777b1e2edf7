"""A model's base directory, which holds one directory for every version, named by its number."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from serving.errors import StartRefused
from serving.runtimes import RUNTIMES
from serving.runtimes.base import contents

HIGHEST = 2**63 - 1  # versions are 64-bit numbers with a sign in the protocol

MODEL_FILES = tuple(pattern for row in RUNTIMES.values() for pattern in row.own_files)


def versions_in(base: Path) -> dict[int, Path]:
    """Directories by version number, as TensorFlow Serving reads them: "00000123" is version 123.

    Raises OSError when the base directory can't be read.
    """
    numbered = (entry for entry in sorted(base.iterdir()) if re.fullmatch("[0-9]{1,29}", entry.name))
    return {int(entry.name): entry for entry in numbered if int(entry.name) <= HIGHEST and entry.is_dir()}


def fingerprint(directory: Path) -> frozenset[tuple[str, int, int]]:
    """Name, size and time of every file: different if a version that failed has changed since."""
    found = []
    for folder, _, names in os.walk(directory):
        for name in names:
            path = Path(folder, name)
            with suppress(OSError):  # it has gone since
                status = path.lstat()
                found.append((str(path.relative_to(directory)), status.st_size, status.st_mtime_ns))
    return frozenset(found)


def require_versions(base: Path, wanted: Collection[int] = ()) -> None:
    """Raises StartRefused at the start, saying what was looked for, what was found and what to do."""
    if not base.is_dir():
        what = "is a file" if base.exists() else "does not exist"
        raise StartRefused(
            f"--model_base_path {base} {what}. It must be a directory that holds 1/saved_model.pb."
        )
    versions = versions_in(base)
    if not versions:
        is_model = any(next(base.glob(pattern), None) for pattern in MODEL_FILES)
        raise StartRefused(
            f"--model_base_path {base} is itself a model. Move it to {base / '1'} (one numbered "
            "directory per version) and give its parent."
            if is_model
            else f"--model_base_path {base} holds no version directory: looked for "
            f"{base / '1' / 'saved_model.pb'}, found {contents(base)}. "
            "Name each version's directory by its number."
        )
    missing = sorted(set(wanted) - versions.keys())
    if missing:
        raise StartRefused(
            f"{base} holds no version {', '.join(map(str, missing))}, which model_version_policy asks for; "
            f"it holds {', '.join(map(str, sorted(versions)))}."
        )
