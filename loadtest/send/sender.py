"""Sender: what both protocols have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from experiment.records import BackendInfo

CONNECT_S = 5.0
MOST_ANSWERS_KEPT = 4096  # of distinct answers; a model whose answers always differ is parsed every time


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said to one request."""

    labels: Sequence[str] | None  # the first label of every image; None: the model has no labels
    stages_ms: Mapping[str, float] | None  # None: the server does not report them
    peer: str | None  # address of the replica that answered; None: there is only one
    size_bytes: int | None = None  # None: not known


def place_of(info: BackendInfo, peer: str | None) -> str:
    """A backend or one replica of it, for sentences: "GPU at tf-gpu:8500", or an address without a name."""
    address = peer or info.address
    return address if info.name == info.address else f"{info.name} at {address}"


class SendFailed(Exception):
    """A request without a usable answer. `cause` is one of errors.FAILURE_CODES."""

    def __init__(self, cause: str, message: str, peer: str | None = None):
        super().__init__(message)
        self.cause = cause
        self.message = message
        self.peer = peer


class Sender(Protocol):
    """Sends prepared bodies over kept-open connections. Used within one event loop."""

    async def open(self) -> None:
        """Connect, for CONNECT_S at most. Never raises: the first request fails instead."""

    async def send(self, body: bytes, timeout_s: float) -> Answer:
        """One request. Raises SendFailed."""

    async def close(self) -> None:
        """Close the connections; requests in flight fail."""


class AnswersRead:
    """Answers that were parsed already: the same payload mostly gets the same bytes back."""

    def __init__(self, parse: Callable[[bytes], Sequence[str] | None]):
        self._parse = parse
        self._known: dict[bytes, Sequence[str] | None] = {}

    def labels(self, answer: bytes) -> Sequence[str] | None:
        """The first label of every image. Raises SendFailed("bad_answer")."""
        if answer not in self._known:
            found = self._parse(answer)
            if len(self._known) >= MOST_ANSWERS_KEPT:
                self._known.clear()
            self._known[answer] = found
        return self._known[answer]
