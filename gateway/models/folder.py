"""Looks at the folder of models: which sub-folders it has, and whether one has changed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.models.old_config import CONVERT, FILE, ConfigUnusable, read_config

IGNORED: Final = (".", "lost+found", "@")  # hidden, of file systems, of network storage


def sub_folders(models_dir: Path) -> dict[str, Path]:
    """The folders of the models by name. Raises OSError."""
    found = (path for path in models_dir.iterdir() if not path.name.startswith(IGNORED))
    return {path.name: path for path in sorted(found) if path.is_dir()}


def fingerprint(folder: Path) -> str:
    """A hash that changes with the names, sizes and times of its files. Raises OSError.

    Of config.json only counts what the model is converted by, as the rest is read for each request.
    """
    digest = hashlib.sha256(_of_config(folder).encode())
    for file in sorted(_files(folder)):
        about = file.stat()
        digest.update(f"{file.relative_to(folder)}\0{about.st_size}\0{about.st_mtime_ns}\0".encode())
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    for where, _, names in os.walk(folder, onerror=_raise):
        for name in names:
            file = Path(where) / name
            if file != folder / FILE and file.exists():
                yield file


def _of_config(folder: Path) -> str:
    try:
        written = read_config(folder).written or {}
    except ConfigUnusable as problem:
        return str(problem)
    return json.dumps(
        [written.get(key) for key in (CONVERT, "type", "inference_engine_name", "architectures")]
    )


def _raise(problem: OSError) -> None:
    raise problem
