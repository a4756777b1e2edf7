"""Latencies as HdrHistogram, which other tools read: a V2 log and a table of percentiles.

Both hold the answered requests, in microseconds with three digits that count: within 0.1 % of each sample.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Sequence

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogWriter

from loadtest.records import Load, Sample
from loadtest.results.summary import latencies_ms

LOWEST_US, HIGHEST_US = 1, 3_600_000_000  # an hour
DIGITS = 3
US_PER_MS = 1000.0


def histogram(samples_ms: Iterable[float]) -> HdrHistogram:
    """A histogram of latencies in microseconds. One above an hour counts as an hour."""
    made = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
    for latency_us, times in Counter(round(latency_ms * US_PER_MS) for latency_ms in samples_ms).items():
        made.record_value(min(max(latency_us, LOWEST_US), HIGHEST_US), times)
    return made


def hlog(load: Load) -> bytes:
    """A log in HdrHistogram's format 1.2: one base64 V2 histogram for each second; together, the whole."""
    text = io.StringIO()
    writer = HistogramLogWriter(text)
    writer.output_comment("[Latencies in microseconds; Interval_Max in milliseconds]")
    writer.output_log_format_version()
    # Equal to the last digit: readers leave out what begins before StartTime, be it a microsecond.
    started_at = round(load.taken.started_at, 3)
    text.write(f"#[StartTime: {started_at:.3f} (seconds since epoch)]\n")
    writer.output_base_time(started_at * 1e3)
    writer.output_legend()
    for start_s, samples in _by_second(load.taken.samples):
        found = histogram(latencies_ms(samples))
        # 0 would mean "not known" to the writer; it writes six decimals.
        writer.output_interval_histogram(found, start_s or 1e-9, start_s + 1, US_PER_MS)
    return text.getvalue().encode()


def hgrm(load: Load) -> bytes:
    """The distribution of percentiles in milliseconds, as HdrHistogram's plotters read it."""
    made, counted = io.BytesIO(), histogram(latencies_ms(load.taken.samples))
    counted.output_percentile_distribution(made, US_PER_MS)
    deviation_us, deviation_ms = (b"%12.3f" % (counted.get_stddev() / per) for per in (1, US_PER_MS))
    table, footer, rest = made.getvalue().rpartition(b"#[Mean")
    # hdrhistogram 0.10 scales everything but this.
    return table + footer + rest.replace(b"= " + deviation_us, b"= " + deviation_ms)


def _by_second(samples: Sequence[Sample]) -> list[tuple[int, list[Sample]]]:
    found: dict[int, list[Sample]] = {}
    for sample in samples:
        found.setdefault(int(sample.due_s), []).append(sample)
    return sorted(found.items())
