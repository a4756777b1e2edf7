"""Heartbeat: measures when this process woke up late, and which requests that touched.

A latency ends when this process sees the answer. While it can't run, because other work has its cores, every
request under way looks slower than it is. A thread that should wake every 10 ms shows when that was so.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

from experiment.records import Measurement


class Heartbeat:
    """A thread that wakes every 10 ms. Use it as a context manager around measure().

    `max_delay_ms` is the longest delay of a beat, `late_share` the share of beats more than 10 ms late. Of
    these the time is kept as well, from when the beat was due until it came, on the clock of `started_at`.
    """

    BEAT_S = 0.010
    LATE_MS = 10.0

    def __init__(self) -> None:
        self.max_delay_ms = 0.0
        self.beats = 0
        self.late = 0
        self._late_spans: list[tuple[float, float]] = []  # seconds since the epoch, in order
        self._seen_until = 0.0  # as these: what came before the last beat is known
        self._beaten = threading.Condition()
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

    def watched(self, measurements: Iterable[Measurement]) -> Iterator[Measurement]:
        """The same measurements, each with its `late_ms`. They come up to a beat later."""
        for measurement in measurements:
            if measurement.latency_ms is None:
                yield measurement
                continue
            ended_at = measurement.started_at + measurement.latency_ms / 1e3
            yield replace(measurement, late_ms=round(self.late_ms(measurement.started_at, ended_at), 3))

    def late_ms(self, started_at: float, ended_at: float) -> float:
        """How much of this time beats were overdue, in ms. Waits for the beat after it: that one may be late.

        Both are seconds since the epoch, and past.
        """
        with self._beaten:
            until = min(ended_at, time.time())  # should the clock have been set back meanwhile
            self._beaten.wait_for(lambda: self._seen_until >= until or self._stop.is_set())
            return overlap_s(self._late_spans, started_at, ended_at) * 1e3

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        before = time.perf_counter()
        while not self._stop.wait(self.BEAT_S):
            self._note(time.perf_counter() - before - self.BEAT_S, time.time())
            before = time.perf_counter()

    def _note(self, delay_s: float, came_at: float) -> None:
        with self._beaten:
            self.max_delay_ms = max(self.max_delay_ms, delay_s * 1e3)
            self.beats += 1
            if delay_s * 1e3 > self.LATE_MS:
                self.late += 1
                self._late_spans.append((came_at - delay_s, came_at))
            self._seen_until = came_at
            self._beaten.notify_all()


def overlap_s(spans: list[tuple[float, float]], start: float, end: float) -> float:
    """How long the time from `start` to `end` shares with `spans`, which are in order and apart."""
    shared_s = 0.0
    for low, high in reversed(spans):
        if high <= start:
            break
        shared_s += max(0.0, min(high, end) - max(low, start))
    return shared_s
