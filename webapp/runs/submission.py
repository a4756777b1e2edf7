"""What is submitted to the run manager: a job for the timing process, and its bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO

from webapp.store.store import Follows
from webapp.worker.pipe import Job

PIECE_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Submission:
    """A job, and what only the web process needs to know about it."""

    job: Job
    content: Iterable[bytes]  # the parts of the job, one after another, in pieces of any length
    follows: Follows | None = None  # None: not a follow-up
    opening: str = "Making the variants."  # the progress text when the run begins
    discard: Callable[[], None] = lambda: None  # deletes its files


def pieces_of(stream: IO[bytes]) -> Iterator[bytes]:
    """The bytes of a stream, a piece at a time."""
    while piece := stream.read(PIECE_BYTES):
        yield piece
