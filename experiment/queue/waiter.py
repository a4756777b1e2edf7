"""Waiter: for a client that sends one job after the other and wants each result as soon as it is there."""

from __future__ import annotations

import time
from typing import Any

import redis

from experiment.queue.connection import QueueUnavailable, in_words
from experiment.queue.keys import beginning_with
from experiment.queue.records import Job, QueueSettings
from experiment.queue.results import LOOK_S, Results, await_message


class Waiter:
    """Waits for jobs whose ids all begin with `prefix`. One subscription, kept until close(), serves all of
    them: Results.wait() makes one for each job, which takes two round trips more. Use it from one thread."""

    def __init__(self, client: redis.Redis, settings: QueueSettings, prefix: str):
        self._client = client
        self._settings = settings
        self._pattern = beginning_with(settings.keys.done_channel(prefix))
        self._results = Results(client, settings)
        self._announced: Any = None

    def open(self) -> None:
        """Subscribe, unless that is done. Raises QueueUnavailable."""
        if self._announced is not None:
            return
        announced = self._client.pubsub(ignore_subscribe_messages=True)
        try:
            with in_words(self._settings.url):
                announced.psubscribe(self._pattern)
                # The answer to it: only then is no announcement missed. It is ignored, so None comes.
                announced.get_message(timeout=LOOK_S)
        except BaseException:
            announced.close()
            raise
        self._announced = announced

    def take(self, job_id: str, timeout_s: float) -> Job | None:
        """The job as soon as it has ended, and forget it; None: it has not ended after `timeout_s`.

        Raises QueueUnavailable.
        """
        until = time.monotonic() + timeout_s
        channel = self._settings.keys.done_channel(job_id).encode()
        try:
            self.open()
            while True:
                left_s = until - time.monotonic()
                with in_words(self._settings.url):
                    await_message(self._announced, channel, max(min(left_s, LOOK_S), 0.0))
                if job := self._results.take(job_id):
                    return job
                if time.monotonic() >= until:
                    return None
        except QueueUnavailable:
            self.close()  # the next job begins with a fresh subscription
            raise

    def close(self) -> None:
        """End the subscription."""
        if self._announced is not None:
            self._announced.close()
            self._announced = None
