"""A queue as a backend: every request is a job in Redis, and its answer the result that a worker stores.

So the same variants can be compared served directly and through the queue. A sweep has one request at a time
under way: it measures what the queue adds to a request, not how much it carries.
"""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any, Final

from common.checks import is_line
from experiment.backends.answers import bad_answer, stages, top_labels
from experiment.backends.base import RequestFailed, describe, too_late
from experiment.backends.queue_address import queue_settings
from experiment.queue.connection import QueueUnavailable, connection, in_words, place_of
from experiment.queue.records import Job, NewJob, QueueSettings
from experiment.queue.submit import QueueFull, Submitter
from experiment.queue.waiter import Waiter
from experiment.queue.workers import workers
from experiment.records import BackendInfo, Prediction, Variant
from experiment.wording import count, listed, one_line

# Code of a failed job -> one of errors.FAILURE_CODES; all others are "server_error".
FAILURES: Final = {
    "image_refused": "bad_request",
    "bad_input": "bad_request",
    "bad_request": "bad_request",
    "too_large": "too_large",
    "not_found": "not_found",
    "overloaded": "overloaded",
    "too_late": "deadline",
}
GAVE_UP: Final = "gave_up:"  # before the code of the last try
LONGEST_MODEL, LONGEST_SERVERS = 200, 2000  # characters that a worker may say of them
LEAST_S: Final = 1.0  # for what is still to be asked of Redis when a request's time is over


class QueueBackend:
    """Connections to Redis, kept for all requests. Use it from one thread."""

    def __init__(self, info: BackendInfo):
        self.info = info
        self._settings = queue_settings(info.url or info.address)
        self._prefix = f"sweep-{secrets.token_hex(6)}-"
        self._numbers = itertools.count(1)
        self._redis: _Connections | None = None

    def open(self, timeout_s: float) -> None:
        """Connect, and subscribe to the ends of its own jobs."""
        with suppress(QueueUnavailable):
            self._connected(timeout_s)

    def predict(self, variant: Variant, timeout_s: float) -> Prediction:
        """Submit the image as a job of its own, wait for its end, return the top 5. Raises RequestFailed.

        A job that was not answered in time is withdrawn. One that a worker has begun ends, and nobody reads
        its result.
        """
        job_id = f"{self._prefix}{next(self._numbers)}"  # a new one: an old one would get its old result
        until = time.monotonic() + timeout_s
        try:
            redis = self._connected(timeout_s)
            redis.submitter.submit(NewJob(job_id, variant.data, deadline_s=timeout_s))
            job = redis.waiter.take(job_id, until - time.monotonic())
            if job is None:
                raise self._not_in_time(redis, job_id, variant, timeout_s)
        except QueueFull as full:
            raise RequestFailed("overloaded", f"{self.info.name} refused the job. {full.message}") from None
        except QueueUnavailable as gone:
            self.close()
            if time.monotonic() >= until:
                raise too_late(self.info, describe(variant), timeout_s) from None
            raise RequestFailed("unreachable", f"No answer from {self.info.name}. {gone.message}") from None
        return self._prediction(job, variant)

    def decode(self, variant: Variant, timeout_s: float) -> Prediction:
        """Not possible: a job asks for an answer."""
        raise RequestFailed("bad_request", f"{self.info.name} is a queue, which can't time decoding alone.")

    def close(self) -> None:
        """Close the connections."""
        if self._redis is not None:
            self._redis.close()
            self._redis = None

    def _connected(self, timeout_s: float) -> _Connections:
        """The connections, on which no command takes longer than `timeout_s`. Raises QueueUnavailable."""
        if self._redis is None:
            self._redis = _Connections(self._settings, self._prefix)
        self._redis.open(timeout_s)
        return self._redis

    def _not_in_time(
        self, redis: _Connections, job_id: str, variant: Variant, timeout_s: float
    ) -> RequestFailed:
        redis.limit(LEAST_S)
        if redis.submitter.withdraw(job_id) and not workers(redis.client, self._settings):
            message = f"{self.info.name} did not answer within {timeout_s:g} s: {_no_worker(self._settings)}"
            return RequestFailed("deadline", message)
        return too_late(self.info, describe(variant), timeout_s)

    def _prediction(self, job: Job, variant: Variant) -> Prediction:
        if job.state == "failed":
            code = (job.code or "").removeprefix(GAVE_UP)
            why = one_line(job.reason or "no reason given")
            message = f"The worker of {self.info.name} could not answer {describe(variant)}: {why}"
            raise RequestFailed(FAILURES.get(code, "server_error"), message)
        result = job.result
        top = result.get("top") if isinstance(result, dict) else None
        if not isinstance(result, dict) or not isinstance(top, list) or not top:
            raise bad_answer(self.info, "a result without labels. Does its model classify photos?")
        rows = [row if isinstance(row, dict) else {} for row in top]
        return Prediction(
            top=top_labels(self.info, [row.get("label") for row in rows], [row.get("score") for row in rows]),
            request_bytes=len(variant.data),
            response_bytes=job.result_bytes or 0,
            server_ms=_stages_in(result),
            peer=job.worker,
            model_version=_count(result.get("model_version")),
            batch=_count(result.get("batch")),
        )


def probe_queue(info: BackendInfo, timeout_s: float) -> BackendInfo:
    """`info` with the state of the queue, and with what its workers say of themselves. Never raises for
    anything that Redis or a worker can do."""
    settings = queue_settings(info.url or info.address)
    with closing(connection(settings.url, retries=0, answer_s=timeout_s)) as client:
        try:
            found = workers(client, settings)
            started = time.perf_counter()
            with in_words(settings.url):
                jobs = client.xlen(settings.stream)
            round_trip_ms = (time.perf_counter() - started) * 1e3
        except QueueUnavailable as gone:
            return replace(info, state="down", detail=gone.message)
    if not found:
        detail = f"Redis at {place_of(settings.url)} answers, but {_no_worker(settings)}"
        return replace(info, state="down", detail=detail)
    said = [worker.facts for worker in found]
    models = sorted({facts["model"] for facts in said if is_line(facts.get("model"), LONGEST_MODEL)})
    servers = [facts["server"].split(",") for facts in said if is_line(facts.get("server"), LONGEST_SERVERS)]
    sizes = [size for facts in said if (size := _count(facts.get("batch_size")))]
    info = replace(
        info,
        workers=len(found),
        batch_size=max(sizes, default=None),
        model_servers=tuple(sorted({server for each in servers for server in each})) or None,
    )
    if problem := _wrong_model(info, models):
        return replace(info, state="wrong_model", detail=problem)
    batches = f", batches of up to {info.batch_size}" if info.batch_size else ""
    waiting = f" {count(jobs, 'job')} of others in it." if jobs else ""
    detail = (
        f"Ready. {count(len(found), 'worker')}{batches}. Round trip to Redis {round_trip_ms:.1f} ms.{waiting}"
    )
    return replace(info, state="ready", model=models[0] if models else info.model, detail=detail)


def _wrong_model(info: BackendInfo, models: Sequence[str]) -> str:
    """A sentence if the workers don't all serve the one model that is wanted; else ""."""
    if len(models) > 1:
        return (
            f"Its workers serve different models ({listed(models)}), and any of them may answer. "
            "Give each model a stream of its own."
        )
    if models and info.model and models[0] != info.model:
        served = f"Its workers serve {models[0]}, not {info.model}."
        return f"{served} Change `?model=` in TF_SERVERS, or the workers."
    return ""


def _no_worker(settings: QueueSettings) -> str:
    """That nobody serves a queue, and what to do; it goes on after "but" or a colon."""
    return f"no worker serves the stream {settings.stream}. Start one: python -m jobs serve -c config.yaml."


class _Connections:
    """One connection for commands and one for announcements."""

    def __init__(self, settings: QueueSettings, prefix: str):
        self._settings = settings
        self._pool = connection(settings.url, retries=0)  # a hidden retry would be one slow request
        with in_words(settings.url):
            self.client = self._pool.client()
        self.submitter = Submitter(self.client, settings)
        self.waiter = Waiter(self._pool, settings, prefix)

    def open(self, timeout_s: float) -> None:
        """Subscribe if that is not done. Raises QueueUnavailable."""
        self.limit(timeout_s)
        self.waiter.open()

    def limit(self, timeout_s: float) -> None:
        """From now on no command may take longer."""
        self.client.connection.socket_timeout = timeout_s  # if it has to connect again
        self.client.connection.update_current_socket_timeout(timeout_s)

    def close(self) -> None:
        """Close both."""
        self.waiter.close()
        self.client.close()
        self._pool.close()


def _stages_in(result: Mapping[str, Any]) -> dict[str, float]:
    found = result.get("stages_ms")
    pairs = found.items() if isinstance(found, dict) else ()
    return stages((name, str(value)) for name, value in pairs)


def _count(value: Any) -> int | None:
    """A whole number above 0, or None: a worker may write anything."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**53
    return value if is_count else None
