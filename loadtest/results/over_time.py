"""over_time(): what a load was like in each second of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from experiment.report.statistics import SAMPLES_FOR_P90, SAMPLES_FOR_P99, percentile_from
from loadtest.records import Sample
from loadtest.results.summary import latencies_ms


@dataclass(frozen=True, slots=True)
class Second:
    """The requests that were due in one second."""

    start_s: int  # from the start of the load
    requests: int
    failures: int
    in_flight_max: int  # without an answer when one of them was sent; in a closed loop, the users
    late_max_ms: float  # sent later than due
    p50_ms: float | None  # of the answered ones; each None below the samples that it needs
    p90_ms: float | None
    p99_ms: float | None
    max_ms: float | None


def over_time(samples: Sequence[Sample]) -> list[Second]:
    """One row for every second in which a request was due, in order."""
    by_second: dict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_second[int(sample.due_s)].append(sample)
    return [_second(start_s, by_second[start_s]) for start_s in sorted(by_second)]


def _second(start_s: int, samples: Sequence[Sample]) -> Second:
    answered_ms = latencies_ms(samples)
    return Second(
        start_s=start_s,
        requests=len(samples),
        failures=len(samples) - len(answered_ms),
        in_flight_max=max(sample.in_flight for sample in samples),
        late_max_ms=max((sample.sent_s - sample.due_s) * 1e3 for sample in samples),
        p50_ms=percentile_from(1, answered_ms, 50),
        p90_ms=percentile_from(SAMPLES_FOR_P90, answered_ms, 90),
        p99_ms=percentile_from(SAMPLES_FOR_P99, answered_ms, 99),
        max_ms=max(answered_ms, default=None),
    )
