"""A file that one process at a time holds, and that says who. The kernel lets go when the process dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from experiment.errors import PixelcostError

TRIES: Final = 10
PAUSE_S: Final = 0.02


class Held(Exception):
    """Another process holds the file; `note` is what it wrote into it."""

    def __init__(self, note: str):
        super().__init__(note)
        self.note = note


@contextmanager
def held(file: Path, note: str) -> Iterator[None]:
    """Hold the file during the block, with `note` in it, which only this user can read.

    Raises Held, and OSError if the file can't be written.
    """
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock: IO[str] = os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+")
    with lock:
        if not _locked(lock):
            raise Held(lock.read())
        lock.truncate(0)
        lock.write(note)
        lock.flush()
        yield


def _locked(lock: IO[str]) -> bool:
    """Lock it. Who only looks whether it is held locks it too, for a moment, so one failure says nothing."""
    for _ in range(TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(PAUSE_S)
    return False


def not_usable(file: Path, error: OSError) -> PixelcostError:
    """That the folder of a lock in the data folder can't be written, and what to do."""
    return PixelcostError(
        f"The folder {file.parent} can't be used: {error.strerror}. Set PIXELCOST_DATA_DIR to another folder."
    )


def note_of_holder(file: Path) -> str | None:
    """What the process that holds the file wrote into it; None: nobody holds it."""
    try:
        with file.open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return lock.read()
    except OSError:
        pass
    return None
