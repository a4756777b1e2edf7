"""One run while it waits or measures: from the upload to its last event."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from experiment.errors import ImageRefused, VariantsRefused
from webapp.metrics import Metrics
from webapp.runs.recorder import Recorder
from webapp.runs.run_trace import RunTrace
from webapp.store.store import Store
from webapp.worker.large_photos import TURN_PATIENCE_S, LargePhotoBusy
from webapp.worker.pipe import Accepted, Ended, Job, Json, LargePhoto, LargePhotoDone, Message, Refusal, Task
from webapp.worker.process import WorkerProcess

LOOK_AGAIN_S = 1.0
CANCEL_GRACE_S = 10.0  # the process may finish the requests under way


class LiveRun:
    """A run and its timing process. The upload's thread calls accept(), the run's own thread follow()."""

    def __init__(
        self,
        run_id: str,
        process: WorkerProcess,
        store: Store,
        metrics: Metrics,
        large: threading.Lock | None = None,
        trace: RunTrace | None = None,
    ):
        self.id = run_id
        self.state = "queued"
        self.began = time.monotonic()
        self.cancelled = threading.Event()
        self.ended = threading.Event()
        self._process = process
        self._messages = process.messages()
        self._store = store
        self._metrics = metrics
        self._trace = trace  # None: nobody traces this run
        self._recorder = Recorder(run_id, store, metrics, process.read)
        self.log = self._recorder.log
        self._large = large or threading.Lock()  # held while a large photo is decoded, by one run of all
        self._has_turn = False
        self._started = 0.0
        self._end: Ended | None = None
        self.why_killed: Json | None = None  # the failure passed to kill()
        self._exit_code = 0
        self._finished_at = 0.0  # seconds since the epoch
        self._has_end_event = False

    def accept(self, task: Task[Job], content: Iterable[bytes], timeout_s: float) -> Accepted:
        """Send the task to the process and wait until the photo is read.

        Raises ImageRefused, VariantsRefused and LargePhotoBusy.
        """
        with watched(timeout_s, self._process.kill) as is_late:
            self._process.send(task, content)
            answer = next(self._messages, None)
        if isinstance(answer, LargePhoto):
            with turn_for_large(self._large), watched(timeout_s, self._process.kill) as is_late:
                self._process.say("read")
                answer = next(self._messages, None)
        if isinstance(answer, Accepted):
            if self._trace:
                self._trace.step("read photo")
            self._recorder.begin(answer)
            return answer
        exit_code = self._process.close()
        if isinstance(answer, Refusal) and answer.code == VariantsRefused.code:
            raise VariantsRefused([answer.message])
        if isinstance(answer, Refusal):
            raise ImageRefused(answer.message, answer.code, answer.http_status)
        raise unreadable(exit_code, timeout_s, timed_out=is_late.is_set())

    def announce(self, position: int, left_s: float | None = None) -> None:
        """Add an event with the run's position in the queue; 1 is next, in about `left_s`."""
        about = f", in about {max(1, round(left_s))} s" if left_s else ""
        is_next = f"Another run is in progress; yours is next{about}."
        self._wait(position, is_next if position == 1 else f"{position} runs are before yours.")

    def announce_answers(self) -> None:
        """Add an event: no run is before it, but single photos are being answered (one_answer.py)."""
        self._wait(1, "Single photos are being classified. Your run begins when they are answered.")

    def _wait(self, position: int, text: str) -> None:
        self.log.add("state", {"state": "queued", "position": position, "text": text})

    def follow(self, max_run_s: float, opening: str) -> None:
        """Start measuring, and record what the process sends until its end."""
        self._started = time.monotonic()
        self.state = "running"
        self.log.add("state", {"state": "running", "position": 0, "text": opening})
        if self._trace:
            self._trace.step("wait for turn")
        self._process.say("go")
        too_long = {
            "code": "too_long",
            "message": f"The run was stopped at the limit of {max_run_s:g} s. The results so far are kept.",
        }
        with watched(max_run_s, lambda: self.kill(too_long)):
            for message in self._messages:
                self._take(message)
                if self._end is not None:
                    break

    def _take(self, message: Message) -> None:
        match message:
            case LargePhoto():
                self._wait_for_turn()
            case LargePhotoDone():
                self._end_turn()
            case Refusal(code, text):  # the second reading of a large photo failed
                self._end = Ended("failed", {}, {"code": code, "message": text})
            case Ended():
                self._end = message
            case _:
                self._recorder.record(message)
                if self._trace:
                    self._trace.took(message)

    def _wait_for_turn(self) -> None:
        """Wait until no other run decodes a large photo; then let the process read this one again."""
        while not self._large.acquire(timeout=LOOK_AGAIN_S):
            if not self._process.is_alive:  # cancelled or stopped meanwhile
                return
        self._has_turn = True
        self._process.say("read")

    def _end_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._large.release()

    def cancel(self) -> None:
        """Stop soon; what was measured is kept."""
        self.cancelled.set()
        self._process.say("cancel")
        timer = threading.Timer(CANCEL_GRACE_S, self._process.kill)
        timer.daemon = True
        timer.start()

    def kill(self, why: Json) -> None:
        """Stop now; `why` is the failure's code and message."""
        self.why_killed = self.why_killed or why
        self._process.kill()

    def abandon(self) -> None:
        """Give up a run that can't begin."""
        self._process.kill()
        self._process.close()

    def close(self) -> None:
        """End the process."""
        self._exit_code = self._process.close()
        self._end_turn()
        self._finished_at = time.time()

    @property
    def is_closed(self) -> bool:
        """Whether its process has ended."""
        return self._finished_at > 0

    def record_end(self, headline: Callable[[str], str | None]) -> None:
        """Store how the run ended and wake its readers. If that fails, it can be called again."""
        self.log.flush()
        end = self._end or self._early_end()
        values: dict[str, Any] = {"state": end.state, "failure": end.failure}
        if end.environment:
            values["environment"] = end.environment
        planned = self.log.progress.planned  # for a photo set, only an estimate until now
        self._store.change(self.id, **values, finished_at=self._finished_at, requests_planned=planned)
        self._store.change(self.id, headline=headline(self.id))
        if not self._has_end_event:
            self.log.add("end", {"state": end.state, "text": self._end_text(end)})
            self._has_end_event = True
        self.log.flush()
        self.state = end.state
        self._metrics.finished(end.state)
        if self._trace:
            self._trace.ended(self.id, end.state, str(end.failure["message"]) if end.failure else None)

    def _early_end(self) -> Ended:
        """How a run ended whose process did not say so."""
        if self.cancelled.is_set() and self.why_killed is None:
            return Ended("cancelled", {}, None)
        code = self._exit_code
        cause = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
        died = {
            "code": "worker_died",
            "message": f"The timing process ended early ({cause}). The results so far are kept. "
            "Start the run again; if this happens again, see the server's log.",
        }
        return Ended("failed", {}, self.why_killed or died)

    def _end_text(self, end: Ended) -> str:
        progress = self.log.progress
        if end.failure is not None:
            return str(end.failure["message"])
        if end.state == "cancelled" and not progress.done:
            return "Stopped before the first request. Nothing was measured."
        if end.state == "cancelled":
            counts = f"{progress.done} of {progress.planned}"
            return f"Stopped after {counts} requests. The results so far are kept."
        seconds = time.monotonic() - self._started
        left_out = f", {progress.not_sent} were not sent" if progress.not_sent else ""
        sent = progress.done - progress.not_sent
        return f"Done in {seconds:.0f} s. {sent} requests, {progress.failed} failed{left_out}."


@contextmanager
def turn_for_large(large: threading.Lock) -> Iterator[None]:
    """No other process decodes a large photo during the block. Raises LargePhotoBusy."""
    if not large.acquire(timeout=TURN_PATIENCE_S):
        raise LargePhotoBusy
    try:
        yield
    finally:
        large.release()


@contextmanager
def watched(limit_s: float, end_it: Callable[[], None]) -> Iterator[threading.Event]:
    """Calls `end_it` and sets the event if the block takes longer than `limit_s`."""
    is_late = threading.Event()

    def on_time_limit() -> None:
        is_late.set()
        end_it()

    timer = threading.Timer(limit_s, on_time_limit)
    timer.daemon = True
    timer.start()
    try:
        yield is_late
    finally:
        timer.cancel()


def unreadable(exit_code: int, timeout_s: float, *, timed_out: bool) -> Exception:
    """Why the process did not answer: the photo is to blame, unless the process ended by itself."""
    if timed_out:
        why = f"Decoding this photo took longer than the limit of {timeout_s:g} s."
        return ImageRefused(f"{why} Save it again as JPEG or PNG.", "damaged", 422)
    if exit_code < 0:
        why = "The process that decodes this photo crashed, so the file is probably damaged or too large."
        return ImageRefused(f"{why} Save it again as JPEG or PNG.", "damaged", 422)
    return RuntimeError(f"the timing process ended with exit code {exit_code} before it read the photo")
