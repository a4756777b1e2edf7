"""summarise(): from the samples of one load to its figures, and whether they can be believed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from experiment.report.statistics import SAMPLES_FOR_P90, SAMPLES_FOR_P99, percentile_from
from loadtest.records import Load, Sample, Summary
from loadtest.results.validity import validity_of

SAMPLE_DIGITS_MS = 3  # as stored: every figure can be computed again from the stored samples


def summarise(load: Load) -> Summary:
    """The figures of one load.

    Failed requests count in `count`, in `failures` and, by their absence, in both rates. Percentiles are
    those of the answered requests, each None below the number of samples that it needs.
    """
    samples, seconds = load.taken.samples, load.taken.seconds
    answered_ms = latencies_ms(samples)
    right = [sample.right for sample in samples if sample.right is not None]
    figures = Summary(
        count=len(samples),
        failures=len(samples) - len(answered_ms),
        achieved_per_s=len(answered_ms) / seconds if samples else None,
        goodput_per_s=sum(right) / seconds if right else None,
        p50_ms=percentile_from(1, answered_ms, 50),
        p90_ms=percentile_from(SAMPLES_FOR_P90, answered_ms, 90),
        p99_ms=percentile_from(SAMPLES_FOR_P99, answered_ms, 99),
        max_ms=max(answered_ms, default=None),
        causes=dict(Counter(sample.cause for sample in samples if sample.cause).most_common()),
    )
    validity, reasons = validity_of(load, figures)
    return replace(figures, validity=validity, reasons=reasons)


def latencies_ms(samples: Sequence[Sample]) -> list[float]:
    """Of the answered requests, to the microsecond, as they are stored."""
    return [round(sample.latency_ms, SAMPLE_DIGITS_MS) for sample in samples if sample.ok]
