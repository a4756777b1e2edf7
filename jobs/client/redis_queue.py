"""RedisQueue: the client of Cluster Serving's first versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from common.cluster_serving import REDIS_KEYS, Unusable, first_of, keys_of
from experiment.queue.connection import connection, in_words
from experiment.queue.keys import FIRST_STREAM
from experiment.queue.records import ENDED
from jobs.client.output_queue import FAILED
from jobs.client.place import queue_at
from jobs.client.sending import Sending
from jobs.client.values import BadInput, as_image
from jobs.wire.reader import CLASSES

NO_CLASSES = "{}"


class RedisQueue:
    """Sends images and reads their classes. `file_path`: the config.yaml that the service was started with,
    which names Redis; without it, Redis on this machine."""

    def __init__(self, file_path: str | Path | None = None, name: str = FIRST_STREAM):
        self._settings = queue_at(None if file_path is None else _redis_in(Path(file_path)), None, name)
        self._client = connection(self._settings.url)
        self._sending = Sending(self._settings, CLASSES)

    def enqueue_image(self, uri: str, img: Any) -> None:
        """Send an image: a path, bytes, or an array as OpenCV has it. Raises QueueFull, JobConflict,
        QueueUnavailable, BadInput, ImageRefused."""
        self._sending.send(uri, {"image": as_image(img)})

    def get_results(self) -> dict[str, str]:
        """All results by uri, as JSON: {"287": "0.52377725"}, or "NaN" for a job that failed. They stay until
        they expire. Raises QueueUnavailable."""
        keys = self._settings.keys
        with in_words(self._settings.url):
            uris = [uri.decode("utf-8", "replace") for uri in self._client.zrange(keys.unread, 0, -1)]
            with self._client.pipeline(transaction=False) as asked:
                for uri in uris:
                    asked.hmget(keys.job(uri), "state", "value")
                read = asked.execute()
        return {
            uri: value.decode("utf-8", "replace") if value else FAILED
            for uri, (state, value) in zip(uris, read, strict=True)
            if state and state.decode() in ENDED
        }

    def get_result(self, uri: str) -> str:
        """One of them; "{}": there is none yet. Raises QueueUnavailable."""
        job = self._sending.results.job(uri)
        if job is None or not job.has_ended:
            return NO_CLASSES
        return job.value.decode("utf-8", "replace") if job.value else FAILED


def _redis_in(file: Path) -> str | None:
    """The address of Redis in a config.yaml of any form; None: it names none. Raises BadInput."""
    try:
        found = first_of(keys_of(file, yaml.safe_load), REDIS_KEYS)
    except Unusable as problem:
        raise BadInput(f"{file}: {problem}") from None
    if found is None:
        return None
    return str(found) if "://" in str(found) else f"redis://{found}"
