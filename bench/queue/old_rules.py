"""The kill test's processes by the rules of Analytics Zoo's Cluster Serving, written anew to compare.

Each start has a random consumer name; entries are never acknowledged, claimed again or deleted; above 60 % of
maxmemory the stream is cut to half, oldest first; the client prints and goes on when Redis is full or away.
Source: intel-analytics/analytics-zoo, FlinkRedisSource.scala, RedisUtils.scala and client.py.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence

import redis

from bench.queue.checker import Ended, Left
from bench.queue.history import Log
from bench.queue.work import Model, Plan, sha256_of
from experiment.queue.connection import connection
from experiment.queue.keys import GROUP, Keys
from jobs.records import Answered, Request

MEMORY_SHARE, CUT_TO = 0.6, 0.5
AFTER_ERROR_S = 1.0  # the client's interval_if_error
READ_MS = 100


def work(name: str, plan: Plan) -> None:
    """One worker. It ends when Redis does, as a Flink task does; its supervisor starts it again."""
    log, model = Log(plan.folder, name), Model(plan.service_ms)
    client = connection(plan.url, 0)
    try:
        client.xgroup_create(plan.stream, GROUP, id="0", mkstream=True)
    except redis.ResponseError:
        pass
    except redis.RedisError:
        return
    consumer = secrets.token_hex(8)
    while True:
        try:
            _batch(client, consumer, plan, log, model)
        except redis.RedisError:
            return


def _batch(client: redis.Redis, consumer: str, plan: Plan, log: Log, model: Model) -> None:
    memory = client.info("memory")
    if memory["maxmemory"] and memory["used_memory"] >= memory["maxmemory"] * MEMORY_SHARE:
        client.xtrim(plan.stream, maxlen=int(client.xlen(plan.stream) * CUT_TO), approximate=False)
    found = client.xreadgroup(GROUP, consumer, {plan.stream: ">"}, count=plan.batch_size, block=READ_MS)
    entries = [(fields[b"uri"].decode(), fields[b"data"]) for _, fields in (found[0][1] if found else [])]
    for job, _ in entries:
        log.add("deliver", job, tries=1)
    if entries:
        answers = model.answer([Request(data) for _, data in entries])
        for (job, _), answer in zip(entries, answers, strict=True):
            value = json.dumps(answer.result) if isinstance(answer, Answered) else "NaN"
            key = Keys(plan.stream).old_result(job)
            with client.pipeline() as both:
                both.hset(key, "value", value)
                both.hincrby(key, "ended_times", 1)  # for the checker
                both.execute()


def submit(number: int, jobs: Sequence[str], plan: Plan) -> None:
    """Enqueue jobs one after another."""
    log, client = Log(plan.folder, f"submitter{number}"), connection(plan.url, 0)
    for job in jobs:
        photo = plan.photo(job)
        log.add("submit", job, sha256=sha256_of(photo))
        try:
            memory = client.info("memory")
            if memory["maxmemory"] and memory["used_memory"] >= memory["maxmemory"] * MEMORY_SHARE:
                raise redis.ConnectionError("full")
            client.xadd(plan.stream, {"uri": job, "data": photo})
            log.add("accept", job)
        except redis.RedisError:
            log.add("drop", job)  # theirs prints a line here
            time.sleep(AFTER_ERROR_S)


def ended(client: redis.Redis, plan: Plan, jobs: Sequence[str]) -> dict[str, Ended]:
    """Those of these jobs that have a result."""
    with client.pipeline(transaction=False) as asked:
        for job in jobs:
            asked.hgetall(Keys(plan.stream).old_result(job))
        found = dict(zip(jobs, asked.execute(), strict=True))
    return {job: _ended(values) for job, values in found.items() if values}


def final(client: redis.Redis, plan: Plan) -> Left:
    """What Redis holds after the run. There are no dead letters."""
    prefix = Keys(plan.stream).old_result("")
    ids = [key.decode()[len(prefix) :] for key in client.scan_iter(f"{prefix}*", count=1000)]
    pending = client.xpending(plan.stream, GROUP)["pending"]
    return Left(ended(client, plan, ids), [], client.xlen(plan.stream), pending)


def _ended(values: dict[bytes, bytes]) -> Ended:
    times = int(values[b"ended_times"])
    if values[b"value"] == b"NaN":
        return Ended("failed", ended_times=times)
    result = json.loads(values[b"value"])
    return Ended("done", ended_times=times, sha256=result["sha256"], mark=result["mark"])
