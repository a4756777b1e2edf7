"""measure(): sends every variant to every backend, in parallel, one request at a time per backend.

It only measures and loses nothing; what the numbers mean is decided in experiment/report.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from queue import Empty, SimpleQueue

from experiment.backends.base import Backend
from experiment.measure.lane import Lane, Turnstile
from experiment.measure.schedule import schedule, splits_decode, turn_groups
from experiment.records import Measurement, Plan, Variant

CANCEL_GRACE_S = 1.0  # requests in flight when the run is cancelled may end within this time

# CPython lets a busy thread keep the interpreter for 5 ms, so a request of 2 ms could measure as 7 ms. With
# 0.5 ms the measured bias falls from 5.2 to 1.1 ms.
SWITCH_INTERVAL_S = 0.0005

# What a chain of lanes puts into the queue: a measurement, a bug, or None at its end.
Taken = Measurement | Exception | None


def measure(
    plan: Plan,
    variants: Sequence[Variant],
    backends: Sequence[Backend],
    cancel: threading.Event | None = None,
) -> Iterator[Measurement]:
    """One Measurement per request, as soon as it ends. `variants` hold their bytes, `backends` are connected.

    Backends work in parallel or not, as `plan.order` says; a backend gets one request at a time. Set
    `cancel` (or close the iterator) to stop; everything measured until then is yielded. The scores of all
    classes are kept in one answer per cell.
    """
    stop = threading.Event()
    taken: SimpleQueue[Taken] = SimpleQueue()
    chains = _chains(plan, variants, backends, stop)
    with _quiet_interpreter():
        for chain in chains:
            threading.Thread(target=_run_chain, args=(chain, taken), daemon=True).start()
        try:
            yield from _collect(len(chains), taken, cancel or threading.Event(), stop)
        finally:
            stop.set()


def _chains(
    plan: Plan, variants: Sequence[Variant], backends: Sequence[Backend], stop: threading.Event
) -> list[list[Lane]]:
    """Lanes that run one after another; the chains themselves run in parallel."""
    turnstiles: dict[str, Turnstile] = {}
    infos = [backend.info for backend in backends]
    groups = {"auto": turn_groups(infos), "in_turns": [{info.name for info in infos}]}
    for names in groups.get(plan.order, []):
        turnstiles.update(dict.fromkeys(names, Turnstile()))
    lanes = [
        Lane(
            backend,
            schedule(plan, variants, backend.info.name, splits_decode(plan, backend.info)),
            plan.timeout_s,
            turnstiles.get(backend.info.name),
            stop,
        )
        for backend in backends
    ]
    return [lanes] if plan.order == "one_at_a_time" else [[lane] for lane in lanes]


def _run_chain(chain: Sequence[Lane], taken: SimpleQueue[Taken]) -> None:
    try:
        for lane in chain:
            for measurement in lane.measurements():
                taken.put(measurement)
    except Exception as bug:  # raised again where the caller can see it
        taken.put(bug)
    taken.put(None)


def _collect(
    chain_count: int, taken: SimpleQueue[Taken], cancel: threading.Event, stop: threading.Event
) -> Iterator[Measurement]:
    running = chain_count
    give_up_at = float("inf")
    seen: set[tuple[str, str]] = set()
    while running and time.monotonic() < give_up_at:
        if cancel.is_set() and not stop.is_set():
            stop.set()
            give_up_at = time.monotonic() + CANCEL_GRACE_S
        try:
            item = taken.get(timeout=0.05)
        except Empty:
            continue
        if item is None:
            running -= 1
        elif isinstance(item, Exception):
            raise item
        else:
            yield _keep_one_distribution(item, seen)


def _keep_one_distribution(measurement: Measurement, seen: set[tuple[str, str]]) -> Measurement:
    """Keeps the scores of all classes only in the first counted answer of a cell, to save memory."""
    prediction = measurement.prediction
    if prediction is None or prediction.distribution is None:
        return measurement
    cell = (measurement.variant_id, measurement.backend_name)
    if not measurement.is_warmup and cell not in seen:
        seen.add(cell)
        return measurement
    return replace(measurement, prediction=replace(prediction, distribution=None))


@contextlib.contextmanager
def _quiet_interpreter() -> Iterator[None]:
    """No garbage collection and short thread switches while requests are timed."""
    interval_s = sys.getswitchinterval()
    gc.collect()
    gc.disable()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        yield
    finally:
        sys.setswitchinterval(interval_s)
        gc.enable()
