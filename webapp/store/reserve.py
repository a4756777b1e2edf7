"""A file that keeps a little room on the database's disk, so that a full one can still be tidied up.

SQLite writes before it removes: without any room left no run can be ended or deleted.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

SIZES_BYTES = (8_000_000, 4_000_000, 2_000_000, 1_000_000)  # the largest that fits is taken

log = logging.getLogger(__name__)


class Reserve:
    """Room kept at `path`; None: the database is elsewhere and has its own administrator."""

    def __init__(self, path: Path | None):
        self._path = path
        self._lock = threading.RLock()

    @contextlib.contextmanager
    def released(self) -> Iterator[None]:
        """Give the room back for the length of the block, then keep as much of it as there is again."""
        with self._lock:
            self._remove()
            try:
                yield
            finally:
                self.keep()

    def keep(self) -> None:
        """Take up the room, unless it is taken up already."""
        with self._lock:
            if self._path is None or self._path.exists():
                return
            if not any(_filled(self._path, size_bytes) for size_bytes in SIZES_BYTES):
                log.info("there is no room left beside %s", self._path)

    def _remove(self) -> None:
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _filled(path: Path, size_bytes: int) -> bool:
    """Whether a file of that size, without holes, could be made."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    except OSError:
        return False
    try:
        os.posix_fallocate(descriptor, 0, size_bytes)
    except OSError:
        path.unlink(missing_ok=True)
        return False
    finally:
        os.close(descriptor)
    return True
