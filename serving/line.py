"""The queue in front of the model: in order of arrival, bounded, and never idle while somebody waits.

No thread of its own: whoever gets a free worker computes, in the thread it came with. With batching, it
takes along what waits and fits, up to the largest batch; so a request that finds a free worker never
waits for company, and the more wait, the larger the batches.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from serving.errors import Cancelled, DeadlineExceeded, Overloaded, ServingError

SMOOTHING = 0.1  # weight of the newest request in the mean time that one takes


@dataclass(eq=False)
class Job:
    """One request on its way through the line."""

    content: Any
    kind: Hashable = None  # jobs of one kind may be computed together; None: only alone
    size: int = 1  # examples in it
    deadline: float | None = None  # time.perf_counter() seconds
    is_wanted: Callable[[], bool] = lambda: True
    result: Any = None
    problem: Exception | None = None
    arrived: float = field(default_factory=time.perf_counter)
    started: float = 0.0
    batch: list[Job] = field(default_factory=list)  # not empty: this job's thread computes all of these
    turn: threading.Lock = field(default_factory=threading.Lock)  # released when it may go on

    @property
    def queue_ms(self) -> float:
        return (self.started - self.arrived) * 1e3


Compute = Callable[[Sequence[Job]], None]  # fills in result or problem of each


class Line:
    """Jobs come from any thread, and `run` returns when theirs is done."""

    def __init__(self, compute: Compute, workers: int = 1, waiting_limit: int = 64, largest_batch: int = 1):
        self._compute = compute
        self._free = workers
        self._workers = workers
        self._waiting_limit = waiting_limit
        self._largest_batch = largest_batch
        self._guard = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._mean_s = 0.0  # that one request takes, within its batch

    @property
    def waiting(self) -> int:
        """How many jobs wait now."""
        return len(self._waiting)

    def run(self, job: Job) -> Any:
        """The job's result. Raises its problem, and Overloaded at once when it would wait too long."""
        if not self._may_start(job):
            job.turn.acquire()
        if job.batch:
            self._lead(job.batch)
        if job.problem:
            raise job.problem
        return job.result

    def _may_start(self, job: Job) -> bool:
        with self._guard:
            if self._free and not self._waiting:
                self._free -= 1
                job.batch = [job]
                return True
            self._refuse_if_full(job)
            job.turn.acquire()
            self._waiting.append(job)
            return False

    def _refuse_if_full(self, job: Job) -> None:
        waiting = len(self._waiting)
        wait_s = (waiting + self._workers) * self._mean_s / self._workers
        if waiting >= self._waiting_limit:
            raise Overloaded(f"{waiting} requests wait already. Send fewer at once.", wait_s / 2)
        if job.deadline is not None and time.perf_counter() + wait_s > job.deadline:
            raise Overloaded(
                f"{waiting} requests wait already, so the answer would come in about {wait_s:.2f} s, "
                "after its deadline. Send fewer at once.",
                wait_s / 2,
            )

    def _lead(self, batch: list[Job]) -> None:
        """Compute a batch, wake those who came with it, hand the worker on."""
        try:
            self._compute_wanted(batch)
        finally:
            self._hand_on()
            for follower in batch:
                if follower is not batch[0]:
                    follower.turn.release()

    def _compute_wanted(self, batch: list[Job]) -> None:
        started = time.perf_counter()
        for job in batch:
            job.started = started
            job.problem = _no_longer_wanted(job, started)
        wanted = [job for job in batch if not job.problem]
        if not wanted:
            return
        try:
            self._compute(wanted)
        except Exception as problem:
            for job in wanted:
                job.problem = problem
        took_s = (time.perf_counter() - started) / len(wanted)
        self._mean_s += (took_s - self._mean_s) * (SMOOTHING if self._mean_s else 1.0)

    def _hand_on(self) -> None:
        with self._guard:
            if not self._waiting:
                self._free += 1
                return
            leader = self._waiting.popleft()
            leader.batch = [leader, *self._company(leader)]
        leader.turn.release()

    def _company(self, leader: Job) -> list[Job]:
        """Those that wait and fit, in their order. What does not fit keeps its place."""
        if leader.kind is None or self._largest_batch <= leader.size:
            return []
        room = self._largest_batch - leader.size
        company: list[Job] = []
        stay: deque[Job] = deque()
        for job in self._waiting:
            if job.kind == leader.kind and job.size <= room:
                company.append(job)
                room -= job.size
            else:
                stay.append(job)
        self._waiting = stay
        return company


def _no_longer_wanted(job: Job, now: float) -> ServingError | None:
    if not job.is_wanted():
        return Cancelled("The client went away while its request waited.")
    if job.deadline is not None and now > job.deadline:
        return DeadlineExceeded("The deadline passed while the request waited.")
    return None
