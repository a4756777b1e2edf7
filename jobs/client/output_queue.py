"""OutputQueue: reads results, one by its uri or all that have come."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import redis

from experiment.queue.connection import connection, in_words
from experiment.queue.keys import DEFAULT_STREAM
from experiment.queue.records import ENDED
from experiment.queue.results import Results
from jobs.client.place import queue_at
from jobs.wire.arrow import BadArrow, read_result

NOT_READY, FAILED = "[]", "NaN"  # as Cluster Serving's clients say it
AT_ONCE: Final = 200  # results read in one step
SCRIPT: Final = Path(__file__).with_name("take.lua").read_text("utf-8")

Result = np.ndarray | list[np.ndarray] | str


class OutputQueue:
    """Reads the results of the queue `name` at Redis, also of jobs that Cluster Serving's clients sent."""

    def __init__(
        self,
        host: str | None = None,
        port: int | str | None = None,
        name: str = DEFAULT_STREAM,
        ssl: bool | str = False,
        ssl_certfile: str | None = None,
        ssl_keyfile: str | None = None,
        ssl_ca_certs: str | None = None,
        password: str | None = None,
    ):
        self._settings = queue_at(host, port, name, ssl, ssl_certfile, ssl_keyfile, ssl_ca_certs, password)
        self._client = connection(self._settings.url)
        self._results = Results(self._client, self._settings)
        self._take = self._client.register_script(SCRIPT)

    def query(self, uri: str) -> Result:
        """The result: an array (a list of arrays for several outputs), "NaN" if the job failed, "[]" if there
        is none yet, or none any more. It stays. Raises QueueUnavailable."""
        job = self._results.job(uri)
        return NOT_READY if job is None or not job.has_ended else _result(job.state, job.value)

    def why(self, uri: str) -> str | None:
        """Why a result is "NaN", as a sentence; None: it is not. Raises QueueUnavailable."""
        job = self._results.job(uri)
        if job is None or not job.has_ended or job.value:
            return None
        return (
            job.reason or "The model's answer has no array: for photos it needs the output `probabilities`."
        )

    def query_and_delete(self, uri: str) -> Result:
        """The same, and the result is removed: of several readers one gets it. Raises QueueUnavailable."""
        return self._taken([uri.encode()]).get(uri, NOT_READY)

    def dequeue(self) -> dict[str, Result]:
        """All results that have come, by uri. They are removed: each goes to one reader. Results of jobs that
        were sent over HTTP, or by predict(), stay. Raises QueueUnavailable."""
        with in_words(self._settings.url):
            left = self._client.zcard(self._settings.keys.unread)
        found: dict[str, Result] = {}
        while left > 0:
            with in_words(self._settings.url):
                uris = self._client.zrange(self._settings.keys.unread, 0, min(left, AT_ONCE) - 1)
            if not uris:
                break
            left -= len(uris)
            found |= self._taken(uris)
        return found

    def _taken(self, uris: Sequence[bytes]) -> dict[str, Result]:
        """Read first, then removed: an outage in between loses nothing, though the result may come twice."""
        keys = self._settings.keys
        with in_words(self._settings.url):
            with self._client.pipeline(transaction=False) as asked:
                for uri in uris:
                    asked.hmget(keys.job(uri.decode("utf-8", "replace")), "state", "value", "entry")
                read = asked.execute()
            arguments: list[Any] = [keys.job(""), keys.old_result("")]
            for uri, (_, _, entry) in zip(uris, read, strict=True):
                arguments += [uri, entry or b""]
            try:
                taken = self._take(keys=[keys.unread], args=arguments)
            except (redis.ConnectionError, redis.TimeoutError):
                taken = [1] * len(uris)
        return {
            uri.decode("utf-8", "replace"): _result(state.decode(), value)
            for uri, (state, value, _), mine in zip(uris, read, taken, strict=True)
            if mine and state and state.decode() in ENDED
        }


def _result(state: str, value: bytes | None) -> Result:
    if state != "done" or not value:
        return FAILED
    if value.startswith(b"{"):  # classes, as the first clients read them
        return value.decode("utf-8", "replace")
    try:
        return read_result(base64.b64decode(value))
    except (BadArrow, binascii.Error):
        return FAILED
