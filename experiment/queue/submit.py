"""Submitting jobs. A full queue refuses; nothing that was accepted is ever dropped."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any, Final

import redis

from experiment.errors import PixelcostError
from experiment.queue.connection import in_words
from experiment.queue.keys import GROUP
from experiment.queue.records import LONGEST_ID, WIRE_FIELD, WIRE_VERSION, NewJob, QueueSettings
from experiment.wording import size

SCRIPT: Final = Path(__file__).with_name("submit.lua").read_text("utf-8")
WITHDRAW: Final = Path(__file__).with_name("withdraw.lua").read_text("utf-8")
NO_WORKER_S: Final = 30  # when to try again if no job ended lately and no worker has one
NO_RATE_S: Final = 2  # the same if workers have jobs, the first ones
SHORTEST_S, LONGEST_S = 1, 3600


class QueueFull(PixelcostError):
    """The queue takes no more jobs now. `retry_after_s` is when it should again."""

    code = "queue_full"
    http_status = 429

    def __init__(self, message: str, retry_after_s: int):
        super().__init__(message)
        self.retry_after_s = retry_after_s


class JobConflict(PixelcostError):
    """A job with this id and another content waits or runs."""

    code = "job_conflict"
    http_status = 409


class Submitter:
    """Submits jobs to one queue. Threads may share it.

    >>> Submitter(connection(DEFAULT_URL), QueueSettings()).submit(NewJob("cat1", photo))
    True
    """

    def __init__(self, client: redis.Redis, settings: QueueSettings):
        self._settings = settings
        self._script = client.register_script(SCRIPT)
        self._withdraw = client.register_script(WITHDRAW)

    def submit(self, job: NewJob) -> bool:
        """Whether the job is new. The same id with the same content again changes nothing, so a client that
        got no answer may send it again.

        Raises QueueFull, JobConflict, QueueUnavailable, and PixelcostError for an id that can't be used.
        """
        _check_id(job.id)
        settings, keys = self._settings, self._settings.keys
        photo = job.photo or b""
        sha256 = hashlib.sha256(photo).hexdigest()
        fields: dict[str, Any] = {WIRE_FIELD: WIRE_VERSION, "uri": job.id, **job.fields}
        if photo:
            fields["photo"] = sha256
        deadline_ms = "" if job.deadline_s is None else round(job.deadline_s * 1000)
        with in_words(settings.url):
            names = [settings.stream, keys.job(job.id), keys.photo(sha256), keys.full, keys.rate, keys.stats]
            answer = self._script(
                keys=names,
                args=[
                    job.id,
                    _fingerprint(job, sha256),
                    settings.most_jobs,
                    settings.most_memory_share,
                    round(settings.photos_ttl_s * 1000),
                    deadline_ms,
                    photo,
                    *(part for pair in fields.items() for part in pair),
                ],
            )
        kind = answer[0].decode()
        if kind == "full":
            raise _full(settings, answer[1].decode(), *answer[2:])
        if kind == "conflict":
            raise JobConflict(
                f"A job named {job.id} with another content waits or runs. Choose another name, "
                "or wait until it has ended."
            )
        return bool(kind == "accepted")

    def withdraw(self, job_id: str) -> bool:
        """Take back a job that no worker has begun; whether it was. Raises QueueUnavailable."""
        settings, keys = self._settings, self._settings.keys
        with in_words(settings.url):
            script_keys = [settings.stream, keys.job(job_id), keys.stats]
            return bool(self._withdraw(keys=script_keys, args=[GROUP, keys.photo("")]))


def _check_id(job_id: str) -> None:
    if not isinstance(job_id, str) or not 0 < len(job_id) <= LONGEST_ID or not job_id.isprintable():
        raise PixelcostError(
            f"The id of a job is a line of 1 to {LONGEST_ID} characters, not {job_id!r:.42}.", "bad_id", 422
        )


def _fingerprint(job: NewJob, sha256: str) -> str:
    """Two jobs with the same one ask the same."""
    whole = hashlib.sha256(sha256.encode())
    for name, value in sorted(job.fields.items()):
        part = value if isinstance(value, bytes) else value.encode()
        whole.update(f"/{name}={len(part)}:".encode() + part)
    return whole.hexdigest()


def _full(
    settings: QueueSettings, why: str, jobs: int, used: int, limit: int, per_s: bytes, running: int
) -> QueueFull:
    """Room is made at the rate at which jobs ended lately, and jobs are taken again when a tenth is free."""
    rate = float(per_s)
    over = jobs - 0.9 * settings.most_jobs
    if why == "memory":
        resume = 0.9 * limit * settings.most_memory_share
        over = jobs * max(0.0, 1 - resume / used)
        what = f"{size(used)} of Redis' {size(limit)} are used"
    else:
        what = f"{jobs:,} jobs wait or run; the limit is {settings.most_jobs:,}"
    unknown_s = NO_RATE_S if running else NO_WORKER_S
    seconds = math.ceil(over / rate) if rate > 0 else unknown_s
    seconds = min(max(seconds, SHORTEST_S), LONGEST_S)
    slow = "" if rate > 0 or running else " No job has ended in the last ten seconds: are workers running?"
    return QueueFull(f"The queue is full: {what}.{slow} Try again in {seconds} s.", seconds)
