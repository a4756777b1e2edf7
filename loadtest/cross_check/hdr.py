"""Our latencies as HdrHistogram, read back by its own library: what another tool will see of our file."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

from loadtest.cross_check.comparison import Row
from loadtest.cross_check.target import SAMPLES, Target
from loadtest.records import Load, Taken
from loadtest.results.hdr import DIGITS, HIGHEST_US, LOWEST_US, US_PER_MS, hlog

HLOG = "latency.hlog"
READER = "hdrhistogram, from our file"
PERCENTS = {"p50_ms": 50, "p90_ms": 90, "p99_ms": 99}


def write_hlog(target: Target, taken: Taken, folder: Path) -> None:
    """The file that every load test writes beside its samples."""
    load = Load(
        kind="rate",
        target=target.info,
        payload=target.payload,
        arrivals="poisson",
        offered_per_s=None,
        planned_s=None,
        taken=taken,
        environment={},
    )
    (folder / HLOG).write_bytes(hlog(load))


def hdr_rows(scenario: str, folders: Iterable[Path]) -> list[Row]:
    """A row for each percentile: `theirs` is read from the file, `ours` from the samples, of every run."""
    runs = [(_read(folder / HLOG), _latencies_ms(folder / SAMPLES)) for folder in folders]
    return [
        Row(
            tool=READER,
            scenario=scenario,
            figure=figure,
            theirs=tuple(found.get_value_at_percentile(percent) / US_PER_MS for found, _ in runs),
            ours=tuple(_counted_as_hdr(samples, percent) for _, samples in runs),
        )
        for figure, percent in PERCENTS.items()
    ]


def _read(file: Path) -> HdrHistogram:
    whole = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
    reader = HistogramLogReader(str(file), HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS))
    while reader.add_next_interval_histogram(whole):
        pass
    reader.close()
    return whole


def _latencies_ms(file: Path) -> list[float]:
    with file.open() as rows:
        return [float(row["latency_ms"]) for row in csv.DictReader(rows)]


def _counted_as_hdr(samples_ms: Sequence[float], percent: int) -> float:
    """HdrHistogram's rule: the smallest sample that so many per cent do not exceed."""
    return sorted(samples_ms)[math.ceil(len(samples_ms) * percent / 100) - 1]
