"""Photos through the queue: how fast they go in, get done and come out."""

from __future__ import annotations

import secrets
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

import redis

from experiment.queue.connection import in_words
from experiment.queue.records import ENDED, Job, NewJob, QueueSettings
from experiment.queue.results import Results
from experiment.queue.submit import QueueFull, Submitter
from experiment.report.statistics import SAMPLES_FOR_P99, percentile_from

LOOK_S: Final = 0.05
PART: Final = 500  # jobs in one look
MARKED: Final = b"\xff\xfe"  # a comment in a JPEG file


@dataclass(frozen=True, slots=True)
class Queued:
    """What came of a number of photos. Rates are per second."""

    jobs: int
    done: int
    failures: Counter[str]  # reasons of those that failed
    missing: int  # neither done nor failed when the time was up
    refusals: int  # by a full queue, before it took the job
    enqueue_s: float
    end_to_end_s: float  # from the first submission to the last end, by Redis' clock
    dequeue_s: float  # to read all results
    waits_ms: Sequence[float]  # of those that are done: in the queue
    batches: Sequence[int]  # in how large batches they were done

    @property
    def images_per_s(self) -> float:
        """Valid results only."""
        return self.done / self.end_to_end_s if self.end_to_end_s else 0.0

    @property
    def wait_p50_ms(self) -> float | None:
        return statistics.median(self.waits_ms) if self.waits_ms else None

    @property
    def wait_p99_ms(self) -> float | None:
        """None: too few."""
        return percentile_from(SAMPLES_FOR_P99, sorted(self.waits_ms), 99)


def marked(photo: bytes, number: int) -> bytes:
    """The same picture as another file, so that Redis stores and moves each: a comment in a JPEG file."""
    if not photo.startswith(b"\xff\xd8"):
        return photo
    text = f"photo {number}".encode()
    return photo[:2] + MARKED + (len(text) + 2).to_bytes(2, "big") + text + photo[2:]


def through_the_queue(
    client: redis.Redis,
    queue: QueueSettings,
    photo: bytes,
    count: int,
    senders: int,
    timeout_s: float,
    cancel: threading.Event,
) -> Queued:
    """Send `count` photos, wait until all have ended or `timeout_s` passes without one, and read the results.

    Nothing of it stays in Redis but jobs that did not end. Raises QueueUnavailable.
    """
    tag = secrets.token_hex(4)
    names = [f"bench-{tag}-{number:06}" for number in range(count)]
    started_s = time.perf_counter()
    submitter = Submitter(client, queue)
    with ThreadPoolExecutor(senders) as pool:
        sent = pool.map(
            lambda number: _send(submitter, names[number], marked(photo, number), cancel), range(count)
        )
        refusals = sum(sent)
    enqueue_s = time.perf_counter() - started_s
    _wait(client, queue, names, timeout_s, cancel)
    started_s, results = time.perf_counter(), Results(client, queue)
    found = [job for name in names if (job := results.job(name)) is not None]
    dequeue_s = time.perf_counter() - started_s
    _forget(client, queue, [job.id for job in found if job.has_ended])
    made = _figures(found, count)
    return replace(made, refusals=refusals, enqueue_s=enqueue_s, dequeue_s=dequeue_s)


def _send(submitter: Submitter, name: str, photo: bytes, cancel: threading.Event) -> int:
    """How often it was refused before."""
    refusals = 0
    while not cancel.is_set():
        try:
            submitter.submit(NewJob(name, photo))
            break
        except QueueFull as full:
            refusals += 1
            cancel.wait(full.retry_after_s)
    return refusals


def _wait(
    client: redis.Redis, queue: QueueSettings, names: Sequence[str], timeout_s: float, cancel: threading.Event
) -> None:
    still, moved_s = list(names), time.monotonic()
    while still and time.monotonic() - moved_s < timeout_s and not cancel.wait(LOOK_S):
        left = [name for part in _parts(still) for name in _not_ended(client, queue, part)]
        if len(left) < len(still):
            still, moved_s = left, time.monotonic()


def _not_ended(client: redis.Redis, queue: QueueSettings, names: Sequence[str]) -> Iterator[str]:
    with in_words(queue.url), client.pipeline(transaction=False) as asked:
        for name in names:
            asked.hget(queue.keys.job(name), "state")
        states = asked.execute()
    for name, state in zip(names, states, strict=True):
        if (state or b"").decode() not in ENDED:
            yield name


def _forget(client: redis.Redis, queue: QueueSettings, names: Sequence[str]) -> None:
    for part in _parts(names):
        with in_words(queue.url):
            client.unlink(*map(queue.keys.job, part))


def _parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[first : first + PART] for first in range(0, len(names), PART))


def _figures(found: Sequence[Job], count: int) -> Queued:
    done = [job for job in found if job.state == "done"]
    failed = [job for job in found if job.state == "failed"]
    begins = [job.submitted_ms for job in found if job.submitted_ms is not None]
    ends = [job.ended_ms for job in found if job.ended_ms is not None]
    return Queued(
        jobs=count,
        done=len(done),
        failures=Counter(str(job.reason) for job in failed),
        missing=count - len(done) - len(failed),
        refusals=0,
        enqueue_s=0.0,
        end_to_end_s=(max(ends) - min(begins)) / 1e3 if ends and begins else 0.0,
        dequeue_s=0.0,
        waits_ms=[max(0.0, float((job.started_ms or 0) - (job.submitted_ms or 0))) for job in done],
        batches=[int((job.result or {}).get("batch", 1)) for job in done],
    )
