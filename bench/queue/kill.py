"""The kill test: jobs go in, workers and Redis die, and the history of it all is checked.

Every two seconds a worker's process gets SIGKILL; twice Redis does and is started again; a worker is stopped
for longer than its claims last and goes on; some jobs kill their worker, some always fail; submitters send
again what they got no answer to.
"""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import redis

from bench.queue import new_rules, old_rules
from bench.queue.checker import FAULTS, Verdict, check
from bench.queue.fleet import Fleet, fleet, spawned
from bench.queue.history import Log, history
from bench.queue.redis_process import RedisProcess, redis_process
from bench.queue.work import Plan
from experiment.queue.connection import connection

RULES: dict[str, ModuleType] = {"ours": new_rules, "old": old_rules}
LOOK_S = 0.25
DOWN_S = 0.5  # from Redis' death to its start
SUBMITTERS = 2


@dataclass(frozen=True, slots=True)
class Nemesis:
    """What goes wrong in a run, and when."""

    kill_every_s: float = 2.0
    redis_kills: int = 2  # evenly over the jobs
    pauses: int = 2  # of a worker, for longer than its claims last; evenly over the jobs
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Run:
    """What came of it."""

    verdict: Verdict
    plan: Plan
    took_s: float
    worker_kills: int
    redis_kills: int
    pauses: int
    redis_recoveries_s: list[float]  # from Redis' answer after its start to the next delivery


def run(plan: Plan, nemesis: Nemesis, rules: str = "ours", workers: int = 4, stuck_s: float = 60.0) -> Run:
    """One test in a Redis of its own; `plan.url` and `plan.folder` are filled in.

    It ends when all jobs have, or when none did for `stuck_s`.
    """
    with tempfile.TemporaryDirectory(prefix="queue-") as place:
        folder = Path(place) / "history"
        folder.mkdir()
        with redis_process(Path(place), "--maxmemory", "96mb") as server:
            plan = replace(plan, url=server.url, folder=folder)
            names = [f"w-{number}" for number in range(workers)]
            started_s = time.monotonic()
            with (
                fleet(RULES[rules].work, names, plan) as running,
                _submitting(plan, RULES[rules]) as submitting,
            ):
                _until_ended(plan, RULES[rules], _Faults(plan, nemesis, running, server), submitting, stuck_s)
            took_s = time.monotonic() - started_s
            final = RULES[rules].final(connection(server.url), plan)
        events = history(folder)
    kinds = [event.kind for event in events]
    return Run(
        verdict=check(events, final, plan.poison(), plan.most_tries),
        plan=plan,
        took_s=took_s,
        worker_kills=kinds.count("kill"),
        redis_kills=kinds.count("redis_down"),
        pauses=kinds.count("pause"),
        redis_recoveries_s=_redis_recoveries_s(events),
    )


@contextmanager
def _submitting(plan: Plan, rules: ModuleType) -> Iterator[Sequence[Any]]:
    """The submitters' processes."""
    ids = plan.ids()
    processes = [
        spawned.Process(target=rules.submit, args=(number, ids[number::SUBMITTERS], plan))
        for number in range(SUBMITTERS)
    ]
    for process in processes:
        process.start()
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.join()


class _Faults:
    """The nemesis at work. What depends on progress is called by who watches it."""

    def __init__(self, plan: Plan, nemesis: Nemesis, running: Fleet, server: RedisProcess):
        self._plan, self._nemesis, self._running, self._server = plan, nemesis, running, server
        self._log = Log(plan.folder, "nemesis")
        self._dice = random.Random(nemesis.seed)
        self._kill_at_s = time.monotonic() + nemesis.kill_every_s
        self._events: list[tuple[int, Callable[[], None]]] = sorted(
            [
                *self._spread(nemesis.redis_kills, self._redis, 0.5),
                *self._spread(nemesis.pauses, self._pause, 0.8),
            ],
            key=lambda event: event[0],
        )

    def _spread(
        self, count: int, fault: Callable[[], None], offset: float
    ) -> list[tuple[int, Callable[[], None]]]:
        """At so many jobs that have ended."""
        return [(int(self._plan.jobs * (n + offset) / (count + 0.5)), fault) for n in range(count)]

    def now(self, ended: int) -> None:
        """What is due, after so many jobs have ended."""
        while self._events and ended >= self._events[0][0]:
            self._events.pop(0)[1]()
        if time.monotonic() >= self._kill_at_s:
            self._kill_at_s += self._nemesis.kill_every_s
            name = self._dice.choice(self._running.names)
            if self._running.kill(name):
                self._add("kill", name)

    def _add(self, kind: Any, name: str) -> None:
        Log(self._plan.folder, name).add(kind)

    def _redis(self) -> None:
        self._server.kill()
        self._log.add("redis_down")
        time.sleep(DOWN_S)
        self._server.start()
        self._log.add("redis_up")

    def _pause(self) -> None:
        name = self._dice.choice(self._running.names)
        if self._running.pause(name):
            self._add("pause", name)
            timer = threading.Timer(self._plan.idle_s + 2, self._running.resume, (name,))
            timer.daemon = True
            timer.start()


def _until_ended(
    plan: Plan, rules: ModuleType, faults: _Faults, submitting: Sequence[Any], stuck_s: float
) -> None:
    """Look at the results, as the jobs' owners do, until all are there."""
    client, log = connection(plan.url), Log(plan.folder, "reader")
    open_jobs, moved_s = set(plan.ids()), time.monotonic()
    while open_jobs and time.monotonic() - moved_s < stuck_s:
        time.sleep(LOOK_S)
        try:
            found = rules.ended(client, plan, sorted(open_jobs))
        except redis.RedisError:
            continue
        for job, end in found.items():
            log.add("seen", job, mark=end.mark)
        open_jobs -= set(found)
        if found or any(process.is_alive() for process in submitting):
            moved_s = time.monotonic()
        faults.now(plan.jobs - len(open_jobs))


def _redis_recoveries_s(events: Sequence[Any]) -> list[float]:
    found, up_ms = [], None
    for event in events:
        if event.kind == "redis_up":
            up_ms = event.at_ms
        elif event.kind == "deliver" and up_ms is not None:
            found.append((event.at_ms - up_ms) / 1e3)
            up_ms = None
    return found


def lines(found: Run) -> Iterator[str]:
    """In words."""
    verdict = found.verdict
    yield (
        f"{verdict.jobs:,} jobs in {found.took_s:.0f} s; {found.worker_kills} workers killed, Redis killed "
        f"{found.redis_kills} times, {found.pauses} workers stopped for a while"
    )
    yield f"{verdict.accepted:,} accepted ({verdict.refusals:,} refusals before that), {verdict.done:,} done"
    for name in FAULTS:
        ids = getattr(verdict, name)
        yield f"{name}: {len(ids)}" + (
            f" ({', '.join(ids[:3])}{', ...' if len(ids) > 3 else ''})" if ids else ""
        )
    yield f"delivered again: {verdict.redelivered} good jobs ({verdict.redelivered_share:.2%})"
    if times := sorted(verdict.recoveries_s):
        median_s = times[len(times) // 2]
        yield f"a killed worker's jobs were in hand again after {median_s:.1f} s, at most {times[-1]:.1f} s"
    if found.redis_recoveries_s:
        yield f"after Redis' start the next delivery came in {max(found.redis_recoveries_s):.1f} s at most"
