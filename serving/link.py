"""The front's connections to one process of a replica: one for each request in flight, used again after."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from serving import frames
from serving.errors import Cancelled


class Gone(Exception):
    """The process has ended, or its end of the connection has."""


class Exchange:
    """One request and its answer. Can be cancelled from any thread."""

    def __init__(self, connection: socket.socket):
        self.connection = connection
        self._guard = threading.Lock()
        self._is_answered = self._is_cancelled = self._is_over = False

    def ask(self, head: Mapping[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        """The answer. Raises Gone, or Cancelled."""
        self.send(head, body)
        return self.receive()

    def send(self, head: Mapping[str, Any], body: bytes) -> None:
        with self._problems_named():
            frames.send(self.connection, head, body)

    def has_answer(self, within_s: float) -> bool:
        """Whether `receive` will not have to wait. True also when it would raise."""
        return frames.has_news(self.connection, within_s)

    def receive(self) -> tuple[dict[str, Any], bytes]:
        with self._problems_named():
            answer = frames.receive(self.connection)
        self._is_answered = True
        return answer

    def cancel(self) -> None:
        """Wakes who waits for the answer, and tells the replica. Without effect when all is over."""
        with self._guard, suppress(OSError):
            if not self._is_over:
                self._is_cancelled = True
                self.connection.shutdown(socket.SHUT_RDWR)

    def end(self) -> bool:
        """Nobody may cancel from now on. Whether the connection can be used again."""
        with self._guard:
            self._is_over = True
        return self._is_answered and not self._is_cancelled

    @contextmanager
    def _problems_named(self) -> Iterator[None]:
        try:
            yield
        except (OSError, EOFError) as problem:
            if self._is_cancelled:
                raise Cancelled("The client went away while its request waited.") from problem
            raise Gone from problem


class Link:
    """To one process, as long as it lives."""

    def __init__(self, through: socket.socket, connections: int):
        self._through = through
        self._places = threading.BoundedSemaphore(connections)
        self._idle: list[socket.socket] = []

    @contextmanager
    def exchange(self) -> Iterator[Exchange]:
        """For one request. Waits while too many are in flight. Raises Gone."""
        with self._places, self.extra_exchange() as exchange:
            yield exchange

    @contextmanager
    def extra_exchange(self) -> Iterator[Exchange]:
        """One that does not wait for others."""
        exchange = Exchange(self._connection())
        try:
            yield exchange
        finally:
            if exchange.end():
                self._idle.append(exchange.connection)
            else:
                exchange.connection.close()

    def close(self) -> None:
        """Its process has ended; what is in flight notices that itself."""
        self._through.close()
        while self._idle:
            self._idle.pop().close()

    def _connection(self) -> socket.socket:
        with suppress(IndexError):
            return self._idle.pop()
        ours, theirs = frames.pair()
        with theirs:
            try:
                frames.hand_over(self._through, theirs)
            except OSError as problem:
                ours.close()
                raise Gone from problem
        return ours
