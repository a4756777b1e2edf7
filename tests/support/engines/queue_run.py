"""2,000 jobs on an engine whose worker processes are killed meanwhile."""

from __future__ import annotations

import os
import signal
import threading
import time

import redis

from experiment.engines.base import Engine
from experiment.queue.records import NewJob, QueueSettings
from experiment.queue.submit import Submitter
from experiment.records import BackendInfo
from jobs.worker.holder import place_of_holder
from jobs.worker.main import WorkerJob, run_worker
from tests.support.engines.tasks import echo

JOBS = 2_000
NAMES = ("w-0", "w-1")


def run_with_kills(engine: Engine, client: redis.Redis, queue: QueueSettings, kills: int) -> None:
    """Submit the jobs, kill a worker now and then, wait until all jobs have ended and each kill was said."""
    job = WorkerJob(queue, BackendInfo("none"), parts=echo)
    stop, said, problems = threading.Event(), [], []

    def run() -> None:
        try:
            engine.keep_running(run_worker, NAMES, job, stop, said.append)
        except Exception as error:
            problems.append(error)

    running = threading.Thread(target=run)
    running.start()
    try:
        submitter, killed = Submitter(client, queue), set()
        for number in range(JOBS):
            submitter.submit(NewJob(f"job{number}", b"photo %d" % number))
            if number % (JOBS // (kills + 1)) == JOBS // (kills + 1) - 1 and len(killed) < kills:
                killed.add(_kill_another(client, queue, killed, problems))
        _wait(lambda: client.xlen(queue.stream) == 0, problems)
        _wait(lambda: sum("was killed" in line for line in said) == kills, problems)
    finally:
        stop.set()
        running.join(60)
    assert not problems
    assert not running.is_alive()


def counted(client: redis.Redis, queue: QueueSettings) -> dict[str, int]:
    """How often jobs ended: every one once, if all is well."""
    found: dict[str, int] = {}
    for number in range(JOBS):
        state, times = client.hmget(queue.keys.job(f"job{number}"), "state", "ended_times")
        key = f"{(state or b'').decode()} {(times or b'0').decode()}"
        found[key] = found.get(key, 0) + 1
    return found


def _kill_another(client: redis.Redis, queue: QueueSettings, killed: set[int], problems: list) -> int:
    """Kill a worker that holds its name, and was not killed before; its process id."""
    found: list[int] = []

    def look() -> bool:
        tokens = [client.get(queue.keys.worker(name)) for name in NAMES]
        pids = [place_of_holder(token.decode())[1] for token in tokens if token]
        found[:] = [pid for pid in pids if pid and pid not in killed and pid != os.getpid()]
        return bool(found)

    _wait(look, problems)
    os.kill(found[0], signal.SIGKILL)
    return found[0]


def _wait(is_so, problems: list) -> None:
    until_s = time.monotonic() + 120
    while not is_so():
        assert not problems, problems
        assert time.monotonic() < until_s, "the engine made no progress for two minutes"
        time.sleep(0.02)
