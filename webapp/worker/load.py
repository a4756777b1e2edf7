"""A load test in the timing process: the capacity of some cells, one after the other, on a run's bytes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from experiment.backends.replicas import addresses_of
from experiment.codec import to_dict
from experiment.errors import PixelcostError
from experiment.measure.environment import environment
from experiment.records import BackendInfo, LoadCurve, LoadLoop, LoadTrial, Variant
from experiment.report.statistics import percentile
from experiment.wording import milliseconds, number, sized_name
from loadtest.machine import shares_machine
from loadtest.payloads.distinct import distinct_copy
from loadtest.payloads.images import image_payload
from loadtest.records import Payload
from loadtest.search.capacity import find_capacity
from loadtest.search.records import Capacity, ClosedLoop, Trial
from loadtest.send.recording import Watch
from webapp.worker.pipe import FollowUpJob, LoadCell, LoadOrder, Parent, Preparing, Result, Task

COPIES_BYTES = 32_000_000  # all copies of a variant that are held as request bodies
LEAST_COPIES, MOST_COPIES = 2, 256
DISTINCT = (
    "Every request carried the bytes of the run with one of many marks that change no pixel, so that nothing "
    "could be answered from a cache of requests."
)
MEASURING = "the search for the capacity goes on"


def put_under_load(parent: Parent, task: Task[FollowUpJob], variants: Sequence[Variant]) -> None:
    """Find the capacity of every cell of the order, and say how it ended. Stops when it is cancelled."""
    order = task.job.load
    assert order is not None  # noqa: S101  the route makes both
    by_id = {variant.id: variant for variant in variants}
    by_name = {info.name: info for info in task.backends}
    facts, clock = environment(), _Clock(order.budget_s * len(order.cells))
    for place, cell in enumerate(order.cells):
        if parent.cancel.is_set():
            break
        clock.begin(place * order.budget_s)
        _measure(parent, order, cell, by_id[cell.variant_id], by_name[cell.backend_name], clock)
    parent.end(facts)


class _Clock:
    """How much of the budget of all cells is used: a cell that ends early leaves none to the others."""

    def __init__(self, total_s: float):
        self._total_s = total_s
        self.begin(0.0)

    def begin(self, used_s: float) -> None:
        """A cell begins, with so much used."""
        self._used_s, self._begun_s = used_s, time.monotonic()

    @property
    def left_s(self) -> float:
        """Of all cells."""
        return max(self._total_s - self._used_s - (time.monotonic() - self._begun_s), 0.0)

    @property
    def share(self) -> float:
        """Of the whole, 0..1."""
        return 1 - self.left_s / self._total_s


def _measure(
    parent: Parent, order: LoadOrder, cell: LoadCell, variant: Variant, info: BackendInfo, clock: _Clock
) -> None:
    """One cell: an event when it begins, one for each trial, one when it has ended."""
    payload = _payload(info, variant, cell.expected)
    begun = LoadCurve(
        variant_id=variant.id,
        backend_name=info.name,
        measured_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        limit_ms=order.limit_ms,
        budget_s=order.budget_s,
        seed=order.seed,
        outcome="measuring",
        sentence=MEASURING,
        expected=cell.expected,
        payload=DISTINCT,
        shares_machine=is_here(info),
        cores=len(info.cores) if info.cores else info.cpus,
    )
    parent.send(Result("curve", to_dict(begun)))
    place = f"{sized_name(variant)} on {info.name}"
    tell = _teller(parent, cell, place, clock)

    def keep(loop: ClosedLoop) -> None:
        own = {"variant_id": cell.variant_id, "backend_name": cell.backend_name}
        parent.send(Result("loop", {**own, "loop": to_dict(_loop_record(loop))}))

    def begin(rate_per_s: float, _seconds: float) -> None:
        parent.send(Preparing(f"{place} at {number(rate_per_s)} requests/s"))

    try:
        found = find_capacity(
            info,
            payload,
            order.limit_ms,
            order.budget_s,
            Watch(cancel=parent.cancel),
            order.seed,
            on_trial=tell,
            on_begin=begin,
            on_loop=keep,
        )
        ended = _with(begun, found)
    except PixelcostError as error:
        ended = replace(begun, outcome="failed", sentence=f"unknown: {error.message}", validity="INVALID")
    parent.send(Result("curve", to_dict(ended)))


def is_here(info: BackendInfo) -> bool:
    """Whether the backend runs on this machine, also if its name leads here."""
    addresses = addresses_of(info.address) or (info.address,)
    return shares_machine(replace(info, address=",".join(addresses)))


def _payload(info: BackendInfo, variant: Variant, expected: str | None) -> Payload:
    copies = min(max(COPIES_BYTES // max(variant.size_bytes, 1), LEAST_COPIES), MOST_COPIES)
    images = [distinct_copy(variant.data, number) for number in range(copies)]
    labels = [expected] * copies if expected is not None else ()
    return image_payload(info, images, [variant.id] * copies, expected=labels)


def _teller(parent: Parent, cell: LoadCell, place: str, clock: _Clock) -> Callable[[Trial], None]:
    """Sends each trial on, with what to say of it."""

    def tell(trial: Trial) -> None:
        answered_ms = [sample.latency_ms for sample in trial.counted if sample.ok]
        p50 = f"p50 {milliseconds(percentile(answered_ms, 50))}" if answered_ms else "no answer"
        text = f"{place} at {number(trial.offered_per_s)} requests/s: {p50}"
        told = {"variant_id": cell.variant_id, "backend_name": cell.backend_name, "text": text}
        timing = {"left_s": round(clock.left_s, 1), "share": round(clock.share, 4)}
        parent.send(Result("trial", {**told, **timing, "trial": to_dict(_record(trial))}))

    return tell


def _loop_record(loop: ClosedLoop) -> LoadLoop:
    """As it is stored: to the microsecond."""
    samples = loop.taken.samples
    causes = Counter(sample.cause for sample in samples if sample.cause is not None)
    return LoadLoop(
        in_flight=loop.in_flight,
        seconds=round(loop.taken.seconds, 6),
        count=len(samples),
        failures=sum(not sample.ok for sample in samples),
        causes=dict(causes.most_common()),
        samples_ms=tuple(round(sample.latency_ms, 3) for sample in samples if sample.ok),
    )


def _record(trial: Trial) -> LoadTrial:
    """As it is stored: to the microsecond."""
    samples = trial.samples
    is_known = any(sample.right is not None for sample in samples)
    return LoadTrial(
        offered_per_s=trial.offered_per_s,
        seconds=round(trial.seconds, 6),
        settled_s=round(trial.settled_s, 6),
        due_s=tuple(round(sample.due_s, 6) for sample in samples),
        late_ms=tuple(round(max(sample.sent_s - sample.due_s, 0.0) * 1e3, 3) for sample in samples),
        latency_ms=tuple(round(sample.latency_ms, 3) for sample in samples),
        causes=() if all(sample.ok for sample in samples) else tuple(sample.cause for sample in samples),
        right=tuple(None if sample.right is None else sample.right > 0 for sample in samples)
        if is_known
        else (),
        stopped=trial.stopped,
        not_used=trial.not_used,
    )


def _with(begun: LoadCurve, found: Capacity) -> LoadCurve:
    """The curve with what the search found. Its points follow from the trials."""
    return replace(
        begun,
        percentile=found.percentile,
        outcome=found.outcome,
        sentence=found.sentence,
        per_s=found.low_per_s if found.outcome == "at_least" else found.per_s,
        low_per_s=found.low_per_s,
        high_per_s=found.high_per_s,
        knee_per_s=found.knee_per_s,
        unloaded_ms=found.target.unloaded_ms,
        right_per_s=found.right_per_s,
        validity=found.validity,
        reasons=found.reasons,
    )
