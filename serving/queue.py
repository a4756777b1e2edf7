"""The queue in front of the model: in order of arrival, bounded, and never idle while somebody waits.

No thread of its own: whoever gets a free worker computes, in the thread it came with. With batching, it
takes along what waits and fits, up to the largest batch; so a request that finds a free worker never
waits for company, and the more wait, the larger the batches.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from serving.errors import Cancelled, DeadlineExceeded, Overloaded, ServingError

# Weight of the newest run in what one is expected to take. Too short an estimate costs more than too long a
# one: the answers come too late and were computed in vain.
LONGER, SHORTER = 0.5, 0.1
WAY_BACK = 1.2  # a fifth more than the estimate: the answer has to get to the client, too


@dataclass(eq=False)
class Job:
    """One request on its way through the line."""

    content: Any
    kind: Hashable = None  # jobs of one kind may be computed together; None: only alone
    size: int = 1  # examples in it
    cost: Hashable = None  # how long a run takes is learnt for all jobs of one cost together
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
        self._run_s: dict[Hashable, float] = {}  # by cost; rather too much than too little
        self._ends: list[float] = []  # when what is computed now is expected to be done
        self._turns: dict[Hashable, int] = {}  # by cost: the number of its latest turn
        self._turn = 0

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
        """Each cost has a queue of that length, so that a slow model does not shut the others out."""
        waiting, wait_s = sum(each.cost == job.cost for each in self._waiting), self._wait_s(job)
        if waiting >= self._waiting_limit:
            raise Overloaded(f"{waiting} requests wait already. Send fewer at once.", wait_s / 2)
        if job.deadline is not None and time.perf_counter() + wait_s * WAY_BACK > job.deadline:
            raise _too_late(waiting, wait_s)

    def _wait_s(self, job: Job) -> float:
        """Until the answer would come: the rest of the oldest run, the runs before its own, and that one."""
        now = time.perf_counter()
        rest_s = max(0.0, min(self._ends, default=now) - now)
        waiting = Counter(each.cost for each in self._waiting)
        in_a_round = self._workers * self._room(job)
        own = waiting.pop(job.cost, 0) // in_a_round + 1
        # Costs take turns: of each other one, as many runs come before as there are of its own.
        others_s = sum(min(count, own) * self._expected_s(cost) for cost, count in waiting.items())
        return rest_s + own * self._expected_s(job.cost) + others_s / self._workers

    def _room(self, job: Job) -> int:
        return self._largest_batch if job.kind is not None else 1

    def _expected_s(self, cost: Hashable) -> float:
        return self._run_s.get(cost, 0.0)

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
        cost = wanted[0].cost
        end = started + self._expected_s(cost)
        self._ends.append(end)
        try:
            self._compute(wanted)
        except Exception as problem:
            for job in wanted:
                job.problem = problem
        self._ends.remove(end)
        self._learn(cost, time.perf_counter() - started)

    def _learn(self, cost: Hashable, took_s: float) -> None:
        before_s = self._run_s.setdefault(cost, took_s)
        self._run_s[cost] = before_s + (took_s - before_s) * (LONGER if took_s > before_s else SHORTER)

    def _hand_on(self) -> None:
        """Those without hope leave first, so that what is computed next is worth it."""
        leader = None
        with self._guard:
            hopeless = self._take_hopeless()
            if self._waiting:
                leader = self._next()
                leader.batch = [leader, *self._company(leader)]
            else:
                self._free += 1
        for job in (leader, *hopeless):
            if job:
                job.turn.release()

    def _next(self) -> Job:
        """The first in line of the cost whose turn was longest ago; where all are alike, the first of all."""
        leader = min(self._waiting, key=lambda job: self._turns.get(job.cost, 0))
        self._waiting.remove(leader)
        self._turn += 1
        self._turns[leader.cost] = self._turn
        return leader

    def _take_hopeless(self) -> list[Job]:
        """Takes those who would be answered too late even if the next run were theirs."""
        now = time.perf_counter()
        hopeless = [
            job
            for job in self._waiting
            if job.deadline is not None and now + self._expected_s(job.cost) > job.deadline
        ]
        if hopeless:
            for job in hopeless:
                late = _too_late(len(self._waiting), self._expected_s(job.cost))
                job.problem = _no_longer_wanted(job, now) or late
            self._waiting = deque(job for job in self._waiting if not job.problem)
        return hopeless

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
