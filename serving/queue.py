"""The request queue in front of the models: in order of arrival, bounded, never idle while a request waits.

It has no thread: a request that finds a free worker is computed in the thread it came with. With
batching, that thread takes along the waiting requests that fit, up to the largest batch. So a request that
finds a free worker never waits for a batch to fill, and the more requests wait, the larger the batches are.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from serving.errors import Cancelled, DeadlineExceeded, Overloaded, ServingError

# Weight of the newest run in the expected run time. An estimate that is too short costs more than one that is
# too long: the answers come too late and were computed in vain.
WEIGHT_OF_LONGER, WEIGHT_OF_SHORTER = 0.5, 0.1
WAY_BACK = 1.2  # a fifth more than the estimate: the answer has to get to the client, too


@dataclass(eq=False)
class Job:
    """One request on its way through the queue."""

    content: Any
    batch_key: Hashable = None  # jobs with the same key may be computed together; None: only alone
    size: int = 1  # examples in it
    # Jobs of one group (a model's signature) share an expected run time and a limit, and groups take turns.
    group: Hashable = None
    deadline: float | None = None  # time.perf_counter() seconds
    is_wanted: Callable[[], bool] = lambda: True  # whether the client still waits
    result: Any = None
    problem: Exception | None = None
    arrived: float = field(default_factory=time.perf_counter)
    started: float = 0.0
    batch: list[Job] = field(default_factory=list)  # not empty: this job's thread computes all of these
    wake: threading.Lock = field(default_factory=threading.Lock)  # held while the job's thread has to wait

    @property
    def queue_ms(self) -> float:
        return (self.started - self.arrived) * 1e3


Compute = Callable[[Sequence[Job]], None]  # fills in the result or the problem of every job


class RequestQueue:
    """Jobs come from any thread, and `run` returns when the caller's job is done."""

    def __init__(self, compute: Compute, workers: int = 1, waiting_limit: int = 64, largest_batch: int = 1):
        self._compute = compute
        self._free = workers
        self._workers = workers
        self._waiting_limit = waiting_limit
        self._largest_batch = largest_batch
        self._guard = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._run_s: dict[Hashable, float] = {}  # expected run time by group; rather too long than too short
        self._ends: list[float] = []  # when the current runs are expected to end
        self._turns: dict[Hashable, int] = {}  # by group: the number of its latest turn
        self._turn = 0

    @property
    def waiting(self) -> int:
        """How many jobs wait now."""
        return len(self._waiting)

    def run(self, job: Job) -> Any:
        """The job's result. Raises its problem, and Overloaded at once when it would wait too long."""
        if not self._may_start(job):
            job.wake.acquire()
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
            # The limit is for each group, so that a slow model does not shut the others out.
            waiting, wait_s = sum(other.group == job.group for other in self._waiting), self._wait_s(job)
            if waiting >= self._waiting_limit:
                raise Overloaded(f"{waiting} requests wait already. Send fewer at once.", wait_s / 2)
            if job.deadline is not None and time.perf_counter() + wait_s * WAY_BACK > job.deadline:
                raise _too_late(waiting, wait_s)
            job.wake.acquire()
            self._waiting.append(job)
            return False

    def _wait_s(self, job: Job) -> float:
        """Until the answer would come: the rest of the oldest run, the runs before the job's, and its own."""
        now = time.perf_counter()
        rest_s = max(0.0, min(self._ends, default=now) - now)
        waiting = Counter(other.group for other in self._waiting)
        in_a_round = self._workers * (1 if job.batch_key is None else self._largest_batch)
        own = waiting.pop(job.group, 0) // in_a_round + 1
        # Groups take turns: of every other group, as many runs come before as of the job's own.
        others_s = sum(min(count, own) * self._run_s.get(group, 0.0) for group, count in waiting.items())
        return rest_s + own * self._run_s.get(job.group, 0.0) + others_s / self._workers

    def _lead(self, batch: list[Job]) -> None:
        """Compute a batch, hand the worker on, wake the threads of the batch's other jobs."""
        try:
            self._compute_wanted(batch)
        finally:
            self._hand_on()
            for job in batch[1:]:
                job.wake.release()

    def _compute_wanted(self, batch: list[Job]) -> None:
        started = time.perf_counter()
        for job in batch:
            job.started = started
            job.problem = _no_longer_wanted(job, started)
        wanted = [job for job in batch if not job.problem]
        if not wanted:
            return
        group = wanted[0].group
        end = started + self._run_s.get(group, 0.0)
        self._ends.append(end)
        try:
            self._compute(wanted)
        except Exception as problem:
            for job in wanted:
                job.problem = problem
        self._ends.remove(end)
        took_s = time.perf_counter() - started
        before_s = self._run_s.setdefault(group, took_s)
        weight = WEIGHT_OF_LONGER if took_s > before_s else WEIGHT_OF_SHORTER
        self._run_s[group] = before_s + (took_s - before_s) * weight

    def _hand_on(self) -> None:
        """Give the worker to the next job. Those that are too late leave first, without a run."""
        leader = None
        with self._guard:
            late = self._take_late()
            if self._waiting:
                leader = self._next()
                leader.batch = [leader, *self._others_for(leader)]
            else:
                self._free += 1
        for job in (leader, *late):
            if job:
                job.wake.release()

    def _next(self) -> Job:
        """The first job of the group whose turn was longest ago; the first of all if there is one group."""
        leader = min(self._waiting, key=lambda job: self._turns.get(job.group, 0))
        self._waiting.remove(leader)
        self._turn += 1
        self._turns[leader.group] = self._turn
        return leader

    def _take_late(self) -> list[Job]:
        """Take out the jobs that would be answered too late even if the next run were theirs."""
        now = time.perf_counter()
        waiting = len(self._waiting)
        late = []
        for job in self._waiting:
            run_s = self._run_s.get(job.group, 0.0)
            if job.deadline is not None and now + run_s > job.deadline:
                job.problem = _no_longer_wanted(job, now) or _too_late(waiting, run_s)
                late.append(job)
        if late:
            self._waiting = deque(job for job in self._waiting if not job.problem)
        return late

    def _others_for(self, leader: Job) -> list[Job]:
        """The waiting jobs that fit into the leader's batch, in their order; the rest keep their places."""
        if leader.batch_key is None or self._largest_batch <= leader.size:
            return []
        room = self._largest_batch - leader.size
        others: list[Job] = []
        stay: deque[Job] = deque()
        for job in self._waiting:
            if job.batch_key == leader.batch_key and job.size <= room:
                others.append(job)
                room -= job.size
            else:
                stay.append(job)
        self._waiting = stay
        return others


def _too_late(waiting: int, wait_s: float) -> Overloaded:
    return Overloaded(
        f"{waiting} requests wait already, so the answer would come in about {wait_s:.2f} s, "
        "after its deadline. Send fewer at once.",
        wait_s / 2,
    )


def _no_longer_wanted(job: Job, now: float) -> ServingError | None:
    if not job.is_wanted():
        return Cancelled("The client went away while its request waited.")
    if job.deadline is not None and now > job.deadline:
        return DeadlineExceeded("The deadline passed while the request waited.")
    return None
