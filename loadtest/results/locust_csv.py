"""The four CSV files of a load in the columns of Locust 2.47, so that notebooks made for Locust read them.

As in Locust, the response times here are those of all requests, the failed ones too: load.json has those of
the answered ones. A percentile that needs more requests than there were is "N/A", as Locust writes it.
"""

from __future__ import annotations

import csv
import io
import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from heapq import heappush, heappushpop
from typing import Any

from experiment.backends.rest import model_path
from experiment.codec import csv_field
from experiment.protocol import PREDICT
from experiment.report.statistics import percentile
from loadtest.records import Load, Sample

Rows = Iterable[Sequence[Any]]
PERCENTS = (50, 66, 75, 80, 90, 95, 98, 99, 99.9, 99.99, 100)
UNKNOWN = "N/A"
SURENESS = 0.99  # MLPerf's: 64 requests for p90 and 662 for p99 follow from it
TOTAL = "Aggregated"
_PERCENT_COLUMNS = tuple(f"{percent}%" for percent in PERCENTS)
STATS = (
    *("Type", "Name", "Request Count", "Failure Count", "Median Response Time", "Average Response Time"),
    *("Min Response Time", "Max Response Time", "Average Content Size", "Requests/s", "Failures/s"),
    *_PERCENT_COLUMNS,
)
HISTORY = (
    *("Timestamp", "User Count", "Type", "Name", "Requests/s", "Failures/s"),
    *_PERCENT_COLUMNS,
    *("Total Request Count", "Total Failure Count", "Total Median Response Time"),
    *("Total Average Response Time", "Total Min Response Time", "Total Max Response Time"),
    "Total Average Content Size",
)
FAILURES = ("Method", "Name", "Error", "Occurrences", "First Seen", "Last Seen")
EXCEPTIONS = ("Count", "Message", "Traceback", "Nodes")


def locust_files(load: Load) -> dict[str, Callable[[], bytes]]:
    """File name -> what makes its content. Names begin with rest_ or grpc_, and single or batch."""
    prefix = f"{load.target.protocol}_{'batch' if load.payload.batch > 1 else 'single'}"
    rows: dict[str, Callable[[], Rows]] = {
        "stats": lambda: _stats(load),
        "stats_history": lambda: _history(load),
        "failures": lambda: _failures(load),
        "exceptions": lambda: [EXCEPTIONS],  # whatever fails here is a failed request
    }
    return {f"{prefix}_{name}.csv": partial(_csv, make) for name, make in rows.items()}


@cache
def requests_for(percent: float) -> int:
    """How many requests a percentile needs: with fewer, hardly one lies above it. 90 -> 64, 99 -> 662."""
    share = percent / 100
    if percent in {50, 100}:
        return 1
    return next(
        count
        for count in itertools.count(1)
        if share**count + count * (1 - share) * share ** (count - 1) <= 1 - SURENESS
    )


def _csv(make: Callable[[], Rows]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(make())
    return text.getvalue().encode()


def _stats(load: Load) -> Rows:
    samples, seconds = load.taken.samples, load.taken.seconds
    failures = sum(not sample.ok for sample in samples)
    totals = _Totals()
    totals.add(samples)
    values = (*totals.figures(), len(samples) / seconds, failures / seconds, *_percentiles(samples))
    yield STATS
    if samples:
        yield *_names(load), *map(_shown, values)
    yield "", TOTAL, *map(_shown, values)


def _history(load: Load) -> Rows:
    """One row for every second in which a request was due, with what came up to then as totals."""
    yield HISTORY
    totals = _Totals()
    for second, found in itertools.groupby(load.taken.samples, key=lambda sample: int(sample.due_s)):
        samples = list(found)
        totals.add(samples)
        users = load.in_flight or max(sample.in_flight for sample in samples)
        failures = sum(not sample.ok for sample in samples)
        values = (len(samples), failures, *_percentiles(samples), *totals.figures())
        yield int(load.taken.started_at) + second, users, "", TOTAL, *map(_shown, values)


def _failures(load: Load) -> Rows:
    yield FAILURES
    by_cause: dict[str, list[float]] = {}
    for sample in load.taken.samples:
        if not sample.ok:
            at = load.taken.started_at + sample.due_s + sample.latency_ms / 1e3
            by_cause.setdefault(sample.cause or "server_error", []).append(at)
    for cause, seen_at in by_cause.items():
        error = csv_field(f"{cause}: {load.taken.messages.get(cause, 'no message')}")
        yield *_names(load), error, len(seen_at), _utc(min(seen_at)), _utc(max(seen_at))


class _Totals:
    """Everything so far, one request after another. Keeps the median in two heaps."""

    def __init__(self) -> None:
        self._count = self._failures = 0
        self._sum_ms, self._least_ms, self._most_ms = 0.0, float("inf"), 0.0
        self._bytes: list[int] = []
        self._lower: list[float] = []  # the smaller half, negated
        self._upper: list[float] = []

    def add(self, samples: Iterable[Sample]) -> None:
        """Count these too."""
        for sample in samples:
            latency_ms = sample.latency_ms
            self._count += 1
            self._failures += not sample.ok
            self._sum_ms += latency_ms
            self._least_ms = min(self._least_ms, latency_ms)
            self._most_ms = max(self._most_ms, latency_ms)
            if sample.answer_bytes is not None:
                self._bytes.append(sample.answer_bytes)
            if len(self._lower) > len(self._upper):
                heappush(self._upper, -heappushpop(self._lower, -latency_ms))
            else:
                heappush(self._lower, -heappushpop(self._upper, latency_ms))

    def figures(self) -> tuple[float | None, ...]:
        """Count, failures, median, average, least and most in ms, average bytes of an answer."""
        if not self._count:
            return 0, 0, 0, 0, 0, 0, 0
        lower, upper = -self._lower[0], self._upper[0] if self._upper else 0.0
        median_ms = lower if len(self._lower) > len(self._upper) else (lower + upper) / 2
        average_bytes = sum(self._bytes) / len(self._bytes) if self._bytes else None
        times_ms = (median_ms, self._sum_ms / self._count, self._least_ms, self._most_ms)
        return self._count, self._failures, *times_ms, average_bytes


def _percentiles(samples: Sequence[Sample]) -> list[float | None]:
    times_ms = [sample.latency_ms for sample in samples]
    return [
        percentile(times_ms, percent) if len(times_ms) >= requests_for(percent) else None
        for percent in PERCENTS
    ]


def _names(load: Load) -> tuple[str, str]:
    is_rest = load.target.protocol == "rest"
    return ("POST", f"{model_path(load.target)}:predict") if is_rest else ("grpc", PREDICT)


def _shown(value: float | None) -> Any:
    return UNKNOWN if value is None else round(value, 3)


def _utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
