"""What placing workers by Ray or Spark costs: jobs a second of the same worker loop, once started.

All engines run at once, each with workers on a queue of its own, so that none is started again for a block:
idle workers wait in Redis. In each block every engine gets the same jobs, in random order. The answerer
answers at once: with a model behind it the share of the placement is smaller.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from bench.support.errors import CannotRun
from bench.support.figures import figure, ratios
from bench.support.processes import free_port
from bench.support.side_by_side import by_turns
from experiment.engines.base import Engine, EngineFailed
from experiment.engines.choose import ENGINES, engine
from experiment.queue.connection import connection
from experiment.queue.records import WIRE_FIELD, WIRE_VERSION, QueueSettings
from experiment.records import BackendInfo
from jobs.records import Answered, Answerer, Claimed, Outcome, Reader, Refused, Request
from jobs.redis_server import ensure
from jobs.worker.main import WorkerJob, run_worker

JOBS = 1_000
WORKERS = 2
BLOCKS = 160
START_LIMIT_S = 120.0


@dataclass(frozen=True)
class Placed:
    """An engine whose workers run, and their queue."""

    client: redis.Redis
    queue: QueueSettings

    def is_ready(self) -> bool:
        """Whether all its workers hold their names."""
        return all(self.client.exists(self.queue.keys.worker(name)) for name in _names())

    def jobs_per_s(self) -> float:
        """From when all jobs are there to the end of the last one, so that no client is the limit."""
        ended_before = self._ended()
        with self.client.pipeline(transaction=True) as at_once:
            for number in range(JOBS):
                fields = {WIRE_FIELD: WIRE_VERSION, "uri": f"{ended_before + number}", "text": "photo"}
                at_once.xadd(self.queue.stream, fields)
            at_once.execute()
        started_s = time.perf_counter()
        while self._ended() < ended_before + JOBS:
            time.sleep(0.002)
        return JOBS / (time.perf_counter() - started_s)

    def _ended(self) -> int:
        return int(self.client.hget(self.queue.keys.stats, "done") or 0)


def bench() -> Iterator[str]:
    """The lines to print. Raises CannotRun where there is no Redis."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        place = stack.enter_context(ensure(f"redis://127.0.0.1:{free_port()}", folder, _nothing))
        placed = {}
        for name in ENGINES:
            try:
                made = engine(name)
                started_s = time.perf_counter()
                placed[name] = stack.enter_context(_running(made, place.url))
                yield f"{name}: {WORKERS} workers ready after {time.perf_counter() - started_s:.1f} s"
            except EngineFailed as missing:
                yield f"{name}: left out. {missing.message}"
        samples = by_turns({name: each.jobs_per_s for name, each in placed.items()}, BLOCKS)
        for name, rates in samples.items():
            yield figure(f"{name}: jobs/s, {JOBS:,} jobs, {WORKERS} workers", rates)
        for name in placed:
            if name != "local":
                ratio = ratios(samples[name], samples["local"])
                yield figure(f"{name} / local", ratio, at_least=0.95)


@contextmanager
def _running(made: Engine, url: str) -> Iterator[Placed]:
    queue = QueueSettings(url, f"bench-{made.name}", results_ttl_s=30.0)
    job = WorkerJob(queue, BackendInfo("none"), parts=at_once)
    stop, problems = threading.Event(), []

    def run() -> None:
        try:
            made.keep_running(run_worker, _names(), job, stop, _nothing)
        except EngineFailed as error:
            problems.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        placed = Placed(connection(url), queue)
        until_s = time.monotonic() + START_LIMIT_S
        while not placed.is_ready():
            if problems:
                raise problems[0]
            if time.monotonic() > until_s:
                raise CannotRun(f"The workers on {made.name} were not ready after {START_LIMIT_S:.0f} s.")
            time.sleep(0.02)
        yield placed
    finally:
        stop.set()
        thread.join()


def _names() -> list[str]:
    return [f"bench-{os.getpid()}-{number}" for number in range(WORKERS)]


def _nothing(_: str) -> None:
    pass


def at_once(job: WorkerJob) -> tuple[Reader, Answerer]:
    """The parts of a worker that answers at once."""
    return _Photo(), _AtOnce()


class _Photo:
    def read(self, entry: Claimed, photo: bytes | None) -> Request | Refused:
        """The photo, whatever it is."""
        return Request(image=photo or b"")

    def encode(self, entry: Claimed, answered: Answered) -> bytes | None:
        """Nobody reads it."""
        return None


class _AtOnce:
    def answer(self, requests: Sequence[Request]) -> list[Outcome]:
        """The same for all."""
        return [Answered({"top": [{"label": "cat", "score": 1.0}]})] * len(requests)
