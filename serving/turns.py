"""One inference at a time, in order of arrival: so that waiting can be told from computing."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from serving.errors import Overloaded


class Turns:
    """A lock that is fair, and refuses when too many wait. A plain lock lets late comers overtake."""

    def __init__(self, waiting_limit: int):
        self._waiting_limit = waiting_limit
        self._guard = threading.Lock()
        self._busy = False
        self._waiting: deque[threading.Lock] = deque()

    @contextmanager
    def take(self) -> Iterator[None]:
        """Wait for the turn. Raises Overloaded at once when the queue is full."""
        self._wait()
        try:
            yield
        finally:
            self._pass_on()

    def _wait(self) -> None:
        with self._guard:
            if not self._busy:
                self._busy = True
                return
            if len(self._waiting) >= self._waiting_limit:
                raise Overloaded(f"{len(self._waiting)} requests wait already. Send fewer at once.")
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        turn.acquire()  # released by whoever had the turn before

    def _pass_on(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._busy = False
