"""The data folder: created if it is missing, and used by one app at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from experiment.errors import PixelcostError

LOCK_NAME = "in-use-by"


@contextmanager
def claimed(data_dir: Path) -> Iterator[Path]:
    """Lock the folder until the end of the block; the kernel releases the lock if the process is killed.

    Two apps in one folder would close each other's runs and overwrite the state of each other's servers.
    Raises PixelcostError if it is in use or can't be written to.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)  # photos will lie in it
        lock = (data_dir / LOCK_NAME).open("a+")
    except OSError as error:
        raise PixelcostError(
            f"The data folder {data_dir} can't be used: {error.strerror}. "
            "Set PIXELCOST_DATA_DIR to another one."
        ) from None
    with lock:
        _lock(lock.fileno(), data_dir)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield data_dir


def _lock(descriptor: int, data_dir: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = (data_dir / LOCK_NAME).read_text("utf-8") or "unknown"
        raise PixelcostError(
            f"The data folder {data_dir} is in use by process {owner}. End that one first, "
            "or give this one a folder of its own: PIXELCOST_DATA_DIR=var2."
        ) from None
