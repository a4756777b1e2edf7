"""Progress: one line that says how a load goes, drawn rarely, so that drawing does not make it late."""

from __future__ import annotations

import threading
import time
from collections import deque
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from experiment.report.statistics import percentile
from experiment.wording import count, milliseconds
from loadtest.records import Sample

DRAWN_PER_S = 2
RECENT = 200  # answers whose median is shown


class Progress:
    """Use in a `with` block around the load."""

    def __init__(self, title: str, planned_s: float | None, console: Console, cancel: threading.Event):
        self._title = title
        self._planned_s = planned_s
        self._cancel = cancel
        self._answers = 0
        self.failures = 0
        self._recent_ms: deque[float] = deque(maxlen=RECENT)
        self._in_flight = 0
        self._started_s = time.monotonic()
        self._live = Live(
            console=console, get_renderable=self._words, refresh_per_second=DRAWN_PER_S, transient=True
        )

    def __enter__(self) -> Progress:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def count(self, sample: Sample) -> None:
        """For Watch.on_sample."""
        self._in_flight = sample.in_flight
        if sample.ok:
            self._answers += 1
            self._recent_ms.append(sample.latency_ms)
        else:
            self.failures += 1

    def _words(self) -> Text:
        passed_s = time.monotonic() - self._started_s
        of = f" of {self._planned_s:,.0f}" if self._planned_s else ""
        parts = [f"{self._title}: {passed_s:,.0f}{of} s", count(self._answers, "answer")]
        if self.failures:
            parts.append(count(self.failures, "failure"))
        if self._recent_ms:
            parts.append(f"p50 {milliseconds(percentile(list(self._recent_ms), 50))}")
        parts.append(f"{self._in_flight:,} in flight")
        if self._cancel.is_set():
            parts.append("stopping when the last answers are in; Ctrl-C again leaves at once")
        return Text(", ".join(parts))
