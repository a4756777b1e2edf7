"""What the routes share: queues, limits and metrics, of one process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from flask import current_app

from experiment.queue.connection import connection
from experiment.queue.records import Job, NewJob, QueueDepth, QueueSettings
from experiment.queue.results import Results
from experiment.queue.submit import Submitter
from gateway.backends import Backends
from gateway.config import Settings
from gateway.limits.bucket import TokenBucket
from gateway.limits.receive import Receiver
from gateway.limits.waiting import Ends, Waiting
from gateway.metrics import Metrics
from gateway.models.answers import Models

QUICK_S: Final = 5.0  # for what probes and Prometheus ask, which would pile up if Redis hangs


class Queue:
    """One queue: submitting, results, and the ends of its jobs."""

    def __init__(self, settings: QueueSettings, waiting: Waiting):
        self.settings = settings
        self._client = connection(settings.url)
        self._submitter = Submitter(self._client, settings)
        self._results = Results(self._client, settings)
        quick = connection(settings.url, retries=0, answer_s=QUICK_S)
        self._quick_results = Results(quick, settings)
        self._ends = Ends(self._client, settings)
        self._waiting = waiting

    def start(self) -> None:
        """Listen to the ends of jobs from now on. Call it after any fork."""
        arguments = (self._waiting.is_serving,)
        threading.Thread(target=self._ends.listen, args=arguments, name="ends", daemon=True).start()

    def submit(self, job: NewJob) -> bool:
        """Whether the job is new. Raises as Submitter.submit()."""
        return self._submitter.submit(job)

    def job(self, job_id: str) -> Job | None:
        """What is known of a job. Raises QueueUnavailable."""
        return self._results.job(job_id)

    def forget(self, job_id: str) -> bool:
        """Remove the result of a job that has ended. Raises QueueUnavailable."""
        return self._results.forget(job_id)

    def wait(self, job_id: str, timeout_s: float, is_gone: Callable[[], bool]) -> Job | None:
        """The job when it has ended, or as it is after `timeout_s`. Raises QueueUnavailable."""
        return self._waiting.for_end(self._ends, self._results, job_id, timeout_s, is_gone)

    def depth(self) -> QueueDepth:
        """How full it is, asked once. Raises QueueUnavailable."""
        return self._quick_results.depth()


class Services:
    """All of it. Nothing is connected before the first request."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.waiting = Waiting(settings.max_waiting)
        self.queue = Queue(settings.queue, self.waiting)
        self._begin = [self.queue.start]
        self.bucket = TokenBucket(settings.tokens_per_second, settings.token_wait_s)
        self.receiver = Receiver(settings)
        self.backends = Backends(settings)
        self.models = Models(Path(settings.models_dir), settings.cache) if settings.models_dir else None
        self.metrics = Metrics(self.queue.depth, lambda: self.waiting.count)

    def also_start(self, begin: Callable[[], None]) -> None:
        """Have more background work begun with this one."""
        self._begin.append(begin)

    def start(self, is_serving: Callable[[], bool]) -> None:
        """Begin background work, until `is_serving` says no."""
        self.waiting.is_serving = is_serving
        for begin in self._begin:
            begin()


def services() -> Services:
    """Those of the app that answers now."""
    found: Services = current_app.extensions["gateway"]
    return found
