"""Repeats that were added to a finished run: joined to its samples, and compared with them first.

Two sessions of measuring need not be alike: the machine may be busier an hour later. What was added
counts as samples like the others, but where the two disagree a warning says so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from experiment.records import Addition, Measurement, Plan, Run, Variant, Warning_
from experiment.report.statistics import is_disturbed, median_interval, percentile
from experiment.wording import count, milliseconds, ratio, sized_name

CODES = {
    "W20": "repeats that were added later took a different time",
    "W21": "cells that had failed were measured again",
}
_HEARTBEAT = ("heartbeat_max_ms", "heartbeat_late_share")


@dataclass(frozen=True, slots=True)
class Session:
    """An addition with what it measured."""

    addition: Addition
    measurements: Sequence[Measurement]


def addition_of(
    id_: str,
    created_at: float,
    state: Any,
    plan: Plan,
    environment: Mapping[str, Any],
    taken: Sequence[Measurement],
) -> Addition:
    """What a report says of a session: as many repeats as every cell got."""
    per_cell: dict[tuple[str, str], int] = defaultdict(int)
    for measurement in taken:
        per_cell[measurement.variant_id, measurement.backend_name] += _counts(measurement)
    repeats = min(per_cell.values(), default=0)
    return Addition(id_, created_at, state, repeats, plan.seed, environment)


def retry_of(addition: Addition, plan: Plan, taken: Sequence[Measurement]) -> Addition:
    """The same for a session that measured some cells of one backend again."""
    return replace(
        addition,
        backend_name=taken[0].backend_name,
        retried=tuple(dict.fromkeys(measurement.variant_id for measurement in taken)),
        timeout_s=plan.timeout_s,
    )


def joined(run: Run, sessions: Sequence[Session]) -> Run:
    """The run as if all sessions had been part of it, with the worst delays of all.

    Measurements are in the order they were taken; of a cell that was measured again only the last time.
    """
    environment, measurements, left_out = dict(run.environment), list(run.measurements), 0
    for session in sessions:
        again = _retried_cells(session)
        kept = [
            measurement
            for measurement in measurements
            if (measurement.variant_id, measurement.backend_name) not in again
        ]
        left_out += len(measurements) - len(kept)
        measurements = [*kept, *session.measurements]
    for name in _HEARTBEAT:
        seen = [environment.get(name), *(session.addition.environment.get(name) for session in sessions)]
        known = [value for value in seen if value is not None]
        if known:
            environment[name] = max(known)
    added = sum(session.addition.repeats for session in sessions if not session.addition.retried)
    return replace(
        run,
        plan=replace(run.plan, repeats=run.plan.repeats + added),
        environment=environment,
        measurements=measurements,
        requests_planned=run.requests_planned - left_out,
    )


def _retried_cells(session: Session) -> set[tuple[str, str | None]]:
    return {(variant_id, session.addition.backend_name) for variant_id in session.addition.retried}


def retried(measurements: Sequence[Measurement], sessions: Sequence[Session]) -> tuple[Warning_, ...]:
    """A note for each session that measured failed cells again: what is no longer counted."""
    notes = []
    for session in sessions:
        cells, addition = _retried_cells(session), session.addition
        gone = [
            measurement
            for measurement in measurements
            if (measurement.variant_id, measurement.backend_name) in cells
        ]
        if cells:
            failed = sum(
                measurement.failure is not None and measurement.failure.was_sent for measurement in gone
            )
            were = "was" if len(cells) == 1 else "were"
            notes.append(
                f"{count(len(cells), 'cell')} of {addition.backend_name} {were} measured again with a time "
                f"limit of {addition.timeout_s:g} s. Left out: {count(len(gone), 'earlier request')}, "
                f"{failed:,} of which failed."
            )
    return tuple(Warning_("W21", note, "note") for note in notes)


def differing(
    measurements: Sequence[Measurement], sessions: Sequence[Session], variants: Sequence[Variant]
) -> tuple[Warning_, ...]:
    """A warning for each session that did not time as the run before it did."""
    first = _samples(measurements)
    return tuple(
        Warning_("W20", sentence)
        for session in sessions
        if not session.addition.retried
        for sentence in _difference(first, session, {variant.id: variant for variant in variants})
    )


def _difference(
    first: Mapping[tuple[str, str], Sequence[float]], session: Session, variants: Mapping[str, Variant]
) -> Iterator[str]:
    added = _samples(session.measurements)
    cells = [cell for cell in first if cell in added]
    apart = [cell for cell in cells if _are_apart(first[cell], added[cell])]
    if not apart:
        return
    medians_ms = {cell: (percentile(first[cell], 50), percentile(added[cell], 50)) for cell in apart}
    worst = max(apart, key=lambda cell: ratio(max(medians_ms[cell]), min(medians_ms[cell])))
    before_ms, after_ms = medians_ms[worst]
    name = f"{sized_name(variants[worst[0]])} on {worst[1]}"
    yield (
        f"The added repeats took a different time in {len(apart):,} of {count(len(cells), 'cell')}: the "
        f"p50 of {name} was {milliseconds(before_ms)} and then {milliseconds(after_ms)}. "
        "The machine was in a different state; a new run measures everything again."
    )


def _are_apart(first: Sequence[float], added: Sequence[float]) -> bool:
    """Whether the 95 % intervals of the two middles share no value."""
    one, other = median_interval(first), median_interval(added)
    return bool(one and other) and (one[1] < other[0] or other[1] < one[0])  # type: ignore[index]


def _samples(measurements: Iterable[Measurement]) -> dict[tuple[str, str], list[float]]:
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for measurement in measurements:
        latency_ms, late_ms = measurement.latency_ms or 0.0, measurement.late_ms
        is_quiet = _counts(measurement) and not is_disturbed(latency_ms, late_ms)
        if is_quiet and measurement.prediction is not None:
            found[measurement.variant_id, measurement.backend_name].append(latency_ms)
    return found


def _counts(measurement: Measurement) -> bool:
    return not measurement.is_warmup and measurement.asked_for == "predict"
