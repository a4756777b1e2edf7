"""What tests have engines do: functions that a process of an engine can import."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

from experiment.errors import PixelcostError


def half(number: int) -> float:
    """A task; 13 raises, and 7 kills its process, both of any engine."""
    if number == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 13:
        raise ValueError("thirteen")
    return number / 2


def half_at_the_second_try(number: int, folder: str) -> float:
    """A task whose first process dies."""
    mark = Path(folder) / str(number)
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number / 2


def note_starts(name: str, folder: str) -> None:
    """A worker: notes each start, dies the first time, then works until SIGTERM and notes that it ended."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with (Path(folder) / name).open("a") as file:
        print(os.getpid(), file=file)
    if len((Path(folder) / name).read_text().splitlines()) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    stop.wait(60)
    (Path(folder) / f"{name}-ended").touch()


def needs_a_person(name: str, settings: object) -> None:
    """A worker for which a restart is no help."""
    raise PixelcostError(f"{name} has a name that is taken.")


def sleep_long(name: str, settings: object) -> None:
    """A worker that nothing ends but a kill."""
    time.sleep(600)
