"""find_capacity(): how many requests a second a target answers within a limit, in a bounded time."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable
from dataclasses import replace

from experiment.records import BackendInfo
from experiment.report.statistics import percentile
from experiment.wording import beside
from loadtest.arrivals.schedules import poisson
from loadtest.errors import LoadRefused
from loadtest.machine import shares_machine
from loadtest.records import Payload, Sample, Taken
from loadtest.search.adaptive import Offer, Search
from loadtest.search.records import Capacity, ClosedLoop, Limits, Outcome, Target, Trial
from loadtest.search.verdict import capacity_of, unmeasured
from loadtest.send.load import keep_in_flight, offer
from loadtest.send.recording import Watch

LEAST_BUDGET_S = 2.0
# Of the budget, closed loops that show the scale: one request in flight, then more while that helps.
UNLOADED_PART, IN_FLIGHT_PART = 0.06, 0.03
UNLOADED_REQUESTS = 100  # are enough
IN_FLIGHT = (1, 2, 4, 8, 16, 32, 64, 128)
HELPS = 1.1  # times as many answers as with fewer in flight
FIRST_ANSWER_PART = 0.2  # of the budget, that a single request may take
# A request that takes this much longer than the limit is as late as it can be ...
TIMEOUT_LIMITS, LEAST_TIMEOUT_S = 10.0, 2.0
# ... but no trial may wait much longer than this for its last answers, unless the limit itself is longer.
TIMEOUT_PART, LEAST_TIMEOUT_LIMITS = 0.25, 1.5
# A trial ends when so many of its planned requests were late: more would say nothing new.
ENOUGH_PART, ENOUGH_REQUESTS = 0.25, 20
BY_HAND = "The search was stopped by hand."
ENOUGH = "A quarter of the planned requests was over the limit: this rate is too high."


def find_capacity(
    info: BackendInfo,
    payload: Payload,
    p99_ms: float,
    budget_s: float,
    watch: Watch | None = None,
    seed: int = 0,
    timeout_s: float | None = None,
    on_trial: Callable[[Trial], None] = lambda trial: None,
    on_begin: Callable[[float, float], None] = lambda rate_per_s, seconds: None,
    on_loop: Callable[[ClosedLoop], None] = lambda loop: None,
) -> Capacity:
    """The most requests a second with p99 <= `p99_ms`, with a 95 % interval, in about `budget_s`.

    Latency counts from when a request was due; a failed request is over the limit. If the budget is too short
    for the 662 requests that p99 needs, p90 is used and the result says so. A target that refuses, hangs or
    goes away ends the search, and what was measured is in the result. No request may take longer than
    `timeout_s`; without it, than is of use. `on_loop` is called after each closed loop before the search,
    `on_begin` before each trial with its rate and length, `on_trial` after it.
    Raises LoadRefused for a limit or a budget that can't be used.

    >>> find_capacity(BackendInfo("GPU", address="tf-gpu:8500"), payload, 100, 60).sentence
    'at most 41 requests/s at p99 ≤ 100 ms (95 %: 39 to 43)'
    """
    if not p99_ms > 0 or not budget_s >= LEAST_BUDGET_S:
        raise LoadRefused(
            f"A capacity needs a limit above 0 ms and a budget of {LEAST_BUDGET_S:g} s or more, "
            f"not {p99_ms:g} ms and {budget_s:g} s."
        )
    begun_s = time.monotonic()
    watch, why_end = _remembering(watch or Watch())
    limits = Limits(p99_ms, budget_s, seed, timeout_s)
    target = _unloaded(info, payload, limits, watch, why_end, on_loop)
    if not target.unloaded_ms or not target.closed_loop_per_s:
        outcome: Outcome = "cancelled" if why_end() else "no_answer"
        sentence = f"unknown: {_why_no_answer(target)}"
        return unmeasured(limits, target, outcome, sentence, time.monotonic() - begun_s)
    if target.unloaded_ms > p99_ms:
        unloaded = beside(target.unloaded_ms, p99_ms)
        sentence = f"none: the limit of {p99_ms:,.15g} ms is below the unloaded latency of {unloaded} ms"
        return unmeasured(limits, target, "below_unloaded", sentence, time.monotonic() - begun_s)
    search = Search(
        _offering(info, payload, limits, watch),
        limits,
        target.unloaded_ms,
        target.closed_loop_per_s,
        left_s=lambda: budget_s - (time.monotonic() - begun_s),
        why_end=why_end,
        on_trial=on_trial,
        on_begin=on_begin,
    )
    search.go()
    spent_s = time.monotonic() - begun_s
    return capacity_of(limits, target, search.trials, spent_s, search.why_ended, search.cut_off)


def _remembering(watch: Watch) -> tuple[Watch, Callable[[], str | None]]:
    """The watch, and what says why the whole search has to end, not only the load that is going on."""
    said: list[str] = []

    def why_stop(sample: Sample) -> str | None:
        if sentence := watch.why_stop(sample):
            said.append(sentence)
        return sentence

    def why_end() -> str | None:
        return BY_HAND if watch.cancel.is_set() else next(iter(said), None)

    return Watch(watch.cancel, watch.on_sample, why_stop), why_end


def _unloaded(
    info: BackendInfo,
    payload: Payload,
    limits: Limits,
    watch: Watch,
    why_end: Callable[[], str | None],
    on_loop: Callable[[ClosedLoop], None],
) -> Target:
    """What a target does before the search, in closed loops: with one request in flight, then with more."""
    loops = list[ClosedLoop]()
    best_per_s: float | None = None
    for in_flight in IN_FLIGHT:
        planned_s = (UNLOADED_PART if in_flight == 1 else IN_FLIGHT_PART) * limits.budget_s
        enough = UNLOADED_REQUESTS if in_flight == 1 else None
        warmups = 1 if in_flight == 1 else 0
        taken = keep_in_flight(
            info, payload, in_flight, planned_s, first_timeout_s(limits), watch, enough, warmups
        )
        loops.append(ClosedLoop(in_flight, planned_s, replace(taken, samples=tuple(taken.samples))))
        on_loop(loops[-1])
        per_s, before = sum(sample.ok for sample in taken.samples) / taken.seconds, best_per_s or 0.0
        best_per_s = max(per_s, before) or None
        if per_s < HELPS * before or not per_s or why_end():
            break
    answered_ms = [sample.latency_ms for sample in loops[0].taken.samples if sample.ok]
    return Target(
        unloaded_ms=percentile(answered_ms, 50) if answered_ms else None,
        closed_loop_per_s=best_per_s,
        batch=payload.batch,
        cores=len(info.cores) if info.cores else info.cpus,
        shares_machine=shares_machine(info),
        closed_loops=tuple(loops),
    )


def _why_no_answer(target: Target) -> str:
    taken = target.closed_loops[0].taken
    return next(iter(taken.messages.values()), None) or taken.stopped or "no request was answered."


def first_timeout_s(limits: Limits) -> float:
    """How long a request may take before the search."""
    return min(FIRST_ANSWER_PART * limits.budget_s, limits.timeout_s or math.inf)


def trial_timeout_s(limits: Limits) -> float:
    """How long a request may take in a trial."""
    limit_s = limits.limit_ms / 1e3
    of_use_s = min(max(TIMEOUT_LIMITS * limit_s, LEAST_TIMEOUT_S), TIMEOUT_PART * limits.budget_s)
    return min(max(of_use_s, LEAST_TIMEOUT_LIMITS * limit_s), limits.timeout_s or math.inf)


def _offering(info: BackendInfo, payload: Payload, limits: Limits, watch: Watch) -> Offer:
    """The function that offers a load at a fixed rate to this target."""

    def at_rate(rate_per_s: float, seconds: float, seed: int) -> Taken:
        due_s = poisson(rate_per_s, seconds, seed)
        enough = max(ENOUGH_PART * len(due_s), ENOUGH_REQUESTS)
        late = itertools.count(1)

        def why_stop(sample: Sample) -> str | None:
            if (not sample.ok or sample.latency_ms > limits.limit_ms) and next(late) >= enough:
                return ENOUGH
            return watch.why_stop(sample)

        trial_watch = Watch(watch.cancel, watch.on_sample, why_stop)
        return offer(info, payload, due_s, trial_timeout_s(limits), trial_watch, warmups=1)

    return at_rate
