"""State and results of jobs: now, or when they have ended."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import redis

from experiment.queue.connection import in_words
from experiment.queue.keys import GROUP
from experiment.queue.records import Job, JobState, QueueDepth, QueueSettings

TAKE: Final = Path(__file__).with_name("take.lua").read_text("utf-8")
GONE: Final = "The job was removed from the stream before a worker got it."
LOOK_S: Final = 1.0  # how often a waiting reader looks by itself: an announcement can be lost


class Results:
    """Reads the jobs of one queue. Threads may share it."""

    def __init__(self, client: redis.Redis, settings: QueueSettings):
        self._client = client
        self._settings = settings
        self._keys = settings.keys
        self._take = client.register_script(TAKE)

    def job(self, job_id: str) -> Job | None:
        """What is known of a job; None: it was never submitted, or its result has expired.

        Raises QueueUnavailable.
        """
        key = self._keys.job(job_id)
        with in_words(self._settings.url):
            found = self._client.hgetall(key)
            state, tries = _state(found), _number(found, "tries")
            if state == "queued":
                if pending := self._pending(found[b"entry"]):
                    state, tries = "running", pending["times_delivered"]
                    found[b"worker"] = pending["consumer"]
                elif not self._client.xrange(self._settings.stream, found[b"entry"], found[b"entry"]):
                    found = self._client.hgetall(key)  # it ended meanwhile, or somebody trimmed the stream
                    if _state(found) == "queued":
                        return Job(job_id, "failed", code="entry_gone", reason=GONE)
                    state, tries = _state(found), _number(found, "tries")
        return None if state is None else _job(job_id, state, tries, found)

    def wait(self, job_id: str, timeout_s: float) -> Job | None:
        """The job when it has ended, or as it is after `timeout_s`. Raises QueueUnavailable."""
        until = time.monotonic() + timeout_s
        job = self.job(job_id)
        if job is None or job.has_ended or timeout_s <= 0:
            return job
        with in_words(self._settings.url), self._client.pubsub(ignore_subscribe_messages=True) as announced:
            channel = self._keys.done_channel(job_id)
            announced.subscribe(channel)
            while True:
                job = self.job(job_id)  # after subscribing: it may have ended in between
                left_s = until - time.monotonic()
                if job is None or job.has_ended or left_s <= 0:
                    return job
                await_message(announced, channel.encode(), min(left_s, LOOK_S))

    def take(self, job_id: str) -> Job | None:
        """The job if it has ended, and forget it, in one round trip; None: it has not ended.

        Raises QueueUnavailable.
        """
        with in_words(self._settings.url):
            parts = self._take(keys=[self._keys.job(job_id)])
        found = dict(zip(parts[::2], parts[1::2], strict=True))
        state = _state(found)
        return None if state is None else _job(job_id, state, _number(found, "tries"), found)

    def forget(self, job_id: str) -> bool:
        """Remove the result of a job that has ended; whether there was one. Raises QueueUnavailable."""
        job = self.job(job_id)
        if job is None or not job.has_ended:
            return False
        with in_words(self._settings.url):
            return bool(self._client.delete(self._keys.job(job_id)))

    def depth(self) -> QueueDepth:
        """How full the queue is. Raises QueueUnavailable."""
        keys, stream = self._keys, self._settings.stream
        with in_words(self._settings.url):
            with self._client.pipeline(transaction=False) as asked:
                asked.xlen(stream)
                asked.xrange(stream, count=1)
                asked.info("memory")
                asked.hgetall(keys.rate)
                asked.xlen(keys.dead)
                asked.time()
                jobs, first, memory, by_second, dead, (now_s, _) = asked.execute()
            running = self._running()
        return QueueDepth(
            jobs=jobs,
            running=running,
            most_jobs=self._settings.most_jobs,
            used_memory_bytes=memory["used_memory"],
            most_memory_bytes=memory["maxmemory"] or None,
            ended_per_s=_per_s(by_second, now_s),
            oldest_s=max(0.0, now_s - int(first[0][0].split(b"-")[0]) / 1000) if first else None,
            dead=dead,
        )

    def _pending(self, entry_id: bytes) -> Mapping[str, Any] | None:
        """The claim on an entry; None if no worker has it."""
        try:
            found = self._client.xpending_range(self._settings.stream, GROUP, entry_id, entry_id, 1)
        except redis.ResponseError:  # no worker was ever started, so there is no group
            return None
        return found[0] if found else None

    def _running(self) -> int:
        try:
            return int(self._client.xpending(self._settings.stream, GROUP)["pending"])
        except redis.ResponseError:
            return 0


def await_message(announced: Any, channel: bytes, timeout_s: float) -> None:
    """Wait for a message of `channel` on a subscription, at most `timeout_s`. Raises redis.RedisError."""
    until = time.monotonic() + timeout_s
    while (left_s := until - time.monotonic()) > 0:
        message = announced.get_message(timeout=left_s)
        if message and message["channel"] == channel:
            return


def _per_s(by_second: Mapping[bytes, bytes], now_s: int) -> float:
    """Jobs that ended per second in the last ten whole seconds."""
    pairs = [tuple(map(int, value.split(b":"))) for value in by_second.values()]
    return sum(count for second, count in pairs if now_s - 10 <= second < now_s) / 10


def _job(job_id: str, state: JobState, tries: int | None, found: Mapping[bytes, bytes]) -> Job:
    return Job(
        id=job_id,
        state=state,
        submitted_ms=_number(found, "submitted_ms"),
        started_ms=_number(found, "started_ms"),
        ended_ms=_number(found, "ended_ms"),
        tries=tries,
        worker=_text(found, "worker"),
        result=json.loads(found[b"result"]) if found.get(b"result") else None,
        result_bytes=len(found[b"result"]) if found.get(b"result") else None,
        value=found.get(b"value"),
        code=_text(found, "code"),
        reason=_text(found, "reason"),
    )


def _state(found: Mapping[bytes, bytes]) -> JobState | None:
    """As the hash has it; None: there is no such job (a worker may have noted why a try failed)."""
    state = found.get(b"state")
    return cast(JobState, state.decode()) if state else None


def _number(found: Mapping[bytes, bytes], name: str) -> int | None:
    text = found.get(name.encode())
    return int(text) if text else None


def _text(found: Mapping[bytes, bytes], name: str) -> str | None:
    text = found.get(name.encode())
    return text.decode("utf-8", "replace") if text else None
