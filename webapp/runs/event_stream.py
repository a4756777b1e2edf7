"""Server-sent events: the store's events of one run, from any point, until its end."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

from webapp.runs.manager import Runs
from webapp.store.store import Event, NoSuchRun, Store

HEARTBEAT_S = 15.0
LOOK_AGAIN_S = 1.0  # how soon a stream notices that the app is closing
ELSEWHERE_S = 0.3
RETRY_MS = 1000
RETRY_WHEN_CROWDED_MS = 2000


class Streams:
    """Open event streams. Each takes a thread, so only so many are held open."""

    def __init__(self, store: Store, runs: Runs, most: int):
        self._store = store
        self._runs = runs
        self._most = most
        self._count = 0
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """Streams that are open now."""
        return self._count

    def open(self, run_id: str, after: int, is_gone: Callable[[], bool]) -> Iterator[str]:
        """The events of a run above `after`, as they come. The reader comes back when it breaks off.

        `is_gone` says whether the reader has hung up, which writing would notice late.
        """
        stays = self._enter()
        try:
            yield f"retry: {RETRY_MS if stays else RETRY_WHEN_CROWDED_MS}\n\n"
            yield from self._events(run_id, after, is_gone if stays else lambda: True)
        finally:
            if stays:
                with self._lock:
                    self._count -= 1

    def _enter(self) -> bool:
        """Whether the stream may stay open; one too many sends the events so far and ends."""
        with self._lock:
            if self._count >= self._most:
                return False
            self._count += 1
            return True

    def _events(self, run_id: str, after: int, is_gone: Callable[[], bool]) -> Iterator[str]:
        quiet_since = time.monotonic()
        while True:
            batch = self._store.events(run_id, after)
            for event in batch:
                yield frame(event)
                if event.kind == "end":
                    return
            if batch:
                after, quiet_since = batch[-1].seq, time.monotonic()
                continue
            if is_gone() or self._runs.is_closing or not self._wait(run_id, after):
                return
            if time.monotonic() - quiet_since >= HEARTBEAT_S:
                yield ": still here\n\n"
                quiet_since = time.monotonic()

    def _wait(self, run_id: str, after: int) -> bool:
        """Wait for more; False when no more will come."""
        live = self._runs.live(run_id)
        if live is not None:
            live.log.wait(after, LOOK_AGAIN_S)
            return True
        if self._runs.is_elsewhere(run_id):
            time.sleep(ELSEWHERE_S)  # its events come by the store alone
            return True
        try:
            return self._store.run(run_id).last_seq > after
        except NoSuchRun:
            return False


def frame(event: Event) -> str:
    """One event on the wire. JSON text holds no line break."""
    return f"id: {event.seq}\nevent: {event.kind}\ndata: {event.data}\n\n"


def last_seen(header: str | None, query: str | None) -> int:
    """The number of the last event that the reader has; 0 when it has none or sends nonsense."""
    text = (header or query or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def hung_up(connection: socket.socket | None) -> bool:
    """Whether the other end has closed; unknown connections count as open."""
    if connection is None:
        return False
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
