"""A token bucket: how many requests with work a second are accepted by this process."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from httpserver.problems import Refused


class TokenBucket:
    """Holds one second's tokens, at least one, and gets new ones at `per_second`; 0: there is no limit."""

    def __init__(self, per_second: float, wait_s: float, clock: Callable[[], float] = time.monotonic):
        self._per_second = per_second
        self._wait_s = wait_s
        self._clock = clock
        self._most = max(1.0, per_second)
        self._tokens = self._most  # below 0: promised to requests that wait for them
        self._counted_at = clock()
        self._lock = threading.Lock()

    def take(self, sleep: Callable[[float], None] = time.sleep) -> None:
        """Take a token, waiting for it at most `wait_s`. Raises Refused, with the time until there is one."""
        if not self._per_second:
            return
        with self._lock:
            now = self._clock()
            grown = self._tokens + (now - self._counted_at) * self._per_second
            self._tokens, self._counted_at = min(self._most, grown), now
            due_s = (1 - self._tokens) / self._per_second
            if due_s > self._wait_s:
                why = f"More than {self._per_second:g} requests a second. Try again in {math.ceil(due_s)} s."
                raise Refused("too_fast", why, 429, math.ceil(due_s))
            self._tokens -= 1
        if due_s > 0:
            sleep(due_s)
