"""How long parts of the front end's work took, as its GET /metrics shows them. Times are in ms."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

KEPT: Final = 1028  # latest times of each, as many as Dropwizard's reservoir has
PREFIX: Final = "zoo.serving."
PERCENTILES: Final = {
    "_75thPercentile": 75,
    "_95thPercentile": 95,
    "_98thPercentile": 98,
    "_99thPercentile": 99,
    "_999thPercentile": 99.9,
}


class Timers:
    """All timers of one process. A percentile is that of the latest KEPT times."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._counts: dict[str, int] = defaultdict(int)
        self._times_ms: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=KEPT))

    def add(self, name: str, time_ms: float) -> None:
        """Note one time."""
        with self._lock:
            self._counts[name] += 1
            self._times_ms[name].append(time_ms)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Note the time that the block takes, also if it raises."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, (time.perf_counter() - began) * 1e3)

    def as_json(self) -> list[dict[str, Any]]:
        """Every timer that was used."""
        with self._lock:
            found = [(name, self._counts[name], list(times)) for name, times in self._times_ms.items()]
        passed_s = time.monotonic() - self._began
        return [_row(name, count, np.array(times), count / passed_s) for name, count, times in sorted(found)]


def _row(name: str, count: int, times_ms: np.ndarray, per_s: float) -> dict[str, Any]:
    return {
        "name": PREFIX + name,
        "count": count,
        "meanRate": per_s,
        "min": int(times_ms.min()),
        "max": int(times_ms.max()),
        "mean": float(times_ms.mean()),
        "median": float(np.median(times_ms)),
        "stdDev": float(times_ms.std()),
        **{key: float(np.percentile(times_ms, percent)) for key, percent in PERCENTILES.items()},
    }
