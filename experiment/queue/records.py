"""The nouns of the queue, with their units. Times of day are ms since the epoch, by Redis' clock.

A job waits in the stream, a worker claims it, and it ends with a result or with the reason why not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from experiment.queue.keys import DEFAULT_STREAM, Keys

JobState = Literal["queued", "running", "done", "failed"]
ENDED: Final = ("done", "failed")
LONGEST_ID: Final = 200  # characters
WIRE_FIELD: Final = "v"  # of an entry that submit.py wrote: the version of its fields
WIRE_VERSION: Final = "1"
DEFAULT_URL: Final = "redis://localhost:6379/0"


def shown_address(url: str) -> str:
    """The address without user and password.

    >>> shown_address("queue://:secret@host:6379/serving_stream?db=1")
    'queue://host:6379/serving_stream?db=1'
    """
    scheme, mark, rest = url.partition("://")
    return scheme + mark + rest.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """Where a queue is and how much it takes."""

    url: str = DEFAULT_URL  # also rediss://, unix:///path
    stream: str = DEFAULT_STREAM
    most_jobs: int = 10_000  # that wait or run; one more is refused
    most_memory_share: float = 0.6  # of Redis' maxmemory; the rest is for results
    results_ttl_s: float = 3600.0
    photos_ttl_s: float = 86_400.0  # of a photo whose job never ends; others go with their last job

    @property
    def keys(self) -> Keys:
        """The names of everything that belongs to this queue."""
        return Keys(self.stream)


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to submit: a photo's own bytes, or `fields` that a worker understands (jobs/wire)."""

    id: str
    photo: bytes | None = field(default=None, repr=False)
    fields: Mapping[str, bytes | str] = field(default_factory=dict)  # further fields of the stream's entry
    deadline_s: float | None = None  # from now; a job that no worker began by then fails. None: it may wait


@dataclass(frozen=True, slots=True)
class Job:
    """What is known of a job now."""

    id: str
    state: JobState
    submitted_ms: int | None = None  # None: by a client of Cluster Serving, which notes no time
    started_ms: int | None = None  # when the worker that ended it claimed it
    ended_ms: int | None = None
    tries: int | None = None  # deliveries to a worker
    worker: str | None = None
    result: Mapping[str, Any] | None = None  # jobs/infer/results.py; only if done
    result_bytes: int | None = None  # as stored
    value: bytes | None = field(default=None, repr=False)  # the result as Cluster Serving's clients read it
    code: str | None = None  # of the failure; only if failed, as `reason`
    reason: str | None = None  # a sentence

    @property
    def has_ended(self) -> bool:
        """Whether there is a result, or the reason why there is none."""
        return self.state in ENDED


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How full a queue is."""

    jobs: int  # that wait or run
    running: int  # of them, claimed by a worker
    most_jobs: int
    used_memory_bytes: int
    most_memory_bytes: int | None  # None: Redis has no limit
    ended_per_s: float  # over the last ten seconds
    oldest_s: float | None  # age of the oldest job; None: there is none
    dead: int
