"""Waiting for the end of jobs, by many threads over one connection, and not by too many threads."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import redis

from experiment.queue.keys import beginning_with
from experiment.queue.records import Job, QueueSettings
from experiment.queue.results import LOOK_S, Results
from httpserver.problems import Refused

log = logging.getLogger(__name__)

PAUSE_S: Final = 1.0  # while Redis is away


class Ends:
    """Hears the ends of all jobs of a queue, in one thread for all that wait for one."""

    def __init__(self, client: redis.Redis, settings: QueueSettings):
        self._client = client
        self._prefix = settings.keys.done_channel("")
        self._watched: dict[str, set[threading.Event]] = defaultdict(set)
        self._lock = threading.Lock()

    def listen(self, is_serving: Callable[[], bool]) -> None:
        """Wake those that watch, until `is_serving` says no. The body of a thread."""
        is_known = False  # that Redis is away: said once
        while is_serving():
            try:
                with self._client.pubsub(ignore_subscribe_messages=True) as announced:
                    announced.psubscribe(beginning_with(self._prefix))
                    is_known = False
                    while is_serving():
                        if message := announced.get_message(timeout=PAUSE_S):
                            self._wake(message["channel"].decode("utf-8", "replace"))
            except redis.RedisError as error:
                level = logging.DEBUG if is_known else logging.WARNING
                log.log(level, "no announcements, Redis does not answer: %s", error)
                is_known = True
                time.sleep(PAUSE_S)

    @contextmanager
    def watched(self, job_id: str) -> Iterator[threading.Event]:
        """An event that is set when the job ends, and may be set for no reason."""
        event = threading.Event()
        with self._lock:
            self._watched[job_id].add(event)
        try:
            yield event
        finally:
            with self._lock:
                self._watched[job_id].discard(event)
                if not self._watched[job_id]:
                    del self._watched[job_id]

    def _wake(self, channel: str) -> None:
        with self._lock:
            for event in self._watched.get(channel.removeprefix(self._prefix), ()):
                event.set()


class Waiting:
    """Who waits now. Each holds a thread, so their number is limited."""

    def __init__(self, most: int):
        self._most = most
        self._lock = threading.Lock()
        self.count = 0
        self.is_serving: Callable[[], bool] = lambda: True

    def take(self) -> None:
        """Count one more. Raises Refused if too many wait."""
        with self._lock:
            if self.count >= self._most:
                why = f"{self._most} requests wait for jobs to end, the most at a time. Ask without wait."
                raise Refused("too_many_waiting", why, 429, 1)
            self.count += 1

    def give_back(self) -> None:
        """One of them has ended."""
        with self._lock:
            self.count -= 1

    @contextmanager
    def one(self) -> Iterator[None]:
        """Wait during the block. Raises Refused if too many do."""
        self.take()
        try:
            yield
        finally:
            self.give_back()

    def for_end(
        self, ends: Ends, results: Results, job_id: str, timeout_s: float, is_gone: Callable[[], bool]
    ) -> Job | None:
        """The job when it has ended, or as it is after `timeout_s`, or when the client is gone or we stop.

        Raises QueueUnavailable.
        """
        until = time.monotonic() + timeout_s
        with ends.watched(job_id) as ended:
            while True:
                job = results.job(job_id)
                left_s = until - time.monotonic()
                if job is None or job.has_ended or left_s <= 0 or is_gone() or not self.is_serving():
                    return job
                ended.wait(min(left_s, LOOK_S))
                ended.clear()
