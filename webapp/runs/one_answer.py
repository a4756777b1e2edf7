"""Single requests to the backends beside the runs: never while a run measures, and only a few at a time.

A run that begins while such requests are under way waits for their end. So an answer can't disturb a
measurement, and a client that asks all the time can't keep a run from beginning: once its turn has come, new
requests are refused.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from experiment.backends.base import CONNECT_S
from experiment.errors import IMAGE_CODES, ImageRefused, PixelcostError
from experiment.measure.one_answer import NO_ANSWER
from httpserver.problems import Refused
from webapp.runs.live_run import LiveRun, turn_for_large, unreadable, watched
from webapp.worker.pipe import Answered, ClassifyJob, Json, LargePhoto, LargePhotoDone, Message, Refusal, Task
from webapp.worker.process import WorkerProcess

MOST_AT_ONCE = 4
LOOK_AGAIN_S = 1.0
GRACE_S = 5.0  # for a process to say that the backend did not answer in time


class SingleRequests:
    """Who sends a single request now. `measures_here` and `measures_elsewhere` say whether a run measures in
    this web process or in another one."""

    def __init__(self, measures_here: Callable[[], bool], measures_elsewhere: Callable[[], bool]):
        self._measures_here = measures_here
        self._measures_elsewhere = measures_elsewhere
        self._changed = threading.Condition()
        self._count = 0

    def refuse_while_measuring(self) -> None:
        """Raises Refused while a run measures. one() does so too; this spares it the arrival of a photo."""
        if self._measures_here() or self._measures_elsewhere():
            raise _measures()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Send a request during the block. Raises Refused while a run measures, or if there are too many."""
        self.refuse_while_measuring()  # asks the database, so outside of the lock
        with self._changed:
            if self._measures_here():
                raise _measures()
            if self._count >= MOST_AT_ONCE:
                why = (
                    f"{MOST_AT_ONCE} requests are being answered, the most at a time. Try again in a second."
                )
                raise Refused("too_many_answers", why, 429, 1)
            self._count += 1
        try:
            yield
        finally:
            with self._changed:
                self._count -= 1
                self._changed.notify_all()

    def wait_for_all(self, live: LiveRun, is_over: Callable[[], bool]) -> bool:
        """Block until none is under way, so that the run may begin.

        Returns False if `is_over` becomes true first.
        """
        with self._changed:
            if self._count:
                live.announce_answers()
            while self._count and not is_over():
                self._changed.wait(LOOK_AGAIN_S)
        return not is_over()


def _measures() -> Refused:
    why = "A request now would disturb the run in progress. Try again when it has ended."
    return Refused("run_measures", why, 409, 10)


def answer(
    process: WorkerProcess,
    task: Task[ClassifyJob],
    content: Iterable[bytes],
    large: threading.Lock,
    read_timeout_s: float,
) -> Json:
    """What the process answers to the photo `content`. It is used up then, also if this raises.

    `large` is the lock of large photos; preparing the photo may take `read_timeout_s`. Raises PixelcostError.
    """
    messages, is_prepared = process.messages(), False
    said: Message | None = None
    try:
        with watched(read_timeout_s, process.kill) as is_late:
            process.send(task, content)
            said = next(messages, None)
        if isinstance(said, LargePhoto):
            with turn_for_large(large), watched(read_timeout_s, process.kill) as is_late:
                process.say("read")
                said = next(messages, None)
        if isinstance(said, LargePhotoDone):
            is_prepared = True
            with watched(CONNECT_S + task.plan.timeout_s + GRACE_S, process.kill) as is_late:
                said = next(messages, None)
    finally:
        if said is not None:
            process.kill()  # it has nothing more to do; without an answer, its exit code says why
        exit_code = process.close()
    if isinstance(said, Answered):
        return said.answer
    if isinstance(said, Refusal):
        refused = ImageRefused if said.code in IMAGE_CODES else PixelcostError
        raise refused(said.message, said.code, said.http_status)
    if not is_prepared:
        raise unreadable(exit_code, read_timeout_s, timed_out=is_late.is_set())
    if is_late.is_set():
        name, limit_s = task.backends[0].name, task.plan.timeout_s
        raise PixelcostError(f"{name} did not answer within {limit_s:g} s.", NO_ANSWER, 504)
    raise RuntimeError(
        f"the timing process ended with exit code {exit_code} before {task.backends[0].name} answered"
    )
