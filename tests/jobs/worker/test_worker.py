"""One worker and one queue, on a real Redis."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest
import redis

from experiment.errors import PixelcostError
from experiment.queue.keys import GROUP
from experiment.queue.records import NewJob, QueueSettings
from experiment.queue.results import Results
from experiment.queue.submit import JobConflict, QueueFull, Submitter
from jobs.records import ModelUnavailable, Outcome, Request, TryAgain
from jobs.worker.claims import Claims
from jobs.worker.lease import NameTaken
from jobs.worker.worker import Times, Worker, WorkerSettings
from tests.support.queue.parts import Echo, PlainReader

NEVER = threading.Event()


def worker(redis_client: redis.Redis, queue: QueueSettings, answerer=None, **settings) -> Worker:
    chosen = WorkerSettings(**{"name": "w-0", "wait_s": 0.01, "idle_s": 0.05, **settings})
    made = Worker(redis_client, queue, chosen, PlainReader(), answerer or Echo())
    Claims(redis_client, queue, chosen.name, chosen.idle_s).make_group()
    return made


def work_until_empty(made: Worker, redis_client: redis.Redis, queue: QueueSettings) -> None:
    for _ in range(200):
        made.step(NEVER)
        if not redis_client.xlen(queue.stream):
            return
        time.sleep(0.01)
    raise AssertionError("the queue never became empty")


def test_a_job_ends_with_its_result_and_leaves_nothing_in_the_stream(redis_client, queue):
    Submitter(redis_client, queue).submit(NewJob("cat", b"photo"))
    results = Results(redis_client, queue)
    assert results.job("cat").state == "queued"
    work_until_empty(worker(redis_client, queue), redis_client, queue)
    job = results.job("cat")
    assert (job.state, job.result["echo"], job.tries) == ("done", "photo", 1)
    assert redis_client.xpending(queue.stream, GROUP)["pending"] == 0
    assert not redis_client.keys(f"pixelcost:{{{queue.stream}}}:photo:*"), "the photo goes with its last job"


def test_jobs_that_wait_are_answered_in_one_batch(redis_client, queue):
    submitter, echo = Submitter(redis_client, queue), Echo()
    for number in range(6):
        submitter.submit(NewJob(f"cat{number}", b"photo"))
    work_until_empty(worker(redis_client, queue, echo, batch_size=4), redis_client, queue)
    assert echo.batches == [4, 2]


def test_the_same_job_twice_is_one_job_and_another_content_is_refused(redis_client, queue):
    submitter = Submitter(redis_client, queue)
    assert submitter.submit(NewJob("cat", b"photo")) is True
    assert submitter.submit(NewJob("cat", b"photo")) is False
    with pytest.raises(JobConflict, match="another content"):
        submitter.submit(NewJob("cat", b"another photo"))
    assert redis_client.xlen(queue.stream) == 1
    work_until_empty(worker(redis_client, queue), redis_client, queue)
    assert submitter.submit(NewJob("cat", b"photo")) is False, "its result is still there"
    assert submitter.submit(NewJob("cat", b"another photo")) is True


def test_a_full_queue_refuses_until_a_tenth_is_free(redis_client, queue):
    queue = replace(queue, most_jobs=10)
    submitter = Submitter(redis_client, queue)
    for number in range(10):
        submitter.submit(NewJob(f"cat{number}", b"photo"))
    with pytest.raises(QueueFull, match="10 jobs wait or run; the limit is 10") as refused:
        submitter.submit(NewJob("one more", b"photo"))
    assert refused.value.retry_after_s >= 1
    made = worker(redis_client, queue, batch_size=1)
    made.step(NEVER)
    with pytest.raises(QueueFull):
        submitter.submit(NewJob("one more", b"photo"))
    made.step(NEVER)
    assert submitter.submit(NewJob("one more", b"photo"))


def test_what_a_dead_worker_had_claimed_is_done_by_another_one(redis_client, queue):
    submitter = Submitter(redis_client, queue)
    for number in range(3):
        submitter.submit(NewJob(f"cat{number}", b"photo"))
    first = worker(redis_client, queue)
    Claims(redis_client, queue, "w-0", 1).new(3, 10)  # and then it dies
    echo = Echo()
    other = worker(redis_client, queue, echo, name="w-1")
    time.sleep(0.06)
    work_until_empty(other, redis_client, queue)
    assert echo.batches == [1, 1, 1], "one by one: one of them may be what killed it"
    assert Results(redis_client, queue).job("cat0").tries == 2
    assert first.step(NEVER) == 0


def test_a_worker_of_the_same_name_goes_on_at_once(redis_client, queue):
    Submitter(redis_client, queue).submit(NewJob("cat", b"photo"))
    worker(redis_client, queue)
    Claims(redis_client, queue, "w-0", 1000).new(1, 10)
    assert worker(redis_client, queue, idle_s=1000).step(NEVER) == 1


class Failing:
    def answer(self, requests: Sequence[Request]) -> list[Outcome]:
        return [TryAgain("server_error", "It broke.")] * len(requests)


def test_a_job_that_fails_every_time_is_given_up_after_five_tries_and_kept(redis_client, queue):
    Submitter(redis_client, queue).submit(NewJob("poison", b"photo"))
    made = worker(redis_client, queue, Failing())
    for _ in range(5):
        assert made.step(NEVER) == 0
        time.sleep(0.06)
        made._look_at = 0
    work_until_empty(made, redis_client, queue)
    job = Results(redis_client, queue).job("poison")
    assert (job.state, job.tries, job.code) == ("failed", 6, "gave_up:server_error")
    assert job.reason == "Given up after 5 tries. It broke."
    ((_, dead),) = redis_client.xrange(queue.keys.dead)
    assert dead[b"uri"] == b"poison" and dead[b"dead_reason"] == job.reason.encode()
    assert redis_client.hget(queue.keys.photo(dead[b"photo"].decode()), "data") == b"photo", (
        "for `dead requeue`"
    )


def test_only_the_first_of_two_results_counts(redis_client, queue):
    Submitter(redis_client, queue).submit(NewJob("cat", b"photo"))
    worker(redis_client, queue)
    slow, quick = (Claims(redis_client, queue, name, 0) for name in ("slow", "quick"))
    (taken,) = slow.new(1, 10)
    taken_over = quick.abandoned()
    made = worker(redis_client, queue)
    endings = [
        made._ending(entry, Echo().answer([Request(b"x")])[0], Times(0.1, 1.0, 1))
        for entry in (taken_over, taken)
    ]
    assert quick.finish(endings[:1]) == [True]
    assert slow.finish(endings[1:]) == [False]
    assert redis_client.hget(queue.keys.job("cat"), "ended_times") == b"1"


def test_a_job_whose_deadline_passed_is_not_begun(redis_client, queue):
    Submitter(redis_client, queue).submit(NewJob("cat", b"photo", deadline_s=0.001))
    time.sleep(0.02)
    work_until_empty(worker(redis_client, queue), redis_client, queue)
    assert Results(redis_client, queue).job("cat").code == "too_late"


def test_while_the_model_server_is_away_jobs_wait_and_no_try_is_counted(redis_client, queue):
    class Away(Echo):
        def answer(self, requests):
            if len(self.batches) < 2:
                self.batches.append(0)
                raise ModelUnavailable("No answer from 1 CPU at 127.0.0.1:8500.")
            return super().answer(requests)

    Submitter(redis_client, queue).submit(NewJob("cat", b"photo"))
    said: list[str] = []
    made = worker(redis_client, queue, Away())
    made._say = said.append
    assert made.step(NEVER) == 1
    assert Results(redis_client, queue).job("cat").tries == 1
    assert said == ["No answer from 1 CPU at 127.0.0.1:8500. Waiting for it; jobs stay in the queue."]


def test_two_workers_may_not_share_a_name(redis_client, queue, monkeypatch):
    monkeypatch.setattr("jobs.worker.lease.LEASE_S", 0.3)
    monkeypatch.setattr("jobs.worker.lease.BEAT_S", 0.05)
    stop, ready = threading.Event(), threading.Event()
    first = threading.Thread(target=worker(redis_client, queue).run, args=(stop, ready.set))
    first.start()
    assert ready.wait(10)
    with pytest.raises(NameTaken, match=r"Another worker named w-0 serves"):
        worker(redis_client, queue).run(threading.Event())
    stop.set()
    first.join()


def test_a_reader_waits_for_the_end_of_a_job(redis_client, queue):
    Submitter(redis_client, queue).submit(NewJob("cat", b"photo"))
    results, found = Results(redis_client, queue), []
    waiting = threading.Thread(target=lambda: found.append(results.wait("cat", 20)))
    waiting.start()
    work_until_empty(worker(redis_client, queue), redis_client, queue)
    waiting.join(20)
    assert found[0].state == "done"
    assert results.forget("cat") and results.job("cat") is None


def test_a_job_that_somebody_trimmed_from_the_stream_has_failed(redis_client, queue):
    Submitter(redis_client, queue).submit(NewJob("cat", b"photo"))
    redis_client.xtrim(queue.stream, maxlen=0)
    assert Results(redis_client, queue).job("cat").code == "entry_gone"


@pytest.mark.parametrize("name", ["", "a" * 201, "two\nlines"])
def test_an_id_is_one_short_line(redis_client, queue, name):
    with pytest.raises(PixelcostError, match="id of a job"):
        Submitter(redis_client, queue).submit(NewJob(name, b"photo"))
