"""The kill test's processes with this project's queue."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Sequence

import redis

from bench.queue.checker import Ended, Left
from bench.queue.history import Log
from bench.queue.work import Model, NotingReader, Plan, sha256_of
from experiment.queue.connection import RETRIES, QueueUnavailable, connection
from experiment.queue.keys import GROUP
from experiment.queue.records import NewJob, QueueSettings
from experiment.queue.submit import QueueFull, Submitter
from jobs.worker.worker import Worker, WorkerSettings

AGAIN_S = 0.1  # between the tries of a submitter whose answer was lost


def settings(plan: Plan) -> QueueSettings:
    return QueueSettings(plan.url, plan.stream, most_jobs=plan.most_jobs)


def work(name: str, plan: Plan) -> None:
    """One worker, until it is told to stop."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    chosen = WorkerSettings(name, plan.batch_size, plan.most_tries, plan.idle_s)
    reader, model = NotingReader(Log(plan.folder, name)), Model(plan.service_ms)
    Worker(connection(plan.url), settings(plan), chosen, reader, model, say=lambda _: None).run(stop)


def submit(number: int, jobs: Sequence[str], plan: Plan) -> None:
    """Submit jobs one after another; each until it is known to be accepted."""
    log = Log(plan.folder, f"submitter{number}")
    retries = RETRIES if number % 2 else 0  # half of them leave it to redis-py to send a command again
    submitter = Submitter(connection(plan.url, retries), settings(plan))
    for job in jobs:
        new = NewJob(job, plan.photo(job))
        log.add("submit", job, sha256=sha256_of(new.photo or b""))
        while True:
            try:
                submitter.submit(new)
                log.add("accept", job)
                break
            except QueueFull as full:
                log.add("refuse", job, retry_after_s=full.retry_after_s)
                time.sleep(full.retry_after_s)
            except QueueUnavailable:
                time.sleep(AGAIN_S)


def ended(client: redis.Redis, plan: Plan, jobs: Sequence[str]) -> dict[str, Ended]:
    """Those of these jobs that have ended."""
    keys = settings(plan).keys
    with client.pipeline(transaction=False) as asked:
        for job in jobs:
            asked.hgetall(keys.job(job))
        return {
            job: _ended(found)
            for job, found in zip(jobs, asked.execute(), strict=True)
            if found.get(b"state") in {b"done", b"failed"}
        }


def final(client: redis.Redis, plan: Plan) -> Left:
    """What Redis holds after the run; the photos of dead letters are not counted as left."""
    keys = settings(plan).keys
    dead = [fields[b"uri"].decode() for _, fields in client.xrange(keys.dead)]
    ids = [key.decode()[len(keys.job("")) :] for key in client.scan_iter(keys.job("*"), count=1000)]
    return Left(
        jobs=ended(client, plan, ids),
        dead=dead,
        entries=client.xlen(plan.stream),
        claims=client.xpending(plan.stream, GROUP)["pending"],
        photos=sum(1 for _ in client.scan_iter(keys.photo("*"), count=1000)) - len(set(dead)),
    )


def _ended(found: dict[bytes, bytes]) -> Ended:
    result = json.loads(found.get(b"result") or b"{}")
    return Ended(
        state=found[b"state"].decode(),
        ended_ms=float(found[b"ended_ms"]),
        ended_times=int(found[b"ended_times"]),
        deliveries=int(found[b"tries"]),
        sha256=result.get("sha256", ""),
        mark=result.get("mark", ""),
    )
