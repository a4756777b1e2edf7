"""A file that reserves a few MB beside the database, so that runs can be ended and deleted on a full disk.

SQLite writes before it deletes, so without any free space neither would work.
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


class DiskReserve:
    """The file at `path`; None: PostgreSQL, whose disk is its administrator's concern."""

    def __init__(self, path: Path | None):
        self._path = path
        self._lock = threading.RLock()

    @contextlib.contextmanager
    def released(self) -> Iterator[None]:
        """Free the space during the block, then reserve as much of it as is left."""
        with self._lock:
            if self._path is not None:
                self._path.unlink(missing_ok=True)
            try:
                yield
            finally:
                self.keep()

    def keep(self) -> None:
        """Reserve the space, unless it is reserved already."""
        with self._lock:
            if self._path is None or self._path.exists():
                return
            if not any(_filled(self._path, size_bytes) for size_bytes in SIZES_BYTES):
                log.info("the disk of %s is full", self._path)


def _filled(path: Path, size_bytes: int) -> bool:
    """Write a file of that size, without holes. Returns whether there was space for it."""
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
