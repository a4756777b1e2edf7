"""A job as it is handed to the run manager: what a run is about, and the bytes that go with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO

from webapp.store.store import Follows
from webapp.worker.pipe import Job

PIECE_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Submission:
    """A job, and what the web process has of it."""

    job: Job
    content: Iterable[bytes]  # the parts of the job, one behind the other, in pieces of any length
    follows: Follows | None = None  # the run that this goes on with; None: it is a run of its own
    opening: str = "Making the variants."  # the first sentence for readers, when it begins
    discard: Callable[[], None] = lambda: None  # gives back what it takes on disk


def pieces_of(stream: IO[bytes]) -> Iterator[bytes]:
    """The bytes of a stream, a piece at a time."""
    while piece := stream.read(PIECE_BYTES):
        yield piece
