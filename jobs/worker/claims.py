"""Claims: takes entries from the stream, keeps them, and ends them.

At least once: an entry stays in the stream until its result is stored, and both happen in one script. What a
dead worker had claimed goes to the others after `idle_s`; its name's next holder gets it at once. Entries
that were delivered before come one by one, so that one which kills its worker takes no other with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import redis

from experiment.queue.keys import GROUP
from experiment.queue.records import QueueSettings
from jobs.records import Claimed
from jobs.worker.scripts import Script

FIRST: Final = "0-0"  # no entry has this id


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job ends: what finish() stores."""

    entry: Claimed
    state: str  # "done" or "failed"
    fields: Mapping[str, str | int]  # of the job's hash
    value: bytes | None = field(default=None, repr=False)  # for Cluster Serving's clients
    is_dead: bool = False  # given up: also to the dead-letter stream


class Claims:
    """One worker's access to one queue. Methods raise redis.RedisError."""

    def __init__(self, client: redis.Redis, settings: QueueSettings, name: str, idle_s: float):
        self._client = client
        self._settings = settings
        self._name = name
        self._idle_ms = round(idle_s * 1000)
        self._again = Script(client, "again.lua")
        self._note = Script(client, "note.lua")
        self._finish = Script(client, "finish.lua")
        self._from_first = Script(client, "group.lua")

    def make_group(self) -> None:
        """Create stream and group, unless they are there.

        A client of Cluster Serving may have created the group, as one that begins with the next entry.
        """
        if self._has_group():  # a look is possible when memory is full, making one is not
            self._from_first([self._settings.stream], [GROUP])
            return
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

    def own_left(self, after: str = FIRST) -> Claimed | None:
        """The next entry after `after` that an earlier holder of this name had claimed; None: no more."""
        return self._delivered_again([GROUP, self._name, 0, after, self._name])

    def abandoned(self) -> Claimed | None:
        """An entry whose worker has not been heard of for `idle_s`; None: there is none."""
        return self._delivered_again([GROUP, self._name, self._idle_ms, FIRST])

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
        settings = self._settings
        self._note(
            [settings.stream, settings.keys.job(entry.job_id)],
            [GROUP, entry.entry_id, code, reason, round(settings.photos_ttl_s * 1000)],
        )

    def last_reason(self, entry: Claimed) -> tuple[str, str] | None:
        """What note() kept; None: the workers died, and left no reason."""
        code, reason = self._client.hmget(self._settings.keys.job(entry.job_id), ["last_code", "last_reason"])
        return (code.decode(), reason.decode("utf-8", "replace")) if code and reason else None

    def _end(self, endings: Sequence[Ending], dead: str) -> list[int]:
        keys = self._settings.keys
        arguments: list[Any] = [GROUP, keys.job(""), keys.photo(""), keys.done_channel("")]
        arguments += [round(self._settings.results_ttl_s * 1000), round(self._settings.photos_ttl_s * 1000)]
        arguments.append(dead)
        for ending in endings:
            entry = ending.entry
            old = keys.old_result(entry.job_id) if entry.is_old else ""
            arguments += [
                entry.entry_id,
                entry.job_id,
                entry.photo_sha256,
                old,
                int(entry.is_for_bulk),
                ending.value or b"",
                ending.state,
            ]
            arguments += [2 * len(ending.fields), *(part for pair in ending.fields.items() for part in pair)]
        names = [self._settings.stream, keys.unread, keys.rate, keys.stats]
        return list(self._finish(names, arguments))

    def _has_group(self) -> bool:
        try:
            groups = self._client.xinfo_groups(self._settings.stream)
        except redis.ResponseError:  # there is no stream
            return False
        return any(group["name"] == GROUP.encode() for group in groups)

    def _delivered_again(self, arguments: Sequence[Any]) -> Claimed | None:
        found = self._again([self._settings.stream], arguments)
        if found is None:
            return None
        entry_id, fields, tries, now_us = found
        return _claimed(entry_id, dict(zip(fields[::2], fields[1::2], strict=True)), tries, now_us)


def _claimed(entry_id: bytes, fields: Mapping[bytes, bytes], tries: int, now_us: int) -> Claimed:
    named = {name.decode("utf-8", "replace"): value for name, value in fields.items()}
    return Claimed(entry_id.decode(), named, tries, now_us)
