"""What engines run in tests: functions that another process can import."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from experiment.errors import PixelcostError
from jobs.records import Answerer, Reader
from jobs.worker.main import WorkerJob
from tests.support.queue.parts import Echo, PlainReader


def square(number: int) -> int:
    return number * number


def refuse_seven(number: int) -> int:
    if number == 7:
        raise PixelcostError("Seven is refused.", code="seven")
    return number


def die_of_seven(number: int) -> int:
    if number == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die_of_three_and_seven(number: int) -> int:
    """Both begin before either dies."""
    if number in {3, 7}:
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die_once(folder: str) -> str:
    """Its first process dies."""
    try:
        (Path(folder) / "died").touch(exist_ok=False)
    except FileExistsError:
        return "done by another process"
    os.kill(os.getpid(), signal.SIGKILL)
    return "never"


def note_begun(item: tuple[str, int]) -> int:
    """Leaves a file, so that a test can count what was begun."""
    folder, number = item
    (Path(folder) / str(number)).touch()
    time.sleep(0.02)
    return number


def until_sigterm(name: str, folder: str) -> None:
    """Notes its process, works until SIGTERM, and then finishes what it is at."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    place = Path(folder)
    (place / f"{name}.{os.getpid()}").touch()
    while not stop.wait(0.05):
        pass
    time.sleep(0.3)
    (place / f"{name}.finished").touch()


def refused(name: str, settings: Any) -> None:
    raise PixelcostError(f"Another worker named {name} serves stream.")


def broken(name: str, folder: str) -> None:
    """Fails each time."""
    with (Path(folder) / "starts").open("a") as file:
        file.write(".")
    raise ValueError(f"{name} is broken")


def echo(job: WorkerJob) -> tuple[Reader, Answerer]:
    """The parts of a worker that answers with what it got."""
    return PlainReader(), Echo()
