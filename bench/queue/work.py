"""The jobs of the kill test and what answers them: made so that every mistake shows in a result."""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.queue.history import Log
from jobs.records import Answered, Claimed, Outcome, Refused, Request, TryAgain

KILLS, FAILS, GOOD = "kills", "fails", "good"


@dataclass(frozen=True, slots=True)
class Plan:
    """One kill test."""

    url: str
    folder: Path  # of the history
    stream: str = "killed"
    jobs: int = 20_000
    kills: int = 10  # jobs that end their worker's process
    fails: int = 10  # jobs that the model can't answer
    photo_bytes: int = 8_000
    batch_size: int = 4
    service_ms: float = 40.0  # of a batch
    idle_s: float = 15.0
    most_tries: int = 5
    most_jobs: int = 10_000

    def ids(self) -> list[str]:
        """Poison evenly between the others."""
        poison = [KILLS] * self.kills + [FAILS] * self.fails
        every = self.jobs // max(len(poison), 1)
        kinds = {every * n + every // 2: kind for n, kind in enumerate(poison)}
        return [f"{kinds.get(number, GOOD)}-{number:06}" for number in range(self.jobs)]

    def poison(self) -> list[str]:
        return [job for job in self.ids() if not job.startswith(GOOD)]

    def photo(self, job: str) -> bytes:
        """Two good jobs have the same photo each, so that what they share is put to the test."""
        kind, _, number = job.partition("-")
        name = f"{kind}-{int(number) // 2 if kind == GOOD else number}".encode()
        return (name + b"/" + hashlib.sha256(name).digest() * (self.photo_bytes // 32 + 1))[
            : self.photo_bytes
        ]


def sha256_of(photo: bytes) -> str:
    return hashlib.sha256(photo).hexdigest()


class Model:
    """Answers a batch in a fixed time; some photos it does not survive."""

    def __init__(self, service_ms: float):
        self._service_s = service_ms / 1e3

    def answer(self, requests: Sequence[Request]) -> list[Outcome]:
        time.sleep(self._service_s)
        if any((request.image or b"").startswith(KILLS.encode()) for request in requests):
            os._exit(13)
        return [_answer(request.image or b"") for request in requests]


def _answer(image: bytes) -> Outcome:
    if image.startswith(FAILS.encode()):
        return TryAgain("server_error", "The model server failed at this photo.")
    return Answered({"sha256": sha256_of(image), "mark": secrets.token_hex(4)})


class NotingReader:
    """Notes each delivery before anything is done with it."""

    def __init__(self, log: Log):
        self._log = log

    def read(self, entry: Claimed, photo: bytes | None) -> Request | Refused:
        self._log.add("deliver", entry.job_id, tries=entry.tries)
        if photo is None:
            return Refused("photo_expired", "The photo is gone.")
        return Request(photo)

    def encode(self, entry: Claimed, answered: Answered) -> bytes | None:
        return None
