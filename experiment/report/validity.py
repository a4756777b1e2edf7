"""May a cell's numbers be believed? VALID, NOISY or INVALID, each with reasons in plain words.

INVALID: failed requests, too few samples, cores shared with another backend while both
were timed, a client too busy to time something this fast, or an image with a browser's
noise in it. NOISY: the 95 % interval of p50 is wider than 10 % to either side, or the
backend went away in mid-run. VALID: none of these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from experiment.records import BackendInfo, Failure, RunState, Validity, is_live
from experiment.report.contention import NOT_THERE
from experiment.report.statistics import SAMPLES_FOR_INTERVAL, median_interval, percentile
from experiment.wording import count, listed, milliseconds, sentence, span

NOISE_SHARE = 0.10  # the interval may reach this far from p50, to either side

# This app wakes every 10 ms while it measures. A beat that comes 10 ms late, where it
# happens in more than 1 of 100, leaves latencies below 10 ms without meaning.
LATE_MS = 10.0
LATE_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the whole run was measured under."""

    state: RunState
    core_rivals: Mapping[str, Sequence[str]] = field(default_factory=dict)  # see contention.py
    late_ms: float | None = None  # how late this app woke up at worst; None: it was quiet
    interrupted: frozenset[str] = frozenset()  # backends that answered, went away and came back

    @property
    def is_running(self) -> bool:
        """Whether more measurements may come."""
        return is_live(self.state)


def late_ms(environment: Mapping[str, Any]) -> float | None:
    """The worst delay of this app while measuring, in ms; None when it was quiet or not watched."""
    worst, share = environment.get("heartbeat_max_ms"), environment.get("heartbeat_late_share")
    if worst is None or worst <= LATE_MS or (share is not None and share <= LATE_SHARE):
        return None
    return float(worst)


def judge(
    backend: BackendInfo,
    samples_ms: Sequence[float],
    failures: int,
    failure_reasons: Sequence[Failure],
    conditions: Conditions,
    not_sent: int = 0,
) -> tuple[Validity, tuple[str, ...]]:
    """The verdict on one cell, and one sentence for each reason."""
    if not samples_ms and not failures and not not_sent:
        return "INVALID", (_not_measured(backend, conditions),)
    invalid = tuple(_invalid(backend, samples_ms, conditions))
    if not_sent:
        why = next(failure for failure in failure_reasons if not failure.was_sent)
        invalid = (_left_out(len(samples_ms) + failures + not_sent, not_sent, why), *invalid)
    if failures:
        why = next(failure for failure in failure_reasons if failure.was_sent)
        invalid = (_failed(len(samples_ms), failures, why), *invalid)
    if invalid:
        return "INVALID", invalid
    low, high = median_interval(samples_ms) or (0.0, 0.0)
    p50 = percentile(samples_ms, 50)
    if backend.name in conditions.interrupted:
        return "NOISY", (_interrupted(backend),)
    if low < p50 * (1 - NOISE_SHARE) or high > p50 * (1 + NOISE_SHARE):
        return "NOISY", (_noisy(p50, low, high),)
    return "VALID", (_valid(len(samples_ms), p50, low, high),)


NOISE_IN_PIXELS = (
    "The browser changes pixels it reads back, so this variant contains noise. Use server resize, or allow "
    "canvas for this site."
)


def with_noise(validity: Validity, reasons: tuple[str, ...]) -> tuple[Validity, tuple[str, ...]]:
    """The verdict on a cell whose image holds noise of the browser's making."""
    others = reasons if validity == "INVALID" else ()
    return "INVALID", (NOISE_IN_PIXELS, *others)


def _invalid(backend: BackendInfo, samples_ms: Sequence[float], conditions: Conditions) -> Iterator[str]:
    if 0 < len(samples_ms) < SAMPLES_FOR_INTERVAL:  # without any, why there are none says it all
        yield _too_few(len(samples_ms), conditions.is_running)
    if backend.name in conditions.core_rivals:
        yield _contended(conditions.core_rivals[backend.name])
    if conditions.late_ms is not None and samples_ms and percentile(samples_ms, 50) < LATE_MS:
        yield _busy(conditions.late_ms)


def _interrupted(backend: BackendInfo) -> str:
    return (
        f"{backend.name} stopped answering during the run and came back, so these samples may come from "
        "two processes, the second one cold. Run again."
    )


def _not_measured(backend: BackendInfo, conditions: Conditions) -> str:
    if backend.state in NOT_THERE:
        return f"Nothing was measured. {sentence(backend.detail or backend.state)}"
    if conditions.is_running:
        return "Nothing measured so far."
    return "The run ended before this was measured. Run again to fill it in."


def _failed(answered: int, failures: int, reason: Failure) -> str:
    asked = answered + failures
    many = f"All {asked:,}" if not answered and asked > 1 else f"{failures:,} of {asked:,}"
    return f"{many} requests failed: {sentence(reason.message)} They are not counted as latencies."


def _left_out(planned: int, not_sent: int, reason: Failure) -> str:
    """The reason's own sentence, which begins with "Not sent:"."""
    why = sentence(reason.message)
    return why if not_sent == planned else f"{not_sent:,} of {count(planned, 'request')}: {why}"


def _too_few(samples: int, is_running: bool) -> str:
    if is_running:
        return f"Only {count(samples, 'sample')} so far; p50 needs at least {SAMPLES_FOR_INTERVAL}."
    return (
        f"Only {count(samples, 'sample')}: too few for a 95 % interval. "
        f"Use at least {SAMPLES_FOR_INTERVAL} repeats; 20 is a good start."
    )


def _contended(rivals: Sequence[str]) -> str:
    return (
        f"It shared its cores with {listed(rivals)} while both were measured, so they slowed each other. "
        'Run again with the order "auto".'
    )


def _busy(worst_ms: float) -> str:
    return (
        f"This app was busy while measuring (event delay up to {milliseconds(worst_ms)}), too busy to time "
        f"less than {LATE_MS:.0f} ms. Close other programs and run again."
    )


def _noisy(p50_ms: float, low_ms: float, high_ms: float) -> str:
    return (
        f"p50 is known only to ±{_width(p50_ms, low_ms, high_ms)} (95 %: {span(low_ms, high_ms)}). "
        "Add repeats, or close other programs."
    )


def _valid(samples: int, p50_ms: float, low_ms: float, high_ms: float) -> str:
    return f"{count(samples, 'sample')}, no failures, p50 known to ±{_width(p50_ms, low_ms, high_ms)} (95 %)."


def _width(p50_ms: float, low_ms: float, high_ms: float) -> str:
    """The longer arm of the interval, in percent of p50."""
    share = max(p50_ms - low_ms, high_ms - p50_ms) / p50_ms if p50_ms else 0.0
    return f"{share * 100:.1f} %" if share < 0.095 else f"{share * 100:.0f} %"
