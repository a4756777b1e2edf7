"""Heartbeat: measures how late this process wakes up, and so how far its latencies can be trusted."""

from __future__ import annotations

import threading
import time


class Heartbeat:
    """A thread that wakes every 10 ms. Use it as a context manager around measure().

    `max_delay_ms` is the longest delay of a beat, `late_share` the share of beats more than 10 ms late.
    """

    BEAT_S = 0.010
    LATE_MS = 10.0

    def __init__(self) -> None:
        self.max_delay_ms = 0.0
        self.beats = 0
        self.late = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    @property
    def late_share(self) -> float:
        """The share of beats that were late, 0..1."""
        return self.late / self.beats if self.beats else 0.0

    def facts(self) -> dict[str, float]:
        """Both numbers under the keys of the report's `environment`."""
        return {
            "heartbeat_max_ms": round(self.max_delay_ms, 2),
            "heartbeat_late_share": round(self.late_share, 4),
        }

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._stop.is_set():
            before = time.perf_counter()
            time.sleep(self.BEAT_S)
            delay_ms = (time.perf_counter() - before - self.BEAT_S) * 1e3
            self.max_delay_ms = max(self.max_delay_ms, delay_ms)
            self.beats += 1
            self.late += delay_ms > self.LATE_MS
