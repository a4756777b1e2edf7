"""Counters, histograms and gauges in Prometheus' text exposition format 0.0.4.

Those of prometheus_client end the name of every counter in `_total`, and dashboards for TensorFlow Serving
ask for names without it. Adding a value takes well under 1 us.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

# Label values come from requests too (names of unknown models); they must not fill the memory.
LIMIT = 1000  # label sets of one metric
OTHER = "(other)"

Labels = tuple[str, ...]


@dataclass
class Counter:
    """A sum for every combination of label values."""

    name: str
    help: str
    labels: Labels = ()
    _sums: dict[Labels, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, values: Labels, amount: float = 1) -> None:
        with self._lock:
            if values not in self._sums:
                values = _bounded(values, len(self._sums))
            self._sums[values] = self._sums.get(values, 0) + amount

    def lines(self) -> Iterator[str]:
        with self._lock:
            sums = dict(self._sums)
        yield from _head(self.name, self.help, "counter")
        for values, total in sums.items():
            yield _line(self.name, self.labels, values, total)


@dataclass
class Histogram:
    """For every combination of label values, how many amounts were at most as large as every bound."""

    name: str
    help: str
    labels: Labels
    bounds: Sequence[float]  # ascending; the last bucket has none
    _rows: dict[Labels, list[float]] = field(default_factory=dict)  # the count of each bucket, then the sum
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def observe(self, values: Labels, amount: float) -> None:
        bucket = bisect_left(self.bounds, amount)
        with self._lock:
            if values not in self._rows:
                values = _bounded(values, len(self._rows))
                self._rows.setdefault(values, [0] * (len(self.bounds) + 2))
            row = self._rows[values]
            row[bucket] += 1
            row[-1] += amount

    def lines(self) -> Iterator[str]:
        with self._lock:
            rows = {values: list(row) for values, row in self._rows.items()}
        yield from _head(self.name, self.help, "histogram")
        for values, (*counts, total) in rows.items():
            so_far = 0.0
            for bound, count in zip((*map(_number, self.bounds), "+Inf"), counts, strict=True):
                so_far += count
                yield _line(f"{self.name}_bucket", (*self.labels, "le"), (*values, bound), so_far)
            yield _line(f"{self.name}_sum", self.labels, values, total)
            yield _line(f"{self.name}_count", self.labels, values, so_far)


@dataclass(frozen=True)
class Gauge:
    """Values that are read when the page is."""

    name: str
    help: str
    label: str  # "": no label, and `values` has the one key ""
    values: Callable[[], Mapping[str, float]]  # by label value

    def lines(self) -> Iterator[str]:
        yield from _head(self.name, self.help, "gauge")
        labels = (self.label,) if self.label else ()
        for value, amount in self.values().items():
            yield _line(self.name, labels, (value,)[: len(labels)], amount)


def _bounded(values: Labels, known: int) -> Labels:
    """The label values to count under: their own, or OTHER once LIMIT combinations are known."""
    return values if known < LIMIT else (OTHER,) * len(values)


def _head(name: str, text: str, kind: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"


def _line(name: str, labels: Labels, values: Labels, amount: float) -> str:
    escaped = (value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n") for value in values)
    pairs = ",".join(f'{label}="{value}"' for label, value in zip(labels, escaped, strict=True))
    return f"{name}{{{pairs}}} {_number(amount)}"


def _number(amount: float) -> str:
    return f"{amount:.12g}"
