"""The queue of runs: a few measure, a few wait, and more are refused."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from experiment.errors import PixelcostError
from webapp.runs.live_run import LiveRun

LOOK_AGAIN_S = 1.0


class TooBusy(PixelcostError):
    """The queue is full. Try again after `retry_after_s`."""

    code = "too_many_runs"
    http_status = 429

    def __init__(self, running: int, waiting: int, retry_after_s: int):
        runs = "1 run is" if running == 1 else f"{running} runs are"
        super().__init__(f"{runs} in progress and {waiting} waiting. Try again in about {retry_after_s} s.")
        self.retry_after_s = retry_after_s


class RunQueue:
    """The runs that measure or wait, in order."""

    def __init__(self, at_once: int, queue_length: int):
        self._at_once = at_once
        self._places = at_once + queue_length
        self._changed = threading.Condition()
        self._arriving = 0  # uploads that hold a place, but are not runs yet
        self._waiting: list[LiveRun] = []
        self._running: list[LiveRun] = []

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place in the queue while a photo is read. Raises TooBusy if it is full."""
        with self._changed:
            waiting = len(self._waiting) + self._arriving
            if len(self._running) + waiting >= self._places:
                left_s = self._left_s()
                retry_after_s = 10 if left_s is None else max(2, min(600, round(left_s) + 1))
                raise TooBusy(len(self._running), waiting, retry_after_s)
            self._arriving += 1
        try:
            yield
        finally:
            with self._changed:
                self._arriving -= 1

    def enter(self, live: LiveRun) -> None:
        """Let a run begin immediately if it may, or else wait."""
        with self._changed:
            if not self._waiting and len(self._running) < self._at_once:
                self._running.append(live)
            else:
                self._waiting.append(live)
                live.announce(len(self._waiting), self._left_s())

    def wait(self, live: LiveRun, is_over: Callable[[], bool]) -> bool:
        """Block until the run may begin. Returns False if `is_over` becomes true first."""
        with self._changed:
            while not is_over():
                if live in self._running:
                    return True
                if self._waiting[0] is live and len(self._running) < self._at_once:
                    self._running.append(self._waiting.pop(0))
                    self._announce()
                    return True
                self._changed.wait(LOOK_AGAIN_S)
            return False

    def leave(self, live: LiveRun) -> None:
        """The run has ended; the next one may begin."""
        with self._changed:
            if live in self._running:
                self._running.remove(live)
            if live in self._waiting:
                self._waiting.remove(live)
                self._announce()
            self._changed.notify_all()

    def cancel(self, live: LiveRun) -> None:
        """Stop a run; what was measured is kept."""
        live.cancel()
        self.wake()

    def wake(self) -> None:
        """Have waiting runs check whether they were cancelled."""
        with self._changed:
            self._changed.notify_all()

    def alive(self) -> list[LiveRun]:
        """Every run that measures or waits."""
        with self._changed:
            return [*self._running, *self._waiting]

    def position(self, live: LiveRun) -> int:
        """Position in the queue, from 1; 0 if it measures."""
        with self._changed:
            return self._waiting.index(live) + 1 if live in self._waiting else 0

    @property
    def is_measuring(self) -> bool:
        """Whether a run is being measured. One that has only to store its end is not."""
        return any(not live.is_closed for live in list(self._running))

    @property
    def length(self) -> int:
        """Runs that wait."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """Runs that measure; one that waits for a run of another web process does not."""
        return sum(live.state == "running" for live in self.alive())

    @property
    def oldest_wait_s(self) -> float:
        """How long the run that waits longest has waited; 0 if none waits."""
        now = time.monotonic()
        return max((now - live.began for live in self.alive() if live.state == "queued"), default=0.0)

    def _announce(self) -> None:
        for position, waiting in enumerate(self._waiting, start=1):
            waiting.announce(position, self._left_s())

    def _left_s(self) -> float | None:
        """Until the first running run ends, by its pace so far; None: not known yet."""
        left = [run.log.progress.eta_s for run in self._running]
        return min((eta_s for eta_s in left if eta_s is not None), default=None)
