"""A worker's hold on its name, renewed by a thread that also keeps its claims while it works on them.

Names are stable, so that a worker that is started again finds what it had claimed; two at once under one
name would take each other's work.
"""

from __future__ import annotations

import itertools
import json
import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import redis

from experiment.errors import PixelcostError
from experiment.queue.keys import GROUP
from experiment.queue.records import QueueSettings
from jobs.records import Claimed
from jobs.worker.holder import is_gone, new_token
from jobs.worker.scripts import Script

LEASE_S: Final = 10.0
BEAT_S: Final = 2.0
RESERVED_S: Final = 120.0  # until an engine has started the worker

log = logging.getLogger(__name__)


class NameTaken(PixelcostError):
    """Another worker has this name."""

    code = "name_taken"
    http_status = 409


class Lease:
    """Holds one worker's name, and the claims that it works on."""

    def __init__(
        self,
        client: redis.Redis,
        settings: QueueSettings,
        name: str,
        about: Mapping[str, Any] | None = None,
        reserved: str = "",
    ):
        """`about` is what the worker says of itself, as JSON; `reserved` the token under which the name was
        kept for it (free_names())."""
        self._reserved = reserved
        self._client = client
        self._settings = settings
        self._name = name
        self._about = json.dumps(dict(about or {}))
        self._token = new_token()
        self._beat = Script(client, "beat.lua")
        self._take = Script(client, "take.lua")
        self._tell = Script(client, "about.lua")
        self._working_on: tuple[str, ...] = ()
        self.lost = threading.Event()  # somebody else took the name: stop at once

    def take(self, stop: threading.Event) -> bool:
        """Take the name; False: `stop` was set meanwhile. Raises NameTaken if another worker keeps it.

        The name of a worker that was killed on this machine is free at once; elsewhere nobody can tell, so
        LEASE_S is waited.
        """
        until = time.monotonic() + LEASE_S + BEAT_S
        while holder := self._holder_now(self._reserved):
            if is_gone(holder) and not self._holder_now(holder):
                break
            if time.monotonic() > until:
                raise NameTaken(
                    f"Another worker named {self._name} serves {self._settings.stream}. "
                    "Stop it, or give this one another name (--worker-name)."
                )
            if stop.wait(0.2):
                return False
        self._say_about()
        return True

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Renew name and claims in a thread until the end of the block, then let go of the name."""
        ended = threading.Event()
        thread = threading.Thread(target=self._run, args=(ended,), name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self._let_go()

    @contextmanager
    def working_on(self, entries: Sequence[Claimed]) -> Iterator[None]:
        """Keep these claims until the end of the block."""
        self._working_on = tuple(entry.entry_id for entry in entries)
        try:
            yield
        finally:
            self._working_on = ()

    def _run(self, ended: threading.Event) -> None:
        while not ended.wait(BEAT_S):
            try:
                self._renew()
            except redis.RedisError as error:
                log.warning("no heartbeat, Redis does not answer: %s", error)

    def _renew(self) -> None:
        keys = [self._settings.stream, self._settings.keys.worker(self._name)]
        held = self._beat(
            keys=keys,
            args=[GROUP, self._name, self._token, round(LEASE_S * 1000), *self._working_on],
        )
        if held:
            self._say_about()
            return
        # After an outage longer than LEASE_S the name is free; taken by another one, it is lost.
        if self._holder_now():
            self.lost.set()

    def _say_about(self) -> None:
        """Said with every beat: Redis may have come back empty. A script does it even when memory is full."""
        keys = self._settings.keys
        self._tell([keys.about], [self._name, self._about, keys.worker("")])

    def _holder_now(self, known_dead: str = "") -> str:
        """Take the name if it is free or `known_dead` holds it; who else has it, "" if this one does now."""
        key = self._settings.keys.worker(self._name)
        holder = self._take([key], [self._token, round(LEASE_S * 1000), known_dead])
        return holder.decode("utf-8", "replace") if holder else ""

    def _let_go(self) -> None:
        key = self._settings.keys.worker(self._name)
        try:
            if self._client.get(key) == self._token.encode():
                self._client.delete(key)
                self._client.hdel(self._settings.keys.about, self._name)
        except redis.RedisError:
            pass  # it expires


def free_names(client: redis.Redis, settings: QueueSettings, prefix: str, count: int) -> dict[str, str]:
    """The lowest `prefix`-1, `prefix`-2, ... that no worker holds, each with the token that keeps it.

    So replicas whose host names change, as in Kubernetes, have few names, which come back. Raises
    redis.RedisError.
    """
    take, token = Script(client, "take.lua"), new_token()
    found: dict[str, str] = {}
    for name in (f"{prefix}-{number}" for number in itertools.count(1)):
        if len(found) == count:
            break
        if not take([settings.keys.worker(name)], [token, round(RESERVED_S * 1000), ""]):
            found[name] = token
    return found
