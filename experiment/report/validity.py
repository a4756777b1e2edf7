"""May a cell's numbers be believed? VALID, NOISY or INVALID, each with reasons in plain words.

INVALID: failed requests, too few samples, cores shared with another backend while both
were timed, or an image with a browser's noise in it. NOISY: the 95 % interval of p50 is
wider than 10 % to either side, this machine was too busy for most samples, or the backend
went away in mid-run. VALID: none of these. A busy machine alone never makes a cell INVALID.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from experiment.records import BackendInfo, Failure, RunState, Validity, is_live
from experiment.report.contention import NOT_THERE
from experiment.report.statistics import SAMPLES_FOR_INTERVAL, Samples, interval_over, percentile
from experiment.wording import count, listed, milliseconds, sentence, span

NOISE_SHARE = 0.10  # the interval may reach this far from p50, to either side

# Older runs know only how late this app woke up in all. A beat that comes 10 ms late, where it
# happens in more than 1 of 100, may have touched any latency below 10 ms.
LATE_MS = 10.0
LATE_SHARE = 0.01
MAY_BE_OFF = f"Other programs slowed this machine; times under {LATE_MS:.0f} ms may be off."


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the whole run was measured under."""

    state: RunState
    core_rivals: Mapping[str, Sequence[str]] = field(default_factory=dict)  # see contention.py
    was_busy: bool = False  # this app woke up late, and when is not known: a run from before 1.7
    interrupted: frozenset[str] = frozenset()  # backends that answered, went away and came back

    @property
    def is_running(self) -> bool:
        """Whether more measurements may come."""
        return is_live(self.state)


def was_busy(environment: Mapping[str, Any], late_ms: Iterable[float | None]) -> bool:
    """Whether this app often woke up late without a record of when: some requests have no `late_ms`."""
    worst, share = environment.get("heartbeat_max_ms"), environment.get("heartbeat_late_share")
    if worst is None or worst <= LATE_MS or (share is not None and share <= LATE_SHARE):
        return False
    return any(each is None for each in late_ms)


def judge(
    backend: BackendInfo,
    samples: Samples,
    failures: int,
    failure_reasons: Sequence[Failure],
    conditions: Conditions,
    not_sent: int = 0,
) -> tuple[Validity, tuple[str, ...]]:
    """The verdict on one cell, and one sentence for each reason."""
    samples_ms, apart_ms = samples.counted_ms, samples.disturbed_ms
    if not samples_ms and not failures and not not_sent:
        return "INVALID", (_not_measured(backend, conditions),)
    answered = len(samples_ms) + len(apart_ms)
    invalid = [
        *_unanswered(answered, failures, not_sent, failure_reasons),
        *_invalid(backend, len(samples_ms), conditions),
    ]
    if invalid:
        return "INVALID", tuple(invalid)
    low, high = interval_over(samples_ms, apart_ms) or (0.0, 0.0)
    p50 = percentile(samples_ms, 50)
    width = _width(p50, low, high)
    if noisy := _disturbed(backend, samples, conditions):
        return "NOISY", (noisy,)
    if low < p50 * (1 - NOISE_SHARE) or high > p50 * (1 + NOISE_SHARE):
        return "NOISY", (
            f"p50 {milliseconds(p50)}, 95 %: {span(low, high)} (±{width}). More repeats will narrow it.",
        )
    apart = f" {_delayed(len(apart_ms), answered)}: p50 is without." if apart_ms else ""
    known = f"{count(answered, 'sample')}, no failures, p50 known to ±{width} (95 %)."
    return "VALID", (known + apart,)


def _disturbed(backend: BackendInfo, samples: Samples, conditions: Conditions) -> str:
    """Why the samples can't be told from those of a disturbed moment; empty if they can."""
    if backend.name in conditions.interrupted:
        return (
            f"{backend.name} stopped answering during the run and came back, so these samples may come from "
            "two processes, the second one cold. Run again."
        )
    if samples.disturbed_counted:
        delayed = _delayed(samples.disturbed_counted, len(samples.counted_ms))
        return f"{delayed}. Close other programs and add repeats."
    if conditions.was_busy and percentile(samples.counted_ms, 50) < LATE_MS:
        return MAY_BE_OFF
    return ""


def _delayed(delayed: int, of_all: int) -> str:
    were = "was" if delayed == 1 else "were"
    return f"{delayed:,} of {of_all:,} {were} delayed by other work on this machine"


NOISE_IN_PIXELS = (
    "The browser changes pixels it reads back, so this variant contains noise. Use server resize, or allow "
    "canvas for this site."
)


def with_noise(validity: Validity, reasons: tuple[str, ...]) -> tuple[Validity, tuple[str, ...]]:
    """The verdict on a cell whose image holds noise of the browser's making."""
    others = reasons if validity == "INVALID" else ()
    return "INVALID", (NOISE_IN_PIXELS, *others)


def _unanswered(answered: int, failures: int, not_sent: int, reasons: Sequence[Failure]) -> Iterator[str]:
    """What failed, then what was left out, whose reason says "Not sent" itself."""
    if failures:
        asked, why = answered + failures, next(failure for failure in reasons if failure.was_sent)
        many = f"All {asked:,}" if not answered and asked > 1 else f"{failures:,} of {asked:,}"
        yield f"{many} requests failed: {sentence(why.message)} They are not counted as latencies."
    if not_sent:
        planned = answered + failures + not_sent
        words = sentence(next(failure for failure in reasons if not failure.was_sent).message)
        yield words if not_sent == planned else f"{not_sent:,} of {count(planned, 'request')}: {words}"


def _invalid(backend: BackendInfo, samples: int, conditions: Conditions) -> Iterator[str]:
    if 0 < samples < SAMPLES_FOR_INTERVAL:  # without any, the reason why there are none is enough
        yield _too_few(samples, conditions.is_running)
    if backend.name in conditions.core_rivals:
        rivals = listed(conditions.core_rivals[backend.name])
        yield (
            f"It shared its cores with {rivals} while both were measured, so they slowed each other. "
            'Run again with the order "auto".'
        )


def _not_measured(backend: BackendInfo, conditions: Conditions) -> str:
    if backend.state in NOT_THERE:
        return f"Nothing was measured. {sentence(backend.detail or backend.state)}"
    if conditions.is_running:
        return "Nothing measured so far."
    return "The run ended before this was measured. Run again to fill it in."


def _too_few(samples: int, is_running: bool) -> str:
    if is_running:
        return f"Only {count(samples, 'sample')} so far; p50 needs at least {SAMPLES_FOR_INTERVAL}."
    return (
        f"Only {count(samples, 'sample')}: too few for a 95 % interval. "
        f"Use at least {SAMPLES_FOR_INTERVAL} repeats; 20 is a good start."
    )


def _width(p50_ms: float, low_ms: float, high_ms: float) -> str:
    """The longer arm of the interval, in percent of p50."""
    share = max(p50_ms - low_ms, high_ms - p50_ms) / p50_ms if p50_ms else 0.0
    return f"{share * 100:.1f} %" if share < 0.095 else f"{share * 100:.0f} %"
