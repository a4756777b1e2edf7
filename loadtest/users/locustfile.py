"""The users, for real Locust: `python -m loadtest users` runs this file, and so can you, from the project's
folder:

    SERVER=tf-cpu BATCHSIZE=4 python -m locust -f loadtest/users/locustfile.py --headless RestBatch \
        --users 500 --spawn-rate 10 --run-time 5m --csv stats/rest_batch

Nothing imports it but Locust, which makes every blocking call of its process give way to other users.
A response time is that of the whole call: building the request, sending it, reading and parsing the answer.
Connecting is not in it. A user sends its next request as soon as the last one is answered: a closed loop.
"""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path
from typing import Any

import gevent
import grpc.experimental.gevent
from locust import User, events, tag, task
from locust.env import Environment

from experiment.backends.base import CONNECT_S, RequestFailed
from experiment.records import Failure
from loadtest.users.asked import SAMPLES, Asked
from loadtest.users.connections import connection_to
from loadtest.users.inputs import Inputs
from loadtest.users.kinds import BATCH_TAG, KINDS, SINGLE_TAG, Kind
from loadtest.users.samples import SampleWriter

grpc.experimental.gevent.init_gevent()

PAUSE_S = 1.0  # of a user after a request that nothing answered, so that it does not try a thousand times
MOST_UNANSWERED = 200  # requests to a server that has answered none: then the load ends
FLUSH_S = 0.5
LAST_LINES_S = 1.2  # Locust writes its CSV files once in a second, and not at the end

asked = Asked.from_environment(os.environ)
numbers = itertools.count()  # of requests: each user sends another input than the one before it
inputs: dict[Kind, Inputs] = {}
samples: list[SampleWriter] = []  # one, or none
answers: dict[bool, int] = {True: 0, False: 0}  # was answered -> how many


class Caller(User):
    """What all four have in common."""

    abstract = True
    kind: Kind

    def on_start(self) -> None:
        """Connect."""
        self.connection = connection_to(inputs[self.kind].info)
        self.connection.open(min(CONNECT_S, asked.timeout_s))

    def on_stop(self) -> None:
        """Close the connection."""
        self.connection.close()

    def call(self) -> None:
        """One request, timed and told to Locust."""
        batch, size_bytes = asked.batch_of(self.kind), 0
        failure: Failure | None = None
        sample = samples[0].begin() if samples else None
        started_at, started = time.time(), time.perf_counter()
        number = next(numbers) % len(inputs[self.kind].items)
        try:
            body = inputs[self.kind].body(number, batch)
            size_bytes = self.connection.predict(body, batch, asked.timeout_s)
        except RequestFailed as failed:
            failure = failed.failure
        latency_ms = (time.perf_counter() - started) * 1e3
        if sample:
            samples[0].end(sample, latency_ms, number, failure or size_bytes)
        self.environment.events.request.fire(
            request_type="REST" if self.kind.protocol == "rest" else "gRPC",
            name=self.kind.name,
            response_time=latency_ms,
            response_length=size_bytes,
            exception=failure and failure.message,
            context={},
            start_time=started_at,
        )
        answers[failure is None or failure.code != "unreachable"] += 1
        if failure and failure.code == "unreachable":
            self.wait_for_a_server(failure)

    def wait_for_a_server(self, failure: Failure) -> None:
        """Pause, or end the load where there is no server."""
        if not answers[True] and answers[False] == MOST_UNANSWERED:
            for each in samples:
                each.stop(f"It ended after {MOST_UNANSWERED} requests: {failure.message}.")
            gevent.spawn(self.environment.runner.quit)
        gevent.sleep(PAUSE_S)


class RestSingle(Caller):
    """One image, or one row of numbers, over REST."""

    kind = KINDS["rest_single"]

    @tag(SINGLE_TAG)
    @task
    def predict(self) -> None:
        """A request."""
        self.call()


class GrpcSingle(Caller):
    """One image, or one row of numbers, over gRPC."""

    kind = KINDS["grpc_single"]

    @tag(SINGLE_TAG)
    @task
    def predict(self) -> None:
        """A request."""
        self.call()


class RestBatch(Caller):
    """BATCHSIZE of them in a request over REST."""

    kind = KINDS["rest_batch"]

    @tag(BATCH_TAG)
    @task
    def predict(self) -> None:
        """A request."""
        self.call()


class GrpcBatch(Caller):
    """BATCHSIZE of them in a request over gRPC."""

    kind = KINDS["grpc_batch"]

    @tag(BATCH_TAG)
    @task
    def predict(self) -> None:
        """A request."""
        self.call()


def prepare(environment: Environment, **_: Any) -> None:
    """Ask the server what its model takes, for every class that will run; --tags leaves the others out."""
    tags = set(getattr(environment.parsed_options, "tags", None) or (SINGLE_TAG, BATCH_TAG))
    users = [user for user in environment.user_classes if issubclass(user, Caller) and user.kind.tag in tags]
    environment.user_classes = list(users)
    for user in users:
        inputs[user.kind] = asked.inputs_of(user.kind)


def open_samples(**_: Any) -> None:
    """Begin the file of raw samples, if one is wanted."""
    if path := os.environ.get(SAMPLES):
        samples.append(SampleWriter(Path(path)))
        gevent.spawn(flush_samples)


def flush_samples() -> None:
    """Until the end, so that the command can show how the load goes."""
    while True:
        gevent.sleep(FLUSH_S)
        for each in samples:
            each.flush()


def close_samples(**_: Any) -> None:
    """Let Locust write its last lines, then close the file."""
    gevent.sleep(LAST_LINES_S)
    while samples:
        samples.pop().close()


for event, listener in (
    (events.init, prepare),
    (events.test_start, open_samples),
    (events.quit, close_samples),
):
    event.add_listener(listener)  # type: ignore[no-untyped-call]  # Locust's own
