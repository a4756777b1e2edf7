"""Server-sent events: the events of one run, from any number on, until its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from webapp.runs.manager import RunManager
from webapp.store.store import Event, NoSuchRun, Store

HEARTBEAT_S = 15.0
LOOK_AGAIN_S = 1.0  # how soon a stream notices that the app is shutting down
ELSEWHERE_S = 0.3  # between looks at the events of a run in another process
RETRY_MS = 1000
RETRY_WHEN_CROWDED_MS = 2000


class Streams:
    """The open event streams. Every one holds a thread, so their number is limited to `most`."""

    def __init__(self, store: Store, runs: RunManager, most: int):
        self._store = store
        self._runs = runs
        self._most = most
        self.count = 0  # open now
        self._lock = threading.Lock()

    def open(self, run_id: str, after: int, is_gone: Callable[[], bool]) -> Iterator[str]:
        """The events of a run above `after`, as they come. A client reconnects if the stream ends early.

        `is_gone` says whether the client has disconnected, which writing would notice late.
        """
        with self._lock:  # if too many are open, it sends the events so far and ends
            stays = self.count < self._most
            self.count += stays
        try:
            yield f"retry: {RETRY_MS if stays else RETRY_WHEN_CROWDED_MS}\n\n"
            yield from self._events(run_id, after, is_gone if stays else lambda: True)
        finally:
            with self._lock:
                self.count -= stays

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
        """Wait for new events; False if there will be none."""
        live = self._runs.live(run_id)
        if live is not None:
            live.log.wait(after, LOOK_AGAIN_S)
            return True
        if self._runs.is_elsewhere(run_id):
            time.sleep(ELSEWHERE_S)
            return True
        try:
            return self._store.run(run_id).last_seq > after
        except NoSuchRun:
            return False


def frame(event: Event) -> str:
    """One event on the wire. JSON text holds no line break."""
    return f"id: {event.seq}\nevent: {event.kind}\ndata: {event.data}\n\n"


def last_seen(header: str | None, query: str | None) -> int:
    """The number of the last event that the client has; 0 if it has none or sends no number."""
    text = (header or query or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
