"""A worker without a model, for engines to run."""

from __future__ import annotations

from jobs.records import Answerer, Reader
from jobs.worker.main import WorkerJob
from tests.support.queue.parts import Echo, PlainReader


def echo_parts(job: WorkerJob) -> tuple[Reader, Answerer]:
    """For WorkerJob.parts."""
    return PlainReader(), Echo()
