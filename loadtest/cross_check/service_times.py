"""Service: how long each request is worked on, and in which order. The known half of every cross-check."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
import time
from collections.abc import Sequence


class Busy(Exception):
    """As many requests wait already as may."""


class Service:
    """Each request ends at a time that is known beforehand; use it in one event loop.

    Request number n is worked on for `times_ms[n % len(times_ms)]`. With `one_at_a_time` there is a single
    server with a queue, first come, first served: a request ends at max(its arrival, the end of the one
    before) plus its service time, so a late timer delays one answer and not all that follow. Otherwise every
    request is worked on at once. Above `most` requests at once, wait() raises Busy.
    """

    def __init__(self, times_ms: Sequence[float], one_at_a_time: bool, most: int | None = None):
        self._times_s = itertools.cycle(time_ms / 1e3 for time_ms in times_ms)
        self._one_at_a_time = one_at_a_time
        self._most = most
        self._present = 0
        self._last_end_s = 0.0
        self._alarms = Alarms()

    async def wait(self) -> None:
        """Return when the request that arrives now has been served. Raises Busy."""
        if self._most is not None and self._present >= self._most:
            raise Busy
        begin_s = time.perf_counter()
        if self._one_at_a_time:
            begin_s = max(begin_s, self._last_end_s)
        self._last_end_s = begin_s + next(self._times_s)
        self._present += 1
        try:
            await self._alarms.at(self._last_end_s)
        finally:
            self._present -= 1


class Alarms:
    """Wakes coroutines at exact times. The event loop's own timers are whole milliseconds."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        threading.Thread(target=self._ring, name="alarms", daemon=True).start()

    async def at(self, due_s: float) -> None:
        """Return at that time of time.perf_counter(), or at once if it is over."""
        done = asyncio.get_running_loop().create_future()
        with self._changed:
            heapq.heappush(self._heap, (due_s, next(self._numbers), done))
            if self._heap[0][2] is done:
                self._changed.notify()
        await done

    def _ring(self) -> None:
        with self._changed:
            while True:
                left_s = self._heap[0][0] - time.perf_counter() if self._heap else None
                if left_s is None or left_s > 0:
                    self._changed.wait(left_s)
                else:
                    done = heapq.heappop(self._heap)[2]
                    done.get_loop().call_soon_threadsafe(_finish, done)


def _finish(done: asyncio.Future[None]) -> None:
    if not done.done():  # its request was cancelled
        done.set_result(None)
