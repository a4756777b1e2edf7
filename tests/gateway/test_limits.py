"""Tokens and memory: what one client may take. And who may ask at all."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from experiment.queue.records import QueueSettings
from gateway.app import create_app
from gateway.config import Settings
from gateway.limits.bucket import TokenBucket
from gateway.limits.memory import Memory
from httpserver.problems import Refused
from tests.support.queue.photos import png

TOKEN = "a-token-of-enough-characters"


class Clock:
    """A clock that moves only when told to, or when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def refused(bucket: TokenBucket, clock: Clock) -> int:
    """Seconds until there is a token again."""
    with pytest.raises(Refused) as error:
        bucket.take(clock.sleep)
    assert (error.value.code, error.value.http_status) == ("too_fast", 429)
    return error.value.retry_after_s


def test_a_bucket_gives_one_seconds_tokens_at_once_and_then_as_many_as_come_back():
    clock = Clock()
    bucket = TokenBucket(4, 0, clock)
    for _ in range(4):
        bucket.take(clock.sleep)
    assert refused(bucket, clock) == 1
    clock.now += 0.25
    bucket.take(clock.sleep)
    refused(bucket, clock)
    clock.now += 3600
    for _ in range(4):
        bucket.take(clock.sleep)
    refused(bucket, clock)
    assert clock.slept == []


def test_a_request_waits_for_a_token_that_comes_soon_enough():
    clock = Clock()
    bucket = TokenBucket(10, 0.1, clock)
    for _ in range(11):
        bucket.take(clock.sleep)
    assert clock.slept == [pytest.approx(0.1)]


def test_a_slow_bucket_says_how_long_it_takes():
    clock = Clock()
    bucket = TokenBucket(0.1, 1, clock)
    bucket.take(clock.sleep)
    assert refused(bucket, clock) == 10


def test_without_a_rate_there_is_no_limit():
    clock = Clock()
    bucket = TokenBucket(0, 0, clock)
    for _ in range(10_000):
        bucket.take(clock.sleep)


def test_memory_is_given_to_those_that_fit_and_one_that_is_larger_than_all_of_it_gets_its_turn():
    memory, order = Memory(100), []
    entered, leave = threading.Event(), threading.Event()

    def holder() -> None:
        with memory.held(60):
            entered.set()
            leave.wait(60)
            order.append("holder")

    def giant() -> None:
        with memory.held(1_000):
            order.append("giant")

    threads = [threading.Thread(target=each) for each in (holder, giant)]
    threads[0].start()
    assert entered.wait(60)
    threads[1].start()
    with memory.held(40):
        order.append("fits")
    leave.set()
    for thread in threads:
        thread.join(60)
    assert order == ["fits", "holder", "giant"]


def test_requests_above_the_rate_are_refused_before_they_become_jobs(queue: QueueSettings, redis_client):
    settings = Settings(redis_url=queue.url, stream=queue.stream, tokens_per_second=1, token_wait_s=0)
    client = create_app(settings).test_client()
    answers = [client.post("/jobs", data=png(colour=colour)) for colour in range(20)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused and answers[0].status_code == 202
    assert refused[0].json["code"] == "too_fast"
    assert int(refused[0].headers["Retry-After"]) == 1
    assert redis_client.xlen(queue.stream) == 20 - len(refused)
    assert client.get("/queue").status_code == 200, "looking needs no token of the bucket"


def test_with_a_token_only_probes_and_the_documentation_are_open_and_it_says_so(queue: QueueSettings):
    settings = Settings(redis_url=queue.url, stream=queue.stream, token=TOKEN)
    client = create_app(settings).test_client()
    for path in ("/healthz", "/readyz", "/docs", "/static/api_docs.js", "/openapi.json"):
        assert client.get(path).status_code == 200, path
    for path in ("/queue", "/models", "/metrics", "/jobs/x"):
        answer = client.get(path)
        assert (answer.status_code, answer.json["code"]) == (401, "no_token")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    wrong = client.get("/queue", headers={"Authorization": "Bearer another-token-here"})
    assert (wrong.status_code, wrong.json["code"]) == (401, "wrong_token")
    right = {"Authorization": f"Bearer {TOKEN}"}
    assert client.get("/queue", headers=right).status_code == 200
    paths = client.get("/openapi.json").json["paths"]
    assert paths["/queue"]["get"]["security"] == [{"token": []}]
    assert "401" in paths["/queue"]["get"]["responses"]
    assert "security" not in paths["/healthz"]["get"]
    assert "401" not in paths["/healthz"]["get"]["responses"]


def test_other_sites_and_other_hosts_are_refused(queue: QueueSettings):
    client = create_app(Settings(redis_url=queue.url, stream=queue.stream)).test_client()
    cross = client.post("/jobs", data=png(), headers={"Origin": "https://evil.example"})
    assert (cross.status_code, cross.json["code"]) == (403, "cross_site")
    rebound = client.get("/queue", headers={"Host": "evil.example"})
    assert (rebound.status_code, rebound.json["code"]) == (421, "bad_host")
    open_settings = replace(Settings(redis_url=queue.url, stream=queue.stream), host="0.0.0.0")
    assert create_app(open_settings).test_client().get("/healthz", headers={"Host": "x"}).status_code == 200
    answer = client.get("/healthz")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Request-ID"]
