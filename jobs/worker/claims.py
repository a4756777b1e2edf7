"""Claims: takes entries from the stream, keeps them, and ends them.

At least once: an entry stays in the stream until its result is stored, and both happen in one script. What a
dead worker had claimed goes to the others after `idle_s`; its name's next holder gets it at once. Entries
that were delivered before come one by one, so that one which kills its worker takes no other with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import redis

from experiment.queue.keys import GROUP
from experiment.queue.records import QueueSettings
from jobs.records import Claimed

ALLOW_OOM: Final = "#!lua flags=allow-oom\n"  # since Redis 7: ending a job frees memory, so it must always go


def script(client: redis.Redis, name: str) -> Any:
    """The script in a file beside this one, registered so that it also runs when memory is full."""
    text = Path(__file__).with_name(name).read_text("utf-8")
    is_7 = int(client.info("server")["redis_version"].split(".")[0]) >= 7
    return client.register_script(ALLOW_OOM + text if is_7 else text)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job ends: what finish() stores."""

    entry: Claimed
    state: str  # "done" or "failed"
    fields: Mapping[str, Any]  # of the job's hash
    value: bytes | None = field(default=None, repr=False)  # for Cluster Serving's clients
    is_dead: bool = False  # given up: also to the dead-letter stream


class Claims:
    """One worker's access to one queue. Methods raise redis.RedisError."""

    def __init__(self, client: redis.Redis, settings: QueueSettings, name: str, idle_s: float):
        self._client = client
        self._settings = settings
        self._name = name
        self._idle_ms = round(idle_s * 1000)
        self._cursor: Any = "0-0"
        self._finish = script(client, "finish.lua")

    def make_group(self) -> None:
        """Create stream and group, unless they are there."""
        try:
            self._client.xgroup_create(self._settings.stream, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    def new(self, count: int, wait_ms: int) -> list[Claimed]:
        """Up to `count` entries that nobody has claimed yet; waits for the first one at most `wait_ms`."""
        with self._client.pipeline(transaction=False) as asked:
            asked.xreadgroup(
                GROUP, self._name, {self._settings.stream: ">"}, count=count, block=max(wait_ms, 1)
            )
            asked.time()
            found, (now_s, microseconds) = asked.execute()
        now_us = now_s * 1_000_000 + microseconds
        entries = found[0][1] if found else []
        return [_claimed(entry_id, fields, 1, now_us) for entry_id, fields in entries]

    def own_left(self) -> Claimed | None:
        """An entry that an earlier holder of this name had claimed; None: there is none."""
        found = self._client.xreadgroup(GROUP, self._name, {self._settings.stream: "0"}, count=1)
        entries = found[0][1] if found else []
        return self._again(*entries[0]) if entries else None

    def abandoned(self) -> Claimed | None:
        """An entry whose worker has not been heard of for `idle_s`; None: none was found this time."""
        self._cursor, entries, *_ = self._client.xautoclaim(
            self._settings.stream, GROUP, self._name, self._idle_ms, start_id=self._cursor, count=1
        )
        return self._again(*entries[0]) if entries else None

    def finish(self, endings: Sequence[Ending]) -> list[bool]:
        """End jobs. For each whether this ended it: False if it had ended before."""
        ended: dict[str, bool] = {}
        for is_dead in (False, True):
            group = [ending for ending in endings if ending.is_dead == is_dead]
            if group:
                answers = self._end(group, self._settings.keys.dead if is_dead else "")
                ended |= {
                    ending.entry.entry_id: answer == 1 for ending, answer in zip(group, answers, strict=True)
                }
        return [ended[ending.entry.entry_id] for ending in endings]

    def drop(self, entry: Claimed) -> None:
        """Let go of an entry that somebody removed from the stream: nothing is known of its job."""
        self._client.xack(self._settings.stream, GROUP, entry.entry_id)

    def photos(self, hashes: Sequence[str]) -> list[bytes | None]:
        """Photos by their SHA-256; None: it has expired."""
        with self._client.pipeline(transaction=False) as asked:
            for sha256 in hashes:
                asked.hget(self._settings.keys.photo(sha256), "data")
            return list(asked.execute())

    def note(self, entry: Claimed, code: str, reason: str) -> None:
        """Keep why a try failed, for when the job is given up."""
        self._client.hset(
            self._settings.keys.job(entry.job_id), mapping={"last_code": code, "last_reason": reason}
        )

    def last_reason(self, entry: Claimed) -> tuple[str, str] | None:
        """What note() kept; None: the workers died, and left no reason."""
        code, reason = self._client.hmget(self._settings.keys.job(entry.job_id), ["last_code", "last_reason"])
        return (code.decode(), reason.decode("utf-8", "replace")) if code and reason else None

    def _end(self, endings: Sequence[Ending], dead: str) -> list[int]:
        keys = self._settings.keys
        arguments: list[Any] = [GROUP, keys.job(""), keys.photo(""), keys.done_channel("")]
        arguments += [round(self._settings.results_ttl_s * 1000), dead]
        for ending in endings:
            entry, fields = ending.entry, _stored(ending.fields)
            old = keys.old_result(entry.job_id) if entry.is_old else ""
            arguments += [
                entry.entry_id,
                entry.job_id,
                entry.photo_sha256,
                old,
                int(entry.wants_value),
                ending.value or b"",
                ending.state,
            ]
            arguments += [len(fields), *fields]
        names = [self._settings.stream, keys.finished, keys.unread, keys.rate, keys.stats]
        return list(self._finish(keys=names, args=arguments))

    def _again(self, entry_id: bytes, fields: Mapping[bytes, bytes] | None) -> Claimed:
        pending = self._client.xpending_range(self._settings.stream, GROUP, entry_id, entry_id, 1)
        now_s, microseconds = self._client.time()
        tries = pending[0]["times_delivered"] if pending else 1
        return _claimed(entry_id, fields or {}, tries, now_s * 1_000_000 + microseconds)


def _claimed(entry_id: bytes, fields: Mapping[bytes, bytes], tries: int, now_us: int) -> Claimed:
    named = {name.decode("utf-8", "replace"): value for name, value in fields.items()}
    return Claimed(entry_id.decode(), named, tries, now_us)


def _stored(fields: Mapping[str, Any]) -> list[Any]:
    """Name, value, name, value, ... without what is not known."""
    known = [(name, value) for name, value in fields.items() if value is not None]
    return [
        part
        for name, value in known
        for part in (name, json.dumps(value) if isinstance(value, Mapping | list | tuple) else value)
    ]
