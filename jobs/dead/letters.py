"""DeadLetters: reads them, puts them back into the queue, and removes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import redis

from experiment.queue.connection import in_words
from experiment.queue.records import WIRE_FIELD, QueueSettings

PAGE: Final = 100  # letters that are read at once
OWN_FIELDS: Final = frozenset({WIRE_FIELD, "uri", "photo", "begin_by_ms", "submitted_us"})  # not shown
# Why one was not put back, by what requeue.lua answers.
REFUSALS: Final = {
    "gone": "somebody removed it meanwhile",
    "queued": "a job of this name waits or runs; try again when it has ended",
    "done": "a later job of this name is done; drop this one",
    "photo_expired": "its photo has expired; submit it again",
}


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A job that was given up. Times are ms since the epoch."""

    letter_id: str  # in the dead-letter stream
    job_id: str
    code: str
    reason: str
    tries: int | None
    worker: str
    died_ms: int
    is_old: bool  # sent by a client of Cluster Serving
    photo_sha256: str
    photo_bytes: int | None  # None: it has none of its own, or it has expired
    sent: Mapping[str, bytes] = field(repr=False)  # further fields


class DeadLetters:
    """Those of one queue. Methods raise QueueUnavailable."""

    def __init__(self, client: redis.Redis, settings: QueueSettings):
        self._client = client
        self._settings = settings
        self._keys = settings.keys
        folder = Path(__file__).parent
        self._requeue = client.register_script((folder / "requeue.lua").read_text("utf-8"))
        self._drop = client.register_script((folder / "drop.lua").read_text("utf-8"))

    def all(self) -> Iterator[DeadLetter]:
        """The oldest first, those that come meanwhile not included."""
        after, until = "-", "+"
        while True:
            with in_words(self._settings.url):
                if until == "+":
                    newest = self._client.xrevrange(self._keys.dead, count=1)
                    until = newest[0][0].decode() if newest else "0-0"
                page = self._client.xrange(self._keys.dead, after, until, count=PAGE)
            for letter_id, fields in page:
                yield self._letter(letter_id.decode(), fields)
            if len(page) < PAGE:
                return
            after = f"({page[-1][0].decode()}"

    def requeue(self, letter: DeadLetter) -> str | None:
        """Put it back with all its tries; None, or why it can't be."""
        keys, settings = self._keys, self._settings
        job = keys.job(letter.job_id)
        old = keys.old_result(letter.job_id) if letter.is_old else job
        with in_words(settings.url):
            (answer,) = self._requeue(
                keys=[
                    keys.dead,
                    settings.stream,
                    job,
                    keys.photo(letter.photo_sha256),
                    keys.unread,
                    old,
                ],
                args=[
                    letter.letter_id,
                    letter.job_id,
                    round(settings.photos_ttl_s * 1000),
                    "1" if letter.is_old else "",
                ],
            )
        return REFUSALS.get(answer.decode())

    def drop(self, letter: DeadLetter) -> bool:
        """Remove it with its photo; False: somebody did so before. Its failed result expires by itself."""
        photo = self._keys.photo(letter.photo_sha256)
        with in_words(self._settings.url):
            arguments = [letter.letter_id, "1" if letter.photo_sha256 else ""]
            return bool(self._drop(keys=[self._keys.dead, photo], args=arguments))

    def _letter(self, letter_id: str, fields: Mapping[bytes, bytes]) -> DeadLetter:
        named = {name.decode("utf-8", "replace"): value for name, value in fields.items()}

        def text(name: str) -> str:
            return named.get(name, b"").decode("utf-8", "replace")

        is_old = WIRE_FIELD not in named
        sha256 = "" if is_old else text("photo")
        tries = text("dead_tries")
        return DeadLetter(
            letter_id=letter_id,
            job_id=text("uri"),
            code=text("dead_code"),
            reason=text("dead_reason"),
            tries=int(tries) - 1 if tries.isdigit() else None,  # the last delivery only gave it up
            worker=text("dead_worker"),
            died_ms=int(letter_id.partition("-")[0]),
            is_old=is_old,
            photo_sha256=sha256,
            photo_bytes=self._photo_bytes(sha256) if sha256 else None,
            sent={
                name: value
                for name, value in named.items()
                if name not in OWN_FIELDS and not name.startswith("dead_")
            },
        )

    def _photo_bytes(self, sha256: str) -> int | None:
        with in_words(self._settings.url):
            return int(self._client.hstrlen(self._keys.photo(sha256), "data")) or None
