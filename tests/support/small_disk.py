"""A disk of a few megabytes that a test can fill, and the file that fills it."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PIECE = bytes(4096)


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[Path]:
    """`folder` on a file system of its own that holds so much. Skips the test where none may be mounted."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={size_bytes}"]
    try:
        mounted = subprocess.run(["mount", *options, "tmpfs", folder], check=False, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no small disk: there is no command `mount`")
    if mounted.returncode:
        pytest.skip("no small disk: mounting one needs root, and a container that allows it")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path) -> Path:
    """Use up all that is left; remove the file to make room again."""
    path = folder / "filler"
    with path.open("ab", buffering=0) as file:
        try:
            while file.write(PIECE):
                pass
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
    return path
