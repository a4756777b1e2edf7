"""A job as JSON, and as events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from experiment.queue.records import Job

NOT_RESULT = ("stages_ms", "batch")  # what the worker adds to the model's result


def job_json(job: Job, location: str) -> dict[str, Any]:
    """Everything that is known of a job. Times of day are ms since the epoch, by Redis' clock."""
    result = dict(job.result) if job.result is not None else None
    added = {name: result.pop(name, None) for name in NOT_RESULT} if result else dict.fromkeys(NOT_RESULT)
    return {
        "id": job.id,
        "location": location,
        "state": job.state,
        "submitted_ms": job.submitted_ms,
        "started_ms": job.started_ms,
        "ended_ms": job.ended_ms,
        "tries": job.tries,
        "worker": job.worker,
        **added,
        "result": result,
        "code": job.code,
        "reason": job.reason,
    }


class Event(NamedTuple):
    """Something that happened to a job. Numbers grow, and every gateway gives the same ones."""

    number: int
    name: str  # queued, running, done, failed
    data: dict[str, Any]


def events(job: Job, location: str) -> Iterator[Event]:
    """What has happened to a job so far; of its tries, the latest."""
    tries = job.tries or 0
    yield Event(1, "queued", {"id": job.id, "submitted_ms": job.submitted_ms})
    if job.state == "running" or (job.has_ended and tries):
        yield Event(2 * tries, "running", {"id": job.id, "tries": tries, "started_ms": job.started_ms})
    if job.has_ended:
        yield Event(2 * tries + 3, job.state, job_json(job, location))
