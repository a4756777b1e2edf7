"""Counters, histograms and gauges as Prometheus reads them: text exposition format 0.0.4.

Not prometheus_client's own: it ends the name of every counter in `_total`, and the dashboards that
people have for TensorFlow Serving ask for names without it. Adding one value takes well under 1 us.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

# Label values come from requests too (names of unknown models); they must not fill the memory.
LIMIT = 1000  # label sets of one metric
OTHER = "(other)"

Labels = tuple[str, ...]


class Shown(Protocol):
    """What a page is made of."""

    def lines(self) -> Iterator[str]: ...


@dataclass
class Counter:
    """Sums by label values."""

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
    """How many values were at most as large as each bound, by label values."""

    name: str
    help: str
    labels: Labels
    bounds: Sequence[float]  # ascending; the last bucket is without one
    _rows: dict[Labels, list[float]] = field(default_factory=dict)  # the count of each bucket, then the sum
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def observe(self, values: Labels, amount: float) -> None:
        bucket = bisect_left(self.bounds, amount)
        with self._lock:
            row = self._rows.get(values) or self._row(values)
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

    def _row(self, values: Labels) -> list[float]:
        return self._rows.setdefault(_bounded(values, len(self._rows)), [0] * (len(self.bounds) + 2))


@dataclass(frozen=True)
class Gauge:
    """Values that are asked for when somebody reads them."""

    name: str
    help: str
    label: str  # "": none, and the only value stands under ""
    values: Callable[[], Mapping[str, float]]  # by label value

    def lines(self) -> Iterator[str]:
        yield from _head(self.name, self.help, "gauge")
        labels = (self.label,) if self.label else ()
        for value, amount in self.values().items():
            yield _line(self.name, labels, (value,)[: len(labels)], amount)


def _bounded(values: Labels, known: int) -> Labels:
    """The key of a label set that was not seen before, when so many are known."""
    return values if known < LIMIT else (OTHER,) * len(values)


def _head(name: str, text: str, kind: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"


def _line(name: str, labels: Labels, values: Labels, amount: float) -> str:
    pairs = ",".join(f'{label}="{_escaped(value)}"' for label, value in zip(labels, values, strict=True))
    return f"{name}{{{pairs}}} {_number(amount)}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(amount: float) -> str:
    return f"{amount:.12g}"
