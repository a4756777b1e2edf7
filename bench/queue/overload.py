"""Three times as many jobs as the workers can do: what is refused, what is still done, what memory it takes.

Capacity is what the same workers do while nothing is added to a long queue, right before and right after, so
that a slow minute of the machine hits both. Jobs come at their times, whether or not the last were taken;
a refused one is not sent again.
"""

from __future__ import annotations

import bisect
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import redis

from bench.queue.checker import Ended
from bench.queue.fleet import fleet, spawned
from bench.queue.history import Event, Log, history
from bench.queue.new_rules import ended, settings, work
from bench.queue.redis_process import redis_process
from bench.queue.work import Plan
from experiment.queue.connection import connection
from experiment.queue.records import NewJob
from experiment.queue.submit import QueueFull, Submitter

AT_LEAST = 0.95  # of capacity
OFFERERS = 2
SAMPLE_S = 0.1
MEASURED = 0.9  # of the time of the overload: its last part


@dataclass(frozen=True, slots=True)
class Load:
    """One overload."""

    seconds: float = 60.0
    times: float = 3.0  # capacity
    least_per_s: float = 1.0  # offered, however little that is
    alone_s: float = 10.0  # that capacity is measured for, before and after, while nothing is added
    fill: int = 9_500  # jobs that wait at the start
    most_jobs: int = 10_000
    deadline_s: float | None = 45.0  # of each job; those of the start have none
    photo_bytes: int = 4000
    max_memory: str = "96mb"
    workers: int = 2


@dataclass(frozen=True, slots=True)
class Found:
    """What came of it. Rates in jobs per second."""

    capacity_before: float
    capacity_after: float
    goodput: float  # done in time, while more came than could be done
    offered: int
    accepted: int
    done: int
    late: int  # accepted, not begun by their deadline, and told so
    unreported: int  # accepted, and neither done nor told why not
    retry_after_s: list[int]  # of each refusal
    errors_s: list[float]  # told minus true, where the queue took a job again before the end
    true_s: list[float]
    most_used_bytes: int
    limit_bytes: int

    @property
    def share(self) -> float:
        """Goodput as a share of capacity."""
        return self.goodput / statistics.fmean((self.capacity_before, self.capacity_after))


def offer(number: int, rate: float, until_s: float, plan: Plan, load: Load) -> None:
    """Submit jobs at their times, in a process of its own. Times are of time.time()."""
    log = Log(plan.folder, f"offerer{number}")
    submitter = Submitter(connection(plan.url), settings(plan))
    started_s, count = time.time(), 0
    while (due_s := started_s + count / rate) < until_s:
        time.sleep(max(0.0, due_s - time.time()))
        _submit(submitter, log, f"load-{number}-{count:06}", load)
        count += 1


def _submit(submitter: Submitter, log: Log, name: str, load: Load) -> None:
    photo = (name.encode() * (load.photo_bytes // len(name) + 1))[: load.photo_bytes]
    log.add("submit", name)
    try:
        submitter.submit(NewJob(name, photo, deadline_s=load.deadline_s))
        log.add("accept", name)
    except QueueFull as full:
        log.add("refuse", name, retry_after_s=full.retry_after_s)


def run(load: Load, service_ms: float = 40.0) -> Found:
    """One overload in a Redis of its own."""
    with tempfile.TemporaryDirectory(prefix="queue-") as place:
        folder = Path(place) / "history"
        folder.mkdir()
        plan = Plan("", folder, "load", most_jobs=load.most_jobs, service_ms=service_ms)
        with redis_process(
            Path(place), "--appendfsync", "everysec", "--maxmemory", load.max_memory
        ) as server:
            plan = replace(plan, url=server.url)
            return _run(plan, load, connection(server.url))


def _run(plan: Plan, load: Load, client: redis.Redis) -> Found:
    submitter, log = Submitter(client, settings(plan)), Log(plan.folder, "filler")
    for number in range(load.fill):
        _submit(submitter, log, f"fill-{number:06}", replace(load, deadline_s=None))
    stop, used = threading.Event(), [0]
    sampler = threading.Thread(target=_sample, args=(connection(plan.url), used, stop))
    sampler.start()
    with fleet(work, [f"w-{number}" for number in range(load.workers)], plan):
        _until(lambda: _done(client, plan) > 0)
        before = _rate(client, plan, load.alone_s)
        offering = _offering(plan, load, max(load.times * before, load.least_per_s))
        time.sleep(load.seconds * (1 - MEASURED))
        goodput = _rate(client, plan, load.seconds * MEASURED)
        for process in offering:
            process.join()
        after = _rate(client, plan, load.alone_s)
        _until(lambda: not client.xlen(plan.stream))
    stop.set()
    sampler.join()
    return _found(plan, client, (before, after, goodput), used[0])


def _offering(plan: Plan, load: Load, rate: float) -> list[Any]:
    """The processes that do."""
    until_s = time.time() + load.seconds
    processes = [
        spawned.Process(target=offer, args=(number, rate / OFFERERS, until_s, plan, load))
        for number in range(OFFERERS)
    ]
    for process in processes:
        process.start()
    return processes


def _done(client: redis.Redis, plan: Plan) -> int:
    return int(client.hget(settings(plan).keys.stats, "done") or 0)


def _rate(client: redis.Redis, plan: Plan, seconds: float) -> float:
    """Jobs done per second, from now on for so long."""
    started_s, done = time.monotonic(), _done(client, plan)
    time.sleep(seconds)
    return (_done(client, plan) - done) / (time.monotonic() - started_s)


def _found(plan: Plan, client: redis.Redis, rates: tuple[float, float, float], used: int) -> Found:
    events = history(plan.folder)
    accepted = [event for event in events if event.kind == "accept"]
    refused = [event for event in events if event.kind == "refuse"]
    ends = _ended(client, plan, [event.job for event in accepted])
    true_s, errors_s = _errors_s(refused, [event.at_ms for event in accepted])
    return Found(
        *rates,
        offered=sum(event.kind == "submit" for event in events),
        accepted=len(accepted),
        done=sum(end.state == "done" for end in ends.values()),
        late=sum(end.state == "failed" for end in ends.values()),
        unreported=len(accepted) - len(ends),
        retry_after_s=[event.retry_after_s for event in refused],
        errors_s=errors_s,
        true_s=true_s,
        most_used_bytes=used,
        limit_bytes=client.info("memory")["maxmemory"],
    )


def _errors_s(refused: Sequence[Event], accepted_ms: Sequence[float]) -> tuple[list[float], list[float]]:
    """For each refusal: when a job was taken again, and how far off Retry-After was."""
    true_s, errors_s = [], []
    for event in refused:
        at = bisect.bisect_right(accepted_ms, event.at_ms)
        if at < len(accepted_ms):
            true_s.append((accepted_ms[at] - event.at_ms) / 1e3)
            errors_s.append(event.retry_after_s - true_s[-1])
    return true_s, errors_s


def _ended(client: redis.Redis, plan: Plan, jobs: Sequence[str]) -> dict[str, Ended]:
    found: dict[str, Ended] = {}
    for first in range(0, len(jobs), 1000):
        found |= ended(client, plan, jobs[first : first + 1000])
    return found


def _until(reached: Callable[[], bool]) -> None:
    while not reached():
        time.sleep(SAMPLE_S)


def _sample(client: redis.Redis, used: list[int], stop: threading.Event) -> None:
    while not stop.wait(SAMPLE_S):
        used[0] = max(used[0], client.info("memory")["used_memory"])


def lines(found: Found) -> Iterator[str]:
    """In words."""
    met = "met" if found.share >= AT_LEAST else "missed"
    yield (
        f"capacity {found.capacity_before:.0f} jobs/s before, {found.capacity_after:.0f} after; goodput "
        f"{found.goodput:.0f}: {found.share:.3f} of it, target >= {AT_LEAST}: {met}"
    )
    yield (
        f"{found.offered:,} offered, {found.accepted:,} accepted: {found.done:,} done in time, "
        f"{found.late:,} told that their deadline passed, {found.unreported} told nothing"
    )
    yield f"Redis used at most {found.most_used_bytes / 2**20:.0f} of {found.limit_bytes / 2**20:.0f} MiB"
    if found.errors_s:
        off_s = statistics.median(map(abs, found.errors_s))
        pairs = zip(found.errors_s, found.true_s, strict=True)
        share = statistics.median(abs(error) / max(true, 1.0) for error, true in pairs)
        without = sum(after < 1 for after in found.retry_after_s)
        yield (
            f"{len(found.retry_after_s):,} refused, {without} without a Retry-After; "
            f"it was off by {off_s:.1f} s in the median, {share:.0%} of the true time or of 1 s"
        )
