"""What keeping every job costs: our worker's loop beside the same loop that acknowledges nothing.

Without acknowledgements a crash loses what was under way; that is the price the others save. Model and photos
are the same; the first pair has a model that takes no time, so that nothing hides the queue's share.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import redis

from bench.queue.redis_process import redis_process
from bench.support.figures import figure, ratios
from bench.support.side_by_side import by_turns
from experiment.queue.connection import connection
from experiment.queue.keys import GROUP
from experiment.queue.records import NewJob, QueueSettings
from experiment.queue.submit import Submitter
from jobs.records import Answered, Claimed, Outcome, Refused, Request
from jobs.worker.claims import FIRST, Claims, Ending
from jobs.worker.worker import Worker, WorkerSettings

MOST_TIMES = 1.15  # as long as without acknowledgements
PHOTO_BYTES = 20_000
BATCH = 4


class Unacknowledged(Claims):
    """Takes entries for good, and writes plain results."""

    def new(self, count: int, wait_ms: int) -> list[Claimed]:
        with self._client.pipeline(transaction=False) as asked:
            stream = {self._settings.stream: ">"}
            asked.xreadgroup(GROUP, self._name, stream, count=count, block=max(wait_ms, 1), noack=True)
            asked.time()
            return _entries(*asked.execute())

    def own_left(self, after: str = FIRST) -> Claimed | None:
        return None

    def abandoned(self) -> Claimed | None:
        return None

    def finish(self, endings: Sequence[Ending]) -> list[bool]:
        with self._client.pipeline(transaction=False) as asked:
            self._write(asked, endings)
            asked.execute()
        return [True] * len(endings)

    def _write(self, asked: Any, endings: Sequence[Ending]) -> None:
        for ending in endings:
            key = self._settings.keys.job(ending.entry.job_id)
            asked.hset(key, mapping={**ending.fields, "state": ending.state})
            asked.pexpire(key, round(self._settings.results_ttl_s * 1000))


class Deleted(Unacknowledged):
    """XREAD and XDEL, as a list would be used: one reader only."""

    def new(self, count: int, wait_ms: int) -> list[Claimed]:
        with self._client.pipeline(transaction=False) as asked:
            asked.xread({self._settings.stream: "0"}, count=count, block=max(wait_ms, 1))
            asked.time()
            return _entries(*asked.execute())

    def finish(self, endings: Sequence[Ending]) -> list[bool]:
        with self._client.pipeline(transaction=False) as asked:
            self._write(asked, endings)
            asked.xdel(self._settings.stream, *(ending.entry.entry_id for ending in endings))
            asked.execute()
        return [True] * len(endings)


class PhotoReader:
    """The photo is the request."""

    def read(self, entry: Claimed, photo: bytes | None) -> Request | Refused:
        return Request(photo) if photo else Refused("photo_expired", "The photo is gone.")

    def encode(self, entry: Claimed, answered: Answered) -> bytes | None:
        return None


class Timed:
    """A model that takes so long for each photo and answers as a classifier does."""

    def __init__(self, photo_ms: float):
        self._photo_s = photo_ms / 1e3
        self._top = [{"label": f"class {number}", "score": 0.1 * number} for number in range(5)]

    def answer(self, requests: Sequence[Request]) -> list[Outcome]:
        if self._photo_s:
            time.sleep(self._photo_s * len(requests))
        return [Answered({"top": self._top, "model": "stub", "model_version": 1}) for _ in requests]


LOOPS: dict[str, type[Claims]] = {
    "ours": Claims,
    "no acknowledgement": Unacknowledged,
    "XREAD + XDEL": Deleted,
}


@dataclass(frozen=True, slots=True)
class PerJob:
    """Of one job, in ms."""

    wall_ms: float
    cpu_ms: float  # of the worker and of Redis: what a busy machine leaves as it is


def bench(jobs: int = 300, blocks: int = 40) -> Iterator[str]:
    """The lines to print."""
    with tempfile.TemporaryDirectory(prefix="queue-") as folder:
        for fsync in ("everysec", "always"):
            with redis_process(Path(folder), "--appendfsync", fsync) as server:
                for photo_ms, count in ((0.0, jobs), (2.0, jobs // 4)):
                    yield from _pair(server.url, photo_ms, count, blocks, fsync)


def _pair(url: str, photo_ms: float, jobs: int, blocks: int, fsync: str) -> Iterator[str]:
    ways: dict[str, Callable[[], PerJob]] = {
        name: partial(per_job, url, claims, jobs, photo_ms) for name, claims in LOOPS.items()
    }
    found = by_turns(ways, blocks)
    for name in list(LOOPS)[1:]:
        for what in ("wall_ms", "cpu_ms"):
            ours, others = ([getattr(one, what) for one in found[way]] for way in ("ours", name))
            title = f"model {photo_ms:g} ms, fsync {fsync}, {what[:-3]}: ours / {name}"
            yield figure(title, ratios(ours, others), at_most=MOST_TIMES)
    yield figure(
        f"model {photo_ms:g} ms, fsync {fsync}: ours", [one.wall_ms for one in found["ours"]], "ms a job"
    )


def per_job(url: str, claims: type[Claims], jobs: int, photo_ms: float) -> PerJob:
    """Time of the loop, with all jobs waiting."""
    client = connection(url)
    client.flushall()
    queue = QueueSettings(url, "cost", most_jobs=jobs + 1)
    made = _worker(client, queue, claims, photo_ms)
    submitter = Submitter(client, queue)
    for number in range(jobs):
        submitter.submit(NewJob(f"job-{number:06}", number.to_bytes(4, "big") * (PHOTO_BYTES // 4)))
    stop, ended = threading.Event(), 0
    cpu_s, started_s = _cpu_s(client), time.perf_counter()
    with made._lease.beating():
        while ended < jobs:
            ended += made.step(stop)
    wall_s = time.perf_counter() - started_s
    return PerJob(wall_s * 1e3 / jobs, (_cpu_s(client) - cpu_s) * 1e3 / jobs)


def _cpu_s(client: redis.Redis) -> float:
    """CPU time of this process and of Redis."""
    used = client.info("cpu")
    return float(time.process_time() + used["used_cpu_user"] + used["used_cpu_sys"])


def _worker(client: redis.Redis, queue: QueueSettings, claims: type[Claims], photo_ms: float) -> Worker:
    settings = WorkerSettings("w-0", BATCH)
    made = Worker(client, queue, settings, PhotoReader(), Timed(photo_ms))
    made._claims = claims(client, queue, settings.name, settings.idle_s)
    made._claims.make_group()
    made.step(threading.Event())  # what an earlier holder of the name left: nothing
    return made


def _entries(found: Any, time_now: tuple[int, int]) -> list[Claimed]:
    now_us = time_now[0] * 1_000_000 + time_now[1]
    return [
        Claimed(entry_id.decode(), {name.decode(): value for name, value in fields.items()}, 1, now_us)
        for entry_id, fields in (found[0][1] if found else [])
    ]
