"""Which queues are served from a data folder, and by which process: one file for each, held while it runs."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from experiment.embedded.profiles import alike
from experiment.errors import PixelcostError
from jobs.locks import Held, held, not_usable, note_of_holder

FOLDER: Final = "jobs"  # in the data folder: a folder for each queue
FILE: Final = "in-use-by"


@dataclass(frozen=True, slots=True)
class Running:
    """One `serve`."""

    stream: str
    url: str  # of Redis, with its password: the file is this user's only
    place: str  # the same as people read it
    pid: int


def folder_of(data_dir: Path, stream: str) -> Path:
    """Where the serve of a queue keeps its logs."""
    name = alike(stream)[:40]
    return data_dir / FOLDER / (name if name == stream else f"{name}-{_hash(stream)}")


@contextmanager
def announced(data_dir: Path, running: Running) -> Iterator[Path]:
    """Be the one that serves this queue from this data folder. Raises PixelcostError if another one does."""
    folder = folder_of(data_dir, running.stream)
    with ExitStack() as stack:
        try:
            stack.enter_context(held(folder / FILE, json.dumps(asdict(running))))
        except OSError as error:
            raise not_usable(folder / FILE, error) from None
        except Held as other:
            pid = getattr(_read(other.note), "pid", "unknown")
            raise PixelcostError(
                f"Process {pid} serves {running.stream} from {data_dir} already. For more workers, end it "
                "(python -m jobs stop) and start it with --workers N; for another queue, add --stream NAME."
            ) from None
        yield folder


def all_running(data_dir: Path) -> list[Running]:
    """Those that run now, by the name of their queue."""
    notes = [note_of_holder(file) for file in sorted((data_dir / FOLDER).glob(f"*/{FILE}"))]
    return [found for note in notes if note and (found := _read(note))]


def stop(data_dir: Path, running: Running, timeout_s: float) -> bool:
    """Ask it to finish its jobs and end; whether it has ended within `timeout_s`. Raises PixelcostError."""
    try:
        os.kill(running.pid, signal.SIGTERM)
    except ProcessLookupError:
        raise PixelcostError(
            f"Process {running.pid} serves {running.stream} and can't be seen from here. "
            "Stop it in the container in which it runs."
        ) from None
    except PermissionError:
        raise PixelcostError(
            f"Process {running.pid} serves {running.stream} and is another user's. Stop it as that user."
        ) from None
    until_s = time.monotonic() + timeout_s
    file = folder_of(data_dir, running.stream) / FILE
    while time.monotonic() < until_s:
        if note_of_holder(file) is None:
            return True
        time.sleep(0.1)
    return False


def _hash(stream: str) -> str:
    return hashlib.sha256(stream.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _read(note: str) -> Running | None:
    try:
        return Running(**json.loads(note))
    except (ValueError, TypeError):  # it has just started, and writes it now
        return None
