"""The queue in front of the model: order, bounds, batches, deadlines, cancelled clients."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest

from serving.errors import Cancelled, DeadlineExceeded, Overloaded, ServingError
from serving.queue import Job, RequestQueue

SOON_S = 10.0  # longer than anything here takes; then a test fails instead of hanging


class Gate:
    """Computes nothing until it is opened, and remembers what came together."""

    def __init__(self) -> None:
        self.batches: list[list[object]] = []
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self, jobs: Sequence[Job]) -> None:
        self.batches.append([job.content for job in jobs])
        self.entered.set()
        assert self.opened.wait(SOON_S)
        for job in jobs:
            job.result = f"done {job.content}"


class Callers:
    """Threads that came one after another, each with a job, and what became of them."""

    def __init__(self, queue: RequestQueue):
        self._queue = queue
        self._threads: list[threading.Thread] = []
        self.outcomes: dict[object, object] = {}

    def come(self, job: Job) -> None:
        """Return when the job computes or waits."""
        waiting = self._queue.waiting
        thread = threading.Thread(target=self._run, args=(job,))
        self._threads.append(thread)
        thread.start()
        deadline = time.monotonic() + SOON_S
        while self._queue.waiting == waiting and not job.started and thread.is_alive():
            assert time.monotonic() < deadline

    def _run(self, job: Job) -> None:
        try:
            self.outcomes[job.content] = self._queue.run(job)
        except ServingError as problem:
            self.outcomes[job.content] = type(problem)

    def leave(self) -> dict[object, object]:
        for thread in self._threads:
            thread.join(SOON_S)
            assert not thread.is_alive()
        return self.outcomes


def batches_of(jobs: Sequence[Job], **queue) -> list[list[object]]:
    """What was computed together, when all of them came while the first one computed."""
    gate = Gate()
    callers = Callers(RequestQueue(gate, **queue))
    for job in jobs:
        callers.come(job)
    gate.opened.set()
    assert callers.leave() == {job.content: f"done {job.content}" for job in jobs}
    return gate.batches


def alike(*contents: object, **job) -> list[Job]:
    return [Job(content, batch_key="k", **job) for content in contents]


def test_without_batching_jobs_are_computed_one_by_one_in_their_order():
    assert batches_of(alike(1, 2, 3, 4)) == [[1], [2], [3], [4]]


def test_who_finds_a_free_worker_does_not_wait_and_who_waits_goes_together():
    assert batches_of(alike(1, 2, 3, 4), largest_batch=8) == [[1], [2, 3, 4]]


def test_a_batch_is_never_larger_than_allowed():
    assert batches_of(alike(1, 2, 3, 4, 5, 6), largest_batch=2) == [[1], [2, 3], [4, 5], [6]]


def test_the_examples_of_a_batch_count_not_its_requests():
    jobs = [*alike("first"), *alike("a", "b", size=3), *alike("c", size=2)]
    assert batches_of(jobs, largest_batch=5) == [["first"], ["a", "c"], ["b"]]


def test_only_jobs_of_one_kind_go_together_and_nobody_loses_the_place():
    jobs = [Job("first", "x"), Job("a", "x"), Job("b", "y"), Job("c", "x"), Job("d", "y"), Job("alone", None)]
    together = batches_of(jobs, largest_batch=8)
    assert together == [["first"], ["a", "c"], ["b", "d"], ["alone"]]


def test_two_workers_compute_two_jobs_at_once():
    gate = Gate()
    callers = Callers(RequestQueue(gate, workers=2))
    for job in alike(1, 2, 3):
        callers.come(job)
    assert sorted(map(str, gate.batches)) == ["[1]", "[2]"]
    gate.opened.set()
    assert len(callers.leave()) == 3


def test_when_too_many_wait_the_next_is_refused_with_a_hint_and_the_others_are_served():
    gate = Gate()
    queue = RequestQueue(gate, waiting_limit=2)
    callers = Callers(queue)
    for job in alike(1, 2, 3):
        callers.come(job)
    with pytest.raises(Overloaded, match="2 requests wait already") as refusal:
        queue.run(Job(4))
    assert refusal.value.retry_after_s is not None
    gate.opened.set()
    assert callers.leave() == {1: "done 1", 2: "done 2", 3: "done 3"}


def slow_queue(took_s: float) -> tuple[RequestQueue, Gate]:
    """A queue that has learned how long one job takes."""
    gate = Gate()
    gate.opened.set()
    queue = RequestQueue(lambda jobs: (time.sleep(took_s), gate(jobs)))
    queue.run(Job("warm"))
    gate.opened.clear()
    gate.entered.clear()
    return queue, gate


def test_who_would_be_too_late_is_refused_at_once_instead_of_waiting_in_vain():
    queue, gate = slow_queue(took_s=0.2)
    callers = Callers(queue)
    callers.come(Job(1))
    with pytest.raises(Overloaded, match="after its deadline"):
        queue.run(Job(2, deadline=time.perf_counter() + 0.05))
    gate.opened.set()
    callers.leave()


def test_what_is_computed_now_counts_as_waiting_time_too():
    queue, gate = slow_queue(took_s=0.2)
    callers = Callers(queue)
    callers.come(Job(1))
    with pytest.raises(Overloaded, match="after its deadline"):
        queue.run(Job(2, deadline=time.perf_counter() + 0.3))
    gate.opened.set()
    callers.leave()


def test_jobs_of_one_kind_wait_for_their_batch_and_not_for_each_other():
    gate = Gate()
    queue = RequestQueue(lambda jobs: (time.sleep(0.1), gate(jobs)), largest_batch=8)
    gate.opened.set()
    queue.run(Job("warm"))
    gate.opened.clear()
    callers = Callers(queue)
    for job in [*alike(1, 2, 3, 4, 5), *alike(6, deadline=time.perf_counter() + 0.5)]:
        callers.come(job)
    gate.opened.set()
    assert callers.leave()[6] == "done 6"


def test_who_can_not_be_answered_in_time_any_more_leaves_his_place_in_the_next_run():
    queue, gate = slow_queue(took_s=0.2)
    callers = Callers(queue)
    callers.come(Job("longer than expected"))
    callers.come(Job("too late now", deadline=time.perf_counter() + 0.6))
    callers.come(Job("patient"))
    time.sleep(0.5)
    gate.opened.set()
    assert callers.leave()["too late now"] is Overloaded
    assert gate.batches == [["warm"], ["longer than expected"], ["patient"]]


def test_a_slow_model_with_a_long_queue_does_not_keep_another_one_waiting():
    jobs = [Job(f"slow {number}", group="slow") for number in range(4)]
    jobs += [Job(f"quick {number}", group="quick") for number in range(2)]
    order = [content for (content,) in batches_of(jobs)]
    assert order == ["slow 0", "slow 1", "quick 0", "slow 2", "quick 1", "slow 3"]


def test_a_full_queue_of_one_model_refuses_nobody_elses_requests():
    gate = Gate()
    queue = RequestQueue(gate, waiting_limit=2)
    callers = Callers(queue)
    for number in range(3):
        callers.come(Job(f"slow {number}", group="slow"))
    callers.come(Job("quick", group="quick"))
    with pytest.raises(Overloaded, match="2 requests wait already"):
        queue.run(Job("slow 3", group="slow"))
    gate.opened.set()
    assert callers.leave()["quick"] == "done quick"


def test_what_one_kind_of_job_takes_says_nothing_about_another():
    gate = Gate()
    gate.opened.set()
    queue = RequestQueue(
        lambda jobs: (time.sleep(jobs[0].content if jobs[0].group == "slow" else 0), gate(jobs))
    )
    queue.run(Job(0.3, group="slow"))
    queue.run(Job("quick", group="quick"))
    gate.opened.clear()
    gate.entered.clear()
    callers = Callers(queue)
    callers.come(Job("first", group="quick"))
    callers.come(Job("second", group="quick", deadline=time.perf_counter() + 0.2))
    gate.opened.set()
    assert callers.leave() == {"first": "done first", "second": "done second"}


def test_who_goes_away_or_runs_out_of_time_while_waiting_costs_no_inference():
    gate = Gate()
    callers = Callers(RequestQueue(gate))
    callers.come(Job("first"))
    callers.come(Job("gone", is_wanted=lambda: False))
    late = Job("late", deadline=time.perf_counter() + 0.05)
    callers.come(late)
    time.sleep(0.1)
    gate.opened.set()
    assert callers.leave() == {"first": "done first", "gone": Cancelled, "late": DeadlineExceeded}
    assert gate.batches == [["first"]]


def test_a_failed_job_lets_the_next_one_through_and_keeps_the_worker():
    def fail(jobs: Sequence[Job]) -> None:
        raise ServingError("broken")

    queue = RequestQueue(fail)
    for _ in range(3):
        with pytest.raises(ServingError, match="broken"):
            queue.run(Job(1))


def test_many_callers_at_once_each_get_their_own_result():
    def double(jobs: Sequence[Job]) -> None:
        for job in jobs:
            job.result = job.content * 2

    queue = RequestQueue(double, workers=2, waiting_limit=1000, largest_batch=4)
    results: dict[int, int] = {}

    def ask(first: int) -> None:
        for number in range(first, first + 200):
            results[number] = queue.run(Job(number, batch_key="k"))

    threads = [threading.Thread(target=ask, args=(first,)) for first in range(0, 3200, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON_S)
    assert results == {number: number * 2 for number in range(3200)}
    assert queue.waiting == 0
