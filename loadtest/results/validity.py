"""validity_of(): whether a load test measured the server, and not its own generator.

A reason says what happened and what to do. INVALID: the figures may not be used. NOISY: they are right, but
say less than it seems.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from experiment.records import Validity
from experiment.report.statistics import percentile
from experiment.wording import count, listed, milliseconds, number, sentence
from loadtest.machine import shares_machine
from loadtest.records import Load, Sample, Summary
from loadtest.send.open_loop import FULL, MOST_IN_FLIGHT

MOST_LATE_MS = 1.0  # of a percentile of the latencies that may be the generator's own delay,
MOST_LATE_SHARE = 0.05  # or this part of it, if that is more
LEAST_OF_RATE = 0.95  # sent over asked
MOST_CPU_PERCENT = 90.0  # of the one core that Python uses
LEAST_S = 0.5  # CPU time says little of a load that was over sooner
MOST_FAILED_SHARE = 0.01

_Found = Iterator[tuple[Validity, str]]
_ELSEWHERE = "run the generator on a machine with more, or less used, cores"


def validity_of(load: Load, figures: Summary) -> tuple[Validity, tuple[str, ...]]:
    """The verdict on a load, and the reasons, those of the verdict first."""
    found = [
        *_of_generator(load, figures),
        *_of_answers(load, figures),
        *_of_labels(load),
        *_of_target(load),
    ]
    levels: tuple[Validity, ...] = ("INVALID", "NOISY", "VALID")
    ordered = sorted(found, key=lambda each: levels.index(each[0]))
    return (ordered[0][0] if ordered else "VALID"), tuple(words for _, words in ordered)


def _of_generator(load: Load, figures: Summary) -> _Found:
    taken, is_open = load.taken, load.arrivals != "closed"
    if is_open and (words := _rate_missed(taken.samples) or _late(taken.samples, figures)):
        fewer = "Send fewer at once" if load.arrivals == "burst" else "Lower the rate"
        yield "INVALID", f"{words} {fewer}, send smaller payloads, or {_ELSEWHERE}."
    cpu_percent = taken.generator.cpu_percent
    if cpu_percent > MOST_CPU_PERCENT and taken.seconds >= LEAST_S:
        yield (
            "INVALID",
            f"The generator used {cpu_percent:.0f} % of one core, all that it can use: it may have been the "
            f"limit, not the server. Lower the load, send smaller payloads, or {_ELSEWHERE}.",
        )
    if taken.stopped == FULL.format(MOST_IN_FLIGHT):
        yield "INVALID", f"{taken.stopped} The server can't keep up with this rate: lower it."
    elif taken.stopped:
        yield "VALID", sentence(taken.stopped)


def _rate_missed(samples: Sequence[Sample]) -> str | None:
    """A sentence if sending took longer than the schedule says."""
    planned_s = samples[-1].due_s - samples[0].due_s if samples else 0.0
    if planned_s <= 0:
        return None
    sent_s = max(sample.sent_s for sample in samples) - min(sample.sent_s for sample in samples)
    asked_per_s, sent_per_s = (len(samples) - 1) / planned_s, (len(samples) - 1) / max(sent_s, 1e-9)
    if sent_per_s >= LEAST_OF_RATE * asked_per_s:
        return None
    return (
        f"Asked {number(asked_per_s)}/s, sent {number(sent_per_s)}/s: this machine can't generate the rate."
    )


def _late(samples: Sequence[Sample], figures: Summary) -> str | None:
    """A sentence if a percentile is the generator's own delay for a part that counts.

    Latencies count from when a request was due, so a delay is within them. Like is held against like: a
    delay of one request in a hundred is in the p99, and does not touch the median.
    """
    late_ms = [(sample.sent_s - sample.due_s) * 1e3 for sample in samples]
    for percent, latency_ms in ((50, figures.p50_ms), (90, figures.p90_ms), (99, figures.p99_ms)):
        if latency_ms is None:
            continue
        delay_ms = percentile(late_ms, percent)
        if delay_ms > max(MOST_LATE_MS, MOST_LATE_SHARE * latency_ms):
            return (
                f"The generator was late: it sent {100 - percent} % of the requests more than "
                f"{milliseconds(delay_ms)} after their time, too much of the p{percent} of "
                f"{milliseconds(latency_ms)}."
            )
    return None


def _of_answers(load: Load, figures: Summary) -> _Found:
    if not figures.count:
        yield "INVALID", "No request was sent."
        return
    if not figures.failures:
        return
    causes = ", ".join(f"{number_:,} x {cause}" for cause, number_ in figures.causes.items())
    first = load.taken.messages.get(next(iter(figures.causes), ""), "")
    is_address = first.startswith(load.target.address)  # "localhost:8500 is overloaded"
    example = f" {sentence(first, capital=not is_address)}" if first else ""
    if figures.failures == figures.count:
        yield "INVALID", f"Every request failed ({causes}).{example}"
        return
    level: Validity = "NOISY" if figures.failures > MOST_FAILED_SHARE * figures.count else "VALID"
    yield (
        level,
        f"{figures.failures:,} of {count(figures.count, 'request')} failed "
        f"({100 * figures.failures / figures.count:.3g} %: {causes}). They count in the rates; the "
        f"percentiles are those of the answered requests.{example}",
    )


def _of_labels(load: Load) -> _Found:
    if any(sample.right is not None for sample in load.taken.samples) and not any(
        sample.right for sample in load.taken.samples
    ):
        wanted = listed(
            list(dict.fromkeys(label for labels in load.payload.expected for label in labels if label))
        )
        yield (
            "VALID",
            f"Not one image was answered with the label {wanted}: is it written as the model writes it?",
        )


def _of_target(load: Load) -> _Found:
    if shares_machine(load.target):
        yield (
            "VALID",
            f"{load.target.name} ran on the machine that generated the load, and both used its cores. "
            "For the server's own limit, run the generator on another machine.",
        )
