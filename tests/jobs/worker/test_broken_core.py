"""Ways to lose a job, or to stop the workers, that the core must bear."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from experiment.queue.connection import connection
from experiment.queue.keys import GROUP
from experiment.queue.records import NewJob, QueueSettings
from experiment.queue.results import Results
from experiment.queue.submit import QueueFull, Submitter
from jobs.records import TryAgain
from jobs.worker.claims import Claims, Ending
from jobs.worker.lease import Lease
from jobs.worker.worker import Worker, WorkerSettings
from tests.support.queue.parts import Echo, PlainReader
from tests.support.queue.redis_server import running_redis, start_redis

NEVER = threading.Event()


def worker(redis_client, queue, answerer=None, reader=None, **settings) -> Worker:
    chosen = WorkerSettings(**{"name": "w-0", "wait_s": 0.01, "idle_s": 0.05, **settings})
    made = Worker(redis_client, queue, chosen, reader or PlainReader(), answerer or Echo())
    Claims(redis_client, queue, chosen.name, chosen.idle_s).make_group()
    return made


def test_a_job_whose_claim_redis_forgot_still_ends_with_its_result(redis_client, queue):
    """As after a crash with `appendfsync everysec`: the job is there, the claim of a second ago is not."""

    class Forgetting(Echo):
        def answer(self, requests):
            redis_client.xgroup_destroy(queue.stream, GROUP)
            redis_client.xgroup_create(queue.stream, GROUP, id="0")
            return super().answer(requests)

    Submitter(redis_client, queue).submit(NewJob("cat", b"photo"))
    assert worker(redis_client, queue, Forgetting()).step(NEVER) == 1
    job = Results(redis_client, queue).job("cat")
    assert (job.state, job.result["echo"]) == ("done", "photo")
    assert redis_client.hget(queue.keys.job("cat"), "ended_times") == b"1"


def test_a_job_that_was_trimmed_while_at_work_still_ends_with_its_result(redis_client, queue):
    class Trimming(Echo):
        def answer(self, requests):
            redis_client.xtrim(queue.stream, maxlen=0)
            return super().answer(requests)

    Submitter(redis_client, queue).submit(NewJob("cat", b"photo"))
    assert worker(redis_client, queue, Trimming()).step(NEVER) == 1
    assert Results(redis_client, queue).job("cat").state == "done"


def test_an_abandoned_job_is_found_at_once_behind_many_that_are_worked_on(redis_client, queue):
    submitter = Submitter(redis_client, queue)
    for number in range(60):
        submitter.submit(NewJob(f"cat{number}", b"photo"))
    worker(redis_client, queue)
    busy, dead = Claims(redis_client, queue, "busy", 10), Claims(redis_client, queue, "dead", 10)
    taken = [busy.new(55, 10), dead.new(5, 10)][0]
    time.sleep(0.3)
    redis_client.xclaim(queue.stream, GROUP, "busy", 0, [entry.entry_id for entry in taken], justid=True)
    found = Claims(redis_client, queue, "w-0", 0.2).abandoned()
    assert found is not None and found.job_id == "cat55" and found.tries == 2


def test_two_workers_never_get_the_same_abandoned_job(redis_client, queue):
    submitter = Submitter(redis_client, queue)
    for number in range(40):
        submitter.submit(NewJob(f"cat{number}", b"photo"))
    worker(redis_client, queue)
    Claims(redis_client, queue, "dead", 10).new(40, 10)
    time.sleep(0.3)
    found: list[str] = []

    def take(name: str) -> None:
        claims = Claims(connection(queue.url), queue, name, 0.25)
        while entry := claims.abandoned():
            found.append(entry.job_id)

    threads = [threading.Thread(target=take, args=(f"w-{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted(f"cat{n}" for n in range(40))


def test_what_a_name_left_is_tried_once_each_not_five_times_in_a_row(redis_client, queue):
    class Failing(Echo):
        def answer(self, requests):
            super().answer(requests)
            return [TryAgain("server_error", "It broke.")] * len(requests)

    submitter = Submitter(redis_client, queue)
    for number in range(3):
        submitter.submit(NewJob(f"cat{number}", b"photo"))
    worker(redis_client, queue)
    Claims(redis_client, queue, "w-0", 1000).new(3, 10)
    failing = Failing()
    made = worker(redis_client, queue, failing, idle_s=1000)
    for _ in range(8):
        made.step(NEVER)
    assert failing.batches == [1, 1, 1]
    assert {Results(redis_client, queue).job(f"cat{n}").tries for n in range(3)} == {2}


def test_tries_are_still_counted_after_redis_was_killed_and_started_again(tmp_path):
    options = ("--appendonly", "yes", "--appendfsync", "always")
    queue = QueueSettings(f"unix://{tmp_path}/redis.sock")
    process = start_redis(tmp_path, options)
    client = connection(queue.url)
    Submitter(client, queue).submit(NewJob("poison", b"photo"))
    claims = Claims(client, queue, "w-0", 1000)
    claims.make_group()
    assert [entry.tries for entry in claims.new(1, 10)] == [1]
    assert [claims.own_left().tries for _ in range(3)] == [2, 3, 4]
    process.kill()
    process.wait()
    process = start_redis(tmp_path, options)
    assert claims.own_left().tries == 5
    process.kill()
    process.wait()


def test_jobs_that_are_too_late_leave_no_gap_in_a_batch(redis_client, queue):
    submitter, echo = Submitter(redis_client, queue), Echo()
    for number in range(14):
        deadline_s = 0.001 if number < 6 else None
        submitter.submit(NewJob(f"cat{number:02}", b"photo", deadline_s=deadline_s))
    time.sleep(0.02)
    made = worker(redis_client, queue, echo, batch_size=4)
    made._left_after = None
    made._look_at = float("inf")
    assert [made.step(NEVER), made.step(NEVER)] == [10, 4]
    assert echo.batches == [4, 4]
    assert {Results(redis_client, queue).job(f"cat{n:02}").code for n in range(6)} == {"too_late"}


def test_while_the_first_jobs_are_at_work_a_full_queue_is_tried_again_soon(redis_client, queue):
    queue = replace(queue, most_jobs=2)
    submitter, claims = Submitter(redis_client, queue), Claims(redis_client, queue, "w-0", 10)
    claims.make_group()
    for number in range(2):
        submitter.submit(NewJob(f"cat{number}", b"photo"))
    with pytest.raises(QueueFull, match="are workers running") as nobody:
        submitter.submit(NewJob("one more", b"photo"))
    (taken,) = claims.new(1, 10)
    with pytest.raises(QueueFull) as begun:
        submitter.submit(NewJob("one more", b"photo"))
    assert (nobody.value.retry_after_s, begun.value.retry_after_s) == (30, 2)
    assert "are workers running" not in begun.value.message
    claims.finish([Ending(taken, "done", {"tries": 1})])
    submitter.submit(NewJob("another", b"photo"))
    with pytest.raises(QueueFull) as running:
        submitter.submit(NewJob("one more", b"photo"))
    assert running.value.retry_after_s < 30, "one has ended, in this very second"


class Unwritable(PlainReader):
    """Fails at one answer."""

    def encode(self, entry, answered):
        if entry.job_id == "bad":
            raise ValueError("no such form")


class Odd(Echo):
    """Answers one job with what is no JSON."""

    def answer(self, requests):
        found = super().answer(requests)
        return [
            replace(answer, result={"odd": object()}) if answer.result["echo"] == "bad" else answer
            for answer in found
        ]


@pytest.mark.parametrize(("reader", "answerer"), [(Unwritable(), Echo()), (PlainReader(), Odd())])
def test_an_answer_that_cannot_be_stored_fails_its_own_job_only(redis_client, queue, reader, answerer):
    submitter = Submitter(redis_client, queue)
    for name in ("good", "bad", "fine"):
        submitter.submit(NewJob(name, name.encode()))
    made = worker(redis_client, queue, answerer, reader)
    assert made.step(NEVER) == 2
    results = Results(redis_client, queue)
    assert [results.job(name).state for name in ("good", "bad", "fine")] == ["done", "running", "done"]
    assert redis_client.hget(queue.keys.job("bad"), "last_code") == b"worker_error"


def test_an_answerer_that_gives_too_few_answers_stops_no_worker(redis_client, queue):
    class Short(Echo):
        def answer(self, requests):
            return super().answer(requests)[:-1]

    submitter = Submitter(redis_client, queue)
    submitter.submit(NewJob("cat", b"photo"))
    submitter.submit(NewJob("dog", b"photo"))
    assert worker(redis_client, queue, Short()).step(NEVER) == 0
    assert redis_client.hget(queue.keys.job("cat"), "last_code") == b"worker_error"


def test_a_failed_try_of_a_job_that_has_ended_leaves_nothing_behind(redis_client, queue):
    Submitter(redis_client, queue).submit(NewJob("cat", b"photo"))
    worker(redis_client, queue)
    slow, quick = (Claims(redis_client, queue, name, 0) for name in ("slow", "quick"))
    (taken,) = slow.new(1, 10)
    made = worker(redis_client, queue, idle_s=0)
    made._left_after = None
    assert made.step(NEVER) == 1
    Results(redis_client, queue).forget("cat")
    slow.note(taken, "server_error", "It broke.")
    assert not redis_client.exists(queue.keys.job("cat")), "a hash without an end would stay for ever"
    assert quick.abandoned() is None


def test_when_memory_is_full_workers_still_start_and_empty_the_queue():
    with running_redis("--maxmemory-policy", "noeviction") as url:
        queue = QueueSettings(url, "full")
        client = connection(url)
        client.xgroup_create(queue.stream, GROUP, id="0", mkstream=True)
        submitter = Submitter(client, queue)
        for number in range(20):
            submitter.submit(NewJob(f"cat{number}", b"photo"))
        client.config_set("maxmemory", 1)

        class Half(Echo):
            def answer(self, requests):
                answers = super().answer(requests)
                return [TryAgain("server_error", "It broke."), *answers[1:]]

        stop, said = threading.Event(), []
        settings = WorkerSettings("w-0", wait_s=0.01, idle_s=30)
        made = Worker(client, queue, settings, PlainReader(), Half(), said.append)
        running = threading.Thread(target=made.run, args=(stop,))
        running.start()
        for _ in range(500):
            if client.xlen(queue.stream) == 5:
                break
            time.sleep(0.01)
        stop.set()
        running.join()
        assert client.xlen(queue.stream) == 5, "one job of each batch of four waits for its second try"
        assert not said


def test_a_job_for_a_redis_without_any_memory_is_refused_with_a_time_to_try_again():
    with running_redis("--maxmemory-policy", "noeviction") as url:
        queue, client = QueueSettings(url, "full"), connection(url)
        client.config_set("maxmemory", 1)
        with pytest.raises(QueueFull, match=r"The queue is full: .* are used") as refused:
            Submitter(client, queue).submit(NewJob("cat", b"photo"))
    assert refused.value.retry_after_s >= 1


def test_a_worker_can_be_made_while_redis_is_away(tmp_path):
    queue = QueueSettings(f"unix://{tmp_path}/redis.sock")
    stop, said = threading.Event(), []
    settings = WorkerSettings("w-0", wait_s=0.01)

    def say(sentence: str) -> None:
        said.append(sentence)
        stop.set()

    Worker(connection(queue.url, 0), queue, settings, PlainReader(), Echo(), say).run(stop)
    assert "can't be reached" in said[0]


def test_the_name_of_a_worker_that_was_killed_on_this_machine_is_free_at_once(redis_client, queue):
    code = (
        "import os, sys, threading, signal\n"
        "from experiment.queue.connection import connection\n"
        "from experiment.queue.records import QueueSettings\n"
        "from jobs.worker.lease import Lease\n"
        "url, stream = sys.argv[1:]\n"
        "assert Lease(connection(url), QueueSettings(url, stream), 'w-0').take(threading.Event())\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, queue.url, queue.stream], check=False, env=os.environ)
    assert redis_client.pttl(queue.keys.worker("w-0")) > 5000
    waits: list[float] = []

    class Waits:
        def wait(self, seconds):
            waits.append(seconds)
            return True

    assert Lease(redis_client, queue, "w-0").take(Waits())
    assert waits == []
    assert not Lease(redis_client, queue, "w-0").take(Waits()), "this process lives, so the name is taken"
    assert waits == [0.2]
