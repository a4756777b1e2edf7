"""Which workers a queue has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import redis

from experiment.queue.connection import in_words
from experiment.queue.keys import GROUP
from experiment.queue.records import QueueSettings
from experiment.queue.workers import workers
from jobs.worker.holder import place_of_holder


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """A worker as Redis knows it."""

    name: str
    host: str  # "": it is not there
    pid: int | None
    jobs: int  # that it works on, or had when it died

    @property
    def is_alive(self) -> bool:
        """Whether it holds its name."""
        return bool(self.host)


def holders(client: redis.Redis, queue: QueueSettings, names: Sequence[str]) -> list[bytes | None]:
    """Who holds each of these names; None: nobody. Raises QueueUnavailable."""
    with in_words(queue.url):
        return list(client.mget([queue.keys.worker(name) for name in names])) if names else []


def workers_of(client: redis.Redis, queue: QueueSettings) -> list[WorkerSeen]:
    """Live workers, and dead ones whose jobs are not yet with others. Raises QueueUnavailable."""
    alive = [worker.name for worker in workers(client, queue)]
    tokens = holders(client, queue, alive)
    with in_words(queue.url):
        claims = _claims(client, queue)
    held_by = {
        name: place_of_holder(token.decode("utf-8", "replace"))
        for name, token in zip(alive, tokens, strict=True)
        if token
    }
    names = sorted({*held_by, *(name for name, jobs in claims.items() if jobs)})
    return [WorkerSeen(name, *held_by.get(name, ("", None)), claims.get(name, 0)) for name in names]


def _claims(client: redis.Redis, queue: QueueSettings) -> Mapping[str, int]:
    try:
        found: list[dict[str, Any]] = client.xinfo_consumers(queue.stream, GROUP)
    except redis.ResponseError:  # there is no stream or no group yet
        return {}
    return {each["name"].decode("utf-8", "replace"): each["pending"] for each in found}
