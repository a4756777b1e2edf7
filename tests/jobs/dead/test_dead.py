"""Dead letters: shown, put back with all their tries, removed with their photos."""

from __future__ import annotations

import threading

import pytest

from experiment.queue.keys import GROUP
from experiment.queue.records import NewJob
from experiment.queue.results import Results
from experiment.queue.submit import JobConflict, Submitter
from jobs.commands.main import main
from jobs.dead.letters import DeadLetters
from jobs.records import TryAgain
from jobs.worker.claims import Claims
from jobs.worker.worker import Worker, WorkerSettings
from tests.support.queue.parts import Echo, PlainReader

NEVER = threading.Event()


class Failing(Echo):
    def answer(self, requests):
        return [TryAgain("server_error", "It broke.")] * len(requests)


def worker(redis_client, queue, answerer=None) -> Worker:
    settings = WorkerSettings("w-0", wait_s=0.01, idle_s=0, most_tries=1)
    made = Worker(redis_client, queue, settings, PlainReader(), answerer or Echo())
    Claims(redis_client, queue, "w-0", 0).make_group()
    return made


def kill_all(redis_client, queue) -> None:
    made = worker(redis_client, queue, Failing())
    while redis_client.xlen(queue.stream):
        made._look_at = 0
        made.step(NEVER)


@pytest.fixture
def dead(redis_client, queue):
    """Two dead letters with the same photo."""
    for name in ("cat", "dog"):
        Submitter(redis_client, queue).submit(NewJob(name, b"photo", {"model": "b7"}, deadline_s=60))
    kill_all(redis_client, queue)
    return DeadLetters(redis_client, queue)


def call(queue, *arguments: str) -> int:
    return main(["dead", *arguments, "--redis", queue.url, "--stream", queue.stream])


def test_each_is_shown_with_why_when_how_often_and_what_was_sent(dead, queue, capsys):
    assert call(queue) == 0
    shown = capsys.readouterr().out
    assert "cat: server_error, 20" in shown and " UTC, 1 try, last on w-0" in shown
    assert "Given up after 1 try. It broke." in shown
    assert "sent: photo 55c64d0fcd6f (5 B), model=b7" in shown
    assert "submitted_us" not in shown
    assert call(queue, "show", "dog") == 0
    assert "cat" not in capsys.readouterr().out


def test_one_that_is_put_back_is_a_new_job_with_all_its_tries_and_no_old_deadline(
    dead, redis_client, queue, capsys
):
    assert call(queue, "requeue", "cat") == 0
    assert "1 job put back into the queue." in capsys.readouterr().out
    job = Results(redis_client, queue).job("cat")
    assert (job.state, job.reason, job.code) == ("queued", None, None)
    ((_, fields),) = redis_client.xrange(queue.stream)
    assert set(fields) == {b"v", b"uri", b"photo", b"model"}
    assert worker(redis_client, queue).step(NEVER) == 1
    job = Results(redis_client, queue).job("cat")
    assert (job.state, job.tries, job.result["echo"]) == ("done", 1, "photo")
    since_then_ms = job.ended_ms - job.submitted_ms
    assert job.result["stages_ms"]["queue_wait"] <= since_then_ms + 1, "it waits from now on"
    assert [letter.job_id for letter in dead.all()] == ["dog"]


def test_its_submitter_may_send_it_again_and_it_stays_one_job(dead, redis_client, queue):
    redis_client.delete(queue.keys.job("cat"))  # its failed result has expired
    assert call(queue, "requeue", "cat") == 0
    submitter = Submitter(redis_client, queue)
    assert submitter.submit(NewJob("cat", b"photo", {"model": "b7"})) is False
    with pytest.raises(JobConflict):
        submitter.submit(NewJob("cat", b"another photo"))


def test_a_photo_goes_with_the_last_letter_that_needs_it(dead, redis_client, queue):
    (photo,) = redis_client.keys(queue.keys.photo("*"))
    assert call(queue, "drop", "cat") == 0
    assert redis_client.hget(photo, "data") == b"photo"
    assert call(queue, "drop", "--all") == 0
    assert not redis_client.exists(photo)
    assert list(dead.all()) == []


def test_a_letter_is_removed_once_and_its_photo_is_counted_down_once(dead, redis_client, queue):
    first, _ = dead.all()
    assert [dead.drop(first), dead.drop(first)] == [True, False]
    assert dead.requeue(first) == "somebody removed it meanwhile"
    (photo,) = redis_client.keys(queue.keys.photo("*"))
    assert redis_client.hget(photo, "refs") == b"1"


def test_a_name_that_was_submitted_again_is_not_overwritten(dead, redis_client, queue, capsys):
    redis_client.delete(queue.keys.job("cat"))
    Submitter(redis_client, queue).submit(NewJob("cat", b"another photo"))
    assert call(queue, "requeue", "--all") == 1
    assert "cat stays as it is: a job of this name waits or runs" in capsys.readouterr().err
    assert redis_client.xlen(queue.stream) == 2
    while redis_client.xlen(queue.stream):
        worker(redis_client, queue).step(NEVER)
    assert call(queue, "requeue", "cat") == 1
    assert "a later job of this name is done" in capsys.readouterr().err


def test_one_whose_photo_has_expired_stays_and_says_so(dead, redis_client, queue, capsys):
    redis_client.delete(*redis_client.keys(queue.keys.photo("*")))
    assert call(queue, "requeue", "cat") == 1
    assert "its photo has expired; submit it again" in capsys.readouterr().err
    call(queue)
    assert "(has expired)" in capsys.readouterr().out


def test_the_letter_of_a_cluster_serving_client_goes_back_as_it_came(redis_client, queue):
    redis_client.xadd(queue.stream, {"uri": "old", "data": "payload"})
    kill_all(redis_client, queue)
    assert redis_client.hget(queue.keys.old_result("old"), "value") == b"NaN"
    assert call(queue, "requeue", "old") == 0
    assert [fields for _, fields in redis_client.xrange(queue.stream)] == [
        {b"uri": b"old", b"data": b"payload"}
    ]
    assert not redis_client.exists(queue.keys.old_result("old")), "it would read as failed"
    assert redis_client.xpending(queue.stream, GROUP)["pending"] == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["requeue"], "Which ones? Name them: dead requeue NAME, or --all."),
        (["drop", "cat", "--all"], "Give names or --all, not both."),
        (["drop", "cow"], "has no dead letter named cow"),
    ],
)
def test_a_wrong_call_ends_with_2_and_one_sentence(dead, queue, capsys, arguments, sentence):
    assert call(queue, *arguments) == 2
    assert sentence in capsys.readouterr().err
    assert len(list(dead.all())) == 2


def test_an_empty_list_says_so(queue, capsys):
    assert call(queue) == 0
    assert f"No job of {queue.stream}" in capsys.readouterr().out
