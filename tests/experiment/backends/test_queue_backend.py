"""A queue as a backend: real jobs in a real Redis, answered by a real worker."""

from __future__ import annotations

import json
import threading
import time
from contextlib import closing
from dataclasses import replace

import pytest
import redis

from experiment.backends.base import RequestFailed
from experiment.backends.connect import connect
from experiment.backends.probe import probe
from experiment.backends.queue_address import queue_settings
from experiment.codec import from_dict, to_dict
from experiment.errors import FAILURE_CODES
from experiment.measure.run import measure
from experiment.queue.connection import connection
from experiment.queue.records import NewJob, QueueSettings
from experiment.queue.submit import Submitter
from experiment.queue.workers import workers
from experiment.records import BackendInfo, Plan
from tests.support.queue.parts import Labels, PlainReader, Refusing, running_worker
from tests.support.queue.redis_server import running_redis, start_redis
from tests.support.records import variant

VARIANT = variant(512, "jpeg", size_bytes=7, data=b"picture")


def info_of(queue: QueueSettings, **more) -> BackendInfo:
    """The backend as TF_SERVERS names it."""
    path = queue.url.removeprefix("unix://")
    address = f"queue+unix://{path}?stream={queue.stream}"
    return BackendInfo("Queued", "queue", address, **{"model": "", "signature": "", **more})


def working(queue: QueueSettings, answerer, name: str = "w-0", about=None, **settings):
    """A worker in a thread."""
    client = connection(queue.url)
    return running_worker(client, queue, answerer, PlainReader(), about, name=name, **settings)


def ask(queue: QueueSettings, timeout_s: float = 20.0, **more):
    with closing(connect(info_of(queue, **more))) as backend:
        return backend.predict(VARIANT, timeout_s)


def failure_of(queue: QueueSettings, timeout_s: float = 20.0):
    with pytest.raises(RequestFailed) as caught:
        ask(queue, timeout_s)
    assert caught.value.failure.code in FAILURE_CODES
    return caught.value.failure


def keys_of(client: redis.Redis, queue: QueueSettings) -> list[str]:
    """What the queue has left in Redis, without counters."""
    found = {key.decode() for key in client.keys(f"*{queue.stream}*")}
    kept = {queue.stream, queue.keys.stats, queue.keys.rate, queue.keys.about}
    return sorted(key for key in found - kept if ":worker:" not in key)


def test_an_answer_has_labels_version_batch_worker_and_the_stages_of_the_queue(queue):
    with working(queue, Labels(stages_ms={"decode": 0.2, "inference": 0.5, "queue": 0.1})):
        prediction = ask(queue)
    assert prediction.server_ms["queue_wait"] > 0, "in microseconds"
    assert [(each.label, each.score) for each in prediction.top] == [("tabby", 0.7), ("tiger cat", 0.2)]
    assert (prediction.model_version, prediction.batch, prediction.peer) == (3, 1, "w-0")
    assert prediction.request_bytes == len(b"picture")
    assert prediction.response_bytes > 50
    assert list(prediction.server_ms) == [
        "queue_wait",
        "batch_wait",
        "service",
        "decode",
        "inference",
        "queue",
    ]
    assert prediction.server_ms["queue"] == 0.1, "the model server's own wait is another one"


def test_the_same_photo_again_is_a_job_of_its_own_and_nothing_is_left_of_any(queue, redis_client):
    answerer = Labels()
    with working(queue, answerer), closing(connect(info_of(queue))) as backend:
        backend.open(5)
        for _ in range(20):
            backend.predict(VARIANT, 20)
    assert answerer.images == [b"picture"] * 20
    assert keys_of(redis_client, queue) == []
    assert redis_client.xlen(queue.stream) == 0


def test_one_subscription_serves_all_requests(queue, redis_client):
    def subscribed() -> list[str]:
        return [each["id"] for each in redis_client.client_list() if int(each["sub"]) + int(each["psub"])]

    with working(queue, Labels()), closing(connect(info_of(queue))) as backend:
        backend.open(5)
        before = subscribed()
        for _ in range(5):
            backend.predict(VARIANT, 20)
        assert len(before) == 1
        assert subscribed() == before


def test_another_clients_jobs_in_the_same_batch_are_counted(queue, redis_client):
    with closing(connect(info_of(queue))) as backend:
        answers = []
        asking = threading.Thread(target=lambda: answers.append(backend.predict(VARIANT, 20)))
        asking.start()
        others = Submitter(redis_client, queue)
        for number in range(2):
            others.submit(NewJob(f"other-{number}", b"another picture"))
        while redis_client.xlen(queue.stream) < 3:
            time.sleep(0.01)
        with working(queue, Labels()):
            asking.join(20)
    assert answers[0].batch == 3


def test_a_full_queue_is_overloaded(queue, monkeypatch):
    monkeypatch.setattr("experiment.backends.queue.queue_settings", lambda url: replace(queue, most_jobs=0))
    failure = failure_of(queue)
    assert failure.code == "overloaded"
    assert failure.message.startswith("Queued refused the job. The queue is full: 0 jobs wait or run;")


def test_a_job_that_nobody_takes_is_withdrawn_when_its_time_is_over(queue, redis_client):
    failure = failure_of(queue, timeout_s=0.3)
    assert failure.code == "deadline"
    assert failure.message == (
        f"Queued did not answer within 0.3 s: no worker serves the stream {queue.stream}. "
        "Start one: python -m jobs serve -c config.yaml."
    )
    assert redis_client.xlen(queue.stream) == 0
    assert keys_of(redis_client, queue) == []
    assert redis_client.hget(queue.keys.stats, "withdrawn") == b"1"


class Slow(Labels):
    def answer(self, requests):
        time.sleep(0.5)
        return super().answer(requests)


def test_a_job_that_takes_too_long_is_late_and_the_next_one_is_not_disturbed(queue):
    slow = Slow()
    with working(queue, slow), closing(connect(info_of(queue))) as backend:
        with pytest.raises(RequestFailed, match=r"Queued did not answer within 0\.2 s for 512 px JPEG"):
            backend.predict(VARIANT, 0.2)
        assert backend.predict(VARIANT, 20).top[0].label == "tabby"


@pytest.mark.parametrize(
    ("code", "expected"),
    [("image_refused", "bad_request"), ("bad_input", "bad_request"), ("gave_up:deadline", "server_error"),
     ("gave_up:too_large", "too_large"), ("something new", "server_error"), ("too_late", "deadline")],
)  # fmt: skip
def test_a_failed_job_says_why(queue, code, expected):
    with working(queue, Refusing(code, "It is no picture.")):
        failure = failure_of(queue)
    assert failure.code == expected
    assert failure.message == "The worker of Queued could not answer 512 px JPEG (7 B): It is no picture."


ODD_RESULTS = [
    {},
    {"top": []},
    {"top": "tabby"},
    {"top": [{"label": "tabby"}]},
    {"top": [{"score": 0.5}]},
    {"top": ["tabby"]},
    {"top": [{"label": "tabby", "score": 7}]},
    {"top": [{"label": "tabby", "score": float("nan")}]},
    {"top": [{"label": "x" * 1000, "score": 0.5}]},
    {"outputs": {"y": [1, 2]}},
]


@pytest.mark.parametrize("result", ODD_RESULTS, ids=str)
def test_an_odd_result_is_a_bad_answer(queue, result):
    with working(queue, Labels(result)):
        assert failure_of(queue).code == "bad_answer"


def test_odd_numbers_beside_a_good_answer_are_not_known(queue):
    result = {"top": [{"label": "tabby", "score": 0.5}], "model_version": "three"}
    with working(queue, Labels(result, {"decode": float("nan"), "a stage": 1.0, "inference": -1.0})):
        prediction = ask(queue)
    assert prediction.model_version is None
    assert set(prediction.server_ms) == {"queue_wait", "batch_wait", "service"}


def test_a_redis_that_is_gone_is_unreachable_and_one_that_came_back_is_used_again(tmp_path):
    url = f"unix://{tmp_path}/redis.sock"
    queue = QueueSettings(url, "come-and-go")
    with closing(connect(info_of(queue))) as backend:
        backend.open(1)
        with pytest.raises(RequestFailed) as caught:
            backend.predict(VARIANT, 5)
        assert caught.value.failure.code == "unreachable"
        assert "can't be reached. Is it running there?" in caught.value.failure.message
        for _ in range(2):
            process = start_redis(tmp_path)
            try:
                with working(queue, Labels()):
                    assert backend.predict(VARIANT, 20).top
            finally:
                process.kill()
                process.wait()
            with pytest.raises(RequestFailed):
                backend.predict(VARIANT, 5)


def test_a_redis_that_answers_nothing_costs_no_more_than_the_time_limit(tmp_path):
    process = start_redis(tmp_path)
    queue = QueueSettings(f"unix://{tmp_path}/redis.sock", "frozen")
    try:
        with closing(connect(info_of(queue))) as backend:
            backend.open(1)
            process.send_signal(19)  # SIGSTOP
            began = time.monotonic()
            with pytest.raises(RequestFailed) as caught:
                backend.predict(VARIANT, 0.5)
            assert caught.value.failure.code == "deadline"
            assert time.monotonic() - began < 10, "redis-py's own limit is 30 s"
    finally:
        process.kill()
        process.wait()


def test_decoding_alone_is_refused(queue):
    with (
        closing(connect(info_of(queue))) as backend,
        pytest.raises(RequestFailed, match="can't time decoding"),
    ):
        backend.decode(VARIANT, 1)


def test_a_run_over_the_queue_measures_every_request(queue):
    plan = Plan(warmups=1, repeats=3, timeout_s=20)
    with working(queue, Labels()), closing(connect(info_of(queue))) as backend:
        measured = list(measure(plan, [VARIANT], [backend]))
    assert [each.failure for each in measured] == [None] * 4
    for each in measured:
        assert each.prediction.server_ms["service"] <= each.latency_ms


# The probe.


def test_a_queue_with_workers_is_ready_and_says_what_they_said(queue):
    about = {"model": "lite", "server": "127.0.0.1:8500"}
    with working(queue, Labels(), "w-0", about), working(queue, Labels(), "w-1", about, batch_size=16):
        seen = probe(info_of(queue))
    assert seen.state == "ready"
    assert (seen.model, seen.workers, seen.batch_size) == ("lite", 2, 16)
    assert seen.model_servers == ("127.0.0.1:8500",)
    assert seen.detail.startswith("Ready. 2 workers, batches of up to 16. Round trip to Redis ")


def test_a_queue_without_workers_is_down_and_says_so(queue):
    with working(queue, Labels()):
        pass
    seen = probe(info_of(queue))
    assert seen.state == "down"
    assert (
        f"answers, but no worker serves the stream {queue.stream}. Start one: python -m jobs" in seen.detail
    )


def test_a_redis_that_is_not_there_is_down():
    seen = probe(BackendInfo("Queued", "queue", "queue://127.0.0.1:1/stream"))
    assert (seen.state, seen.detail) == (
        "down",
        "Redis at 127.0.0.1:1 can't be reached. Is it running there? "
        "(Error 111 connecting to 127.0.0.1:1. Connection refused.)",
    )


def test_workers_of_another_model_or_of_two_are_not_measured(queue):
    with working(queue, Labels(), "w-0", {"model": "lite"}):
        seen = probe(info_of(queue, model="resnet"))
        assert (seen.state, seen.detail) == (
            "wrong_model",
            "Its workers serve lite, not resnet. Change `?model=` in TF_SERVERS, or the workers.",
        )
        with working(queue, Labels(), "w-1", {"model": "resnet"}):
            seen = probe(info_of(queue))
            assert seen.state == "wrong_model"
            assert "different models (lite and resnet)" in seen.detail


@pytest.mark.parametrize("said", [b"[]", b"{", b'{"model": 5, "server": [], "batch_size": "x"}', b"\xff"])
def test_a_worker_may_say_anything(queue, redis_client, said):
    with working(queue, Labels()):
        redis_client.hset(queue.keys.about, "w-0", said)
        seen = probe(info_of(queue))
    assert (seen.state, seen.workers, seen.batch_size, seen.model_servers) == ("ready", 1, None, None)


def test_a_dead_worker_is_not_counted_and_the_next_one_cleans_up(queue, redis_client):
    redis_client.hset(queue.keys.about, "dead", json.dumps({"model": "lite"}))
    assert workers(redis_client, queue) == []
    with working(queue, Labels()):
        assert [each.name for each in workers(redis_client, queue)] == ["w-0"]
        assert redis_client.hkeys(queue.keys.about) == [b"w-0"]
    assert redis_client.hkeys(queue.keys.about) == []


# The password.


def test_the_password_is_used_and_never_written(tmp_path):
    with running_redis() as url:
        connection(url).config_set("requirepass", "p/w d")
        address = f"queue+unix://{url.removeprefix('unix://')}?stream=s"
        locked = BackendInfo("Queued", "queue", address, model="", signature="")
        seen = probe(locked)
        assert (seen.state, "refuses the password, or wants one" in seen.detail) == ("down", True)
        secret = address.replace("://", "://:p%2Fw%20d@")
        with working(QueueSettings(queue_settings(secret).url, "s"), Labels()):
            opened = replace(locked, url=secret)
            seen = probe(opened)
            assert seen.state == "ready"
            assert "p%2Fw" not in f"{seen} {to_dict(seen)}"
            with closing(connect(seen)) as backend:
                assert backend.predict(VARIANT, 20).top


def test_no_file_can_give_a_backend_another_address_than_the_one_it_shows():
    row = to_dict(BackendInfo("Queued", "queue", "queue://host:6379/stream")) | {
        "url": "queue://other:6379/x"
    }
    assert from_dict(BackendInfo, row).url == ""
