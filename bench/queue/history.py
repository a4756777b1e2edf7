"""What happened to every job, written down by each process as it happens.

One write for each event, so that what a process wrote before it was killed is there.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

Kind = Literal[
    "submit", "accept", "refuse", "drop", "deliver", "seen", "kill", "pause", "redis_down", "redis_up"
]


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a history."""

    kind: Kind
    at_ms: float  # since the epoch
    who: str  # a worker, a submitter, the reader, the nemesis
    job: str = ""
    tries: int = 0  # of a delivery
    sha256: str = ""  # of the photo that was sent, or that a result was made of
    mark: str = ""  # of a result: a random one of each time that a job was worked on
    retry_after_s: int = 0  # of a refusal


class Log:
    """Appends events to a file of this process' own."""

    def __init__(self, folder: Path, who: str):
        self._who = who
        path = folder / f"{who}-{os.getpid()}-{time.monotonic_ns()}.jsonl"
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def add(self, kind: Kind, job: str = "", **facts: str | int) -> None:
        event = Event(kind, time.time() * 1e3, self._who, job, **facts)  # type: ignore[arg-type]
        os.write(self._file, json.dumps(asdict(event)).encode() + b"\n")


def history(folder: Path) -> list[Event]:
    """Everything that was written there, by time."""
    return sorted(_events(folder), key=lambda event: event.at_ms)


def _events(folder: Path) -> Iterator[Event]:
    for path in folder.glob("*.jsonl"):
        for line in path.read_text("utf-8").splitlines():
            yield Event(**json.loads(line))
