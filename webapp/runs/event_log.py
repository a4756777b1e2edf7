"""The events of one live run: numbered, stored in batches, and announced to the event streams."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from typing import Any

from experiment.records import NOT_SENT
from experiment.wording import wait
from webapp.store.store import Event, Store

PROGRESS_INTERVAL_S = 0.5


class EventLog:
    """Collects events of one run. `flush` may be called from any thread."""

    def __init__(self, store: Store, run_id: str):
        self._store = store
        self._run_id = run_id
        self._lock = threading.Lock()
        self._pending: list[Event] = []
        self._seq = 0
        self._stored_seq = 0
        self._changed = threading.Condition()
        self.progress = Progress()

    def add(self, kind: str, data: Mapping[str, Any], scores: Any = None) -> None:
        """Append one event; it is stored with the next flush."""
        text = json.dumps(data, allow_nan=False)
        with self._lock:
            self._seq += 1
            hidden = None if scores is None else json.dumps(scores)
            self._pending.append(Event(self._seq, kind, text, hidden))

    def flush(self) -> None:
        """Store the pending events in one transaction, then wake the event streams."""
        with self._lock:
            if not self._pending:
                return
            self._store.append(self._run_id, self._pending, self.progress.done, self.progress.failed)
            stored_seq = self._pending[-1].seq
            self._pending = []
        with self._changed:
            self._stored_seq = stored_seq
            self._changed.notify_all()

    def wait(self, after: int, timeout_s: float) -> None:
        """Return when events above `after` are stored, or after `timeout_s`."""
        with self._changed:
            self._changed.wait_for(lambda: self._stored_seq > after, timeout_s)


class Progress:
    """Counts the requests of a run, and estimates the time left."""

    def __init__(self) -> None:
        self.planned = 0
        self.done = 0
        self.failed = 0
        self.not_sent = 0  # included in `done`: skipped, because the backend had stopped answering
        self._started: float | None = None
        self._last_due = 0.0

    def count(self, failure: Mapping[str, Any] | None) -> None:
        """One more measurement, and how it failed."""
        self._started = self._started or time.monotonic()
        self.done += 1
        is_left_out = failure is not None and failure["code"] == NOT_SENT
        self.not_sent += is_left_out
        self.failed += failure is not None and not is_left_out

    def add_requests(self, count: int, failed: int) -> None:
        """Many more requests at once, of a load test: nobody knew before how many there would be."""
        self.done += count
        self.failed += failed
        self.planned = self.done

    @property
    def eta_s(self) -> float | None:
        """Seconds until the last request, from the pace so far; None: not known yet."""
        if self._started is None or self.done < 2:
            return None
        pace_s = (time.monotonic() - self._started) / self.done
        return round(pace_s * max(0, self.planned - self.done), 1)

    @property
    def is_due(self) -> bool:
        """Whether it is time for another progress event: twice a second, and at the last request."""
        now = time.monotonic()
        if now - self._last_due < PROGRESS_INTERVAL_S and self.done != self.planned:
            return False
        self._last_due = now
        return True

    def event(self, text: str) -> dict[str, Any]:
        """The data of a `progress` event."""
        counts = {"done": self.done, "planned": self.planned, "failed": self.failed}
        return {**counts, "not_sent": self.not_sent, "text": text, "eta_s": self.eta_s}

    def text(self, what: str) -> str:
        """ "412 of 690: 512 px JPEG on 8 CPU, about 9 s left"."""
        left = f", about {wait(self.eta_s)} left" if self.eta_s else ""
        return f"{self.done:,} of {self.planned:,}: {what}{left}"
