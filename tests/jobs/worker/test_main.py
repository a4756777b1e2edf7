"""A worker as engines run it, in a process of its own, while Redis and other workers fail."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from experiment.queue.connection import QueueUnavailable, connection
from experiment.queue.records import NewJob, QueueSettings
from experiment.queue.results import Results
from experiment.queue.submit import QueueFull, Submitter
from experiment.records import BackendInfo
from jobs.worker.holder import is_gone, new_token, place_of_holder
from jobs.worker.lease import NameTaken
from jobs.worker.main import WorkerJob, run_worker
from tests.support.queue.echo_worker import echo_parts
from tests.support.queue.redis_server import start_redis
from tests.support.small_disk import fill, small_disk

SPAWN = multiprocessing.get_context("spawn")
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


def job_of(queue: QueueSettings) -> WorkerJob:
    return WorkerJob(queue, BackendInfo("CPU"), parts=echo_parts)


@contextmanager
def worker_process(queue: QueueSettings, name: str = "w-1") -> Iterator[Any]:
    process = SPAWN.Process(target=run_worker, args=(name, job_of(queue)), daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short enough for a socket in it."""
    with tempfile.TemporaryDirectory(prefix="main-") as name:
        yield Path(name)


def queue_in(folder: Path) -> QueueSettings:
    return QueueSettings(f"unix://{folder}/redis.sock")


def result_of(queue: QueueSettings, job_id: str) -> str | None:
    """Its state, after a while."""
    until_s = time.monotonic() + 60
    while time.monotonic() < until_s:
        try:
            job = Results(connection(queue.url), queue).wait(job_id, 60)
        except QueueUnavailable:
            time.sleep(0.1)
        else:
            return job.state if job else None
    return None


def test_a_killed_worker_is_followed_at_once_and_sigterm_ends_one_in_order(queue, redis_client):
    key = queue.keys.worker("w-1")
    with worker_process(queue) as first:
        Submitter(redis_client, queue).submit(NewJob("one", b"photo"))
        assert result_of(queue, "one") == "done"
        first.kill()
        first.join()
    assert is_gone(redis_client.get(key).decode()), "its lease is still there, and it is known to be dead"
    redis_client.persist(key)  # so that no waiting would help
    with worker_process(queue) as second:
        Submitter(redis_client, queue).submit(NewJob("two", b"photo"))
        assert result_of(queue, "two") == "done"
        second.terminate()
        second.join(60)
        assert second.exitcode == 0
    assert redis_client.get(key) is None, "it let go of its name"


def test_a_holder_elsewhere_or_alive_is_never_taken_for_dead():
    own = new_token()
    host, pid, space, began, chance = own.split("|")
    assert place_of_holder(own) == (host, os.getpid())
    assert not is_gone(own)
    assert not is_gone("|".join((host, "999999999", "another boot", began, chance)))
    assert not is_gone("|".join((host, "999999999", "", began, chance)))
    assert not is_gone("a token of another kind")
    assert is_gone("|".join((host, "999999999", space, began, chance)))
    assert is_gone("|".join((host, pid, space, "1", chance))), "the process id was used again"


def test_the_name_of_a_worker_that_lives_is_refused(queue, redis_client, monkeypatch):
    monkeypatch.setattr("jobs.worker.lease.LEASE_S", 0.3)
    monkeypatch.setattr("jobs.worker.lease.BEAT_S", 0.05)
    redis_client.set(queue.keys.worker("w-1"), new_token())
    with pytest.raises(NameTaken, match=r"Another worker named w-1 serves .*--worker-name"):
        run_worker("w-1", job_of(queue), threading.Event())


def test_a_worker_starts_before_its_redis_and_outlives_restarts_of_it(folder):
    queue = queue_in(folder)
    with worker_process(queue):
        server = start_redis(folder, DURABLE)
        try:
            Submitter(connection(queue.url), queue).submit(NewJob("one", b"photo"))
            assert result_of(queue, "one") == "done"
            Submitter(connection(queue.url), queue).submit(NewJob("two", b"photo"))
            server.kill()  # perhaps before the worker has claimed it, perhaps after
            server.wait()
            server = start_redis(folder, DURABLE)
            assert result_of(queue, "two") == "done"
        finally:
            server.kill()
            server.wait()


def test_jobs_survive_a_full_disk_of_the_append_only_file(tmp_path, folder):
    with small_disk(tmp_path / "disk", 4 << 20) as disk:
        options = ("--appendonly", "yes", "--appendfsync", "everysec", "--dir", str(disk))
        server = start_redis(folder, options)
        queue = queue_in(folder)
        submitter = Submitter(connection(queue.url), queue)
        try:
            submitter.submit(NewJob("before", b"photo"))
            filler = fill(disk)
            with pytest.raises(QueueUnavailable, match="can't write to its disk and refuses changes"):
                for number in range(1000):
                    submitter.submit(NewJob(f"during{number}", f"{number}".encode()))
                    time.sleep(0.01)
            assert Results(connection(queue.url), queue).job("before").state == "queued"
            filler.unlink()
            with worker_process(queue):
                assert result_of(queue, "before") == "done"
        finally:
            server.kill()
            server.wait()


def test_a_full_redis_refuses_jobs_in_words_and_finishes_those_that_it_has(folder):
    server = start_redis(folder, ("--maxmemory", "8mb"))
    queue = queue_in(folder)
    client = connection(queue.url)
    try:
        submitter = Submitter(client, queue)
        with pytest.raises(QueueFull, match=r"The queue is full: .* of Redis' 8\.4 MB are used"):
            for number in range(100):
                submitter.submit(NewJob(f"job{number}", f"{number}-".encode() * 50_000))
        accepted = client.xlen(queue.stream)
        with worker_process(queue):
            for number in range(accepted):
                assert result_of(queue, f"job{number}") == "done"
        assert accepted > 3
    finally:
        server.kill()
        server.wait()


@pytest.mark.usefixtures("no_pauses")
def test_a_redis_that_takes_no_jobs_says_why(folder):
    server = start_redis(folder, ("--replicaof", "127.0.0.1 1"))
    queue = queue_in(folder)
    submitter = Submitter(connection(queue.url), queue)
    try:
        with pytest.raises(QueueUnavailable, match=r"a read-only replica\. Use the address of its primary"):
            submitter.submit(NewJob("cat", b"photo"))
        connection(queue.url).config_set("requirepass", "secret")
        with pytest.raises(QueueUnavailable, match="refuses the password, or wants one"):
            Submitter(connection(queue.url), queue).submit(NewJob("cat", b"photo"))
    finally:
        server.kill()
        server.wait()
