"""The workers of a queue that live, as they describe themselves (jobs/worker/lease.py)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import redis

from experiment.queue.connection import in_words
from experiment.queue.records import QueueSettings


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """One worker. Whoever may write to Redis wrote the facts: check them."""

    name: str
    facts: Mapping[str, Any]  # batch_size; model, server ("host:port", several with commas) if it knows them


def workers(client: redis.Redis, settings: QueueSettings) -> list[WorkerFacts]:
    """The workers that hold their name now, sorted by it. Raises QueueUnavailable."""
    keys = settings.keys
    with in_words(settings.url):
        described = client.hgetall(keys.about)
        names = sorted(described)
        with client.pipeline(transaction=False) as asked:
            for name in names:
                asked.exists(keys.worker(name.decode("utf-8", "replace")))
            alive = asked.execute()
    return [
        WorkerFacts(name.decode("utf-8", "replace"), _facts(described[name]))
        for name, is_there in zip(names, alive, strict=True)
        if is_there
    ]


def _facts(text: bytes) -> Mapping[str, Any]:
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}
