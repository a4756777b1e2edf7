"""The runs of this process: submitted, followed, cancelled, closed."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from experiment.codec import to_dict
from experiment.measure.environment import environment
from experiment.measure.plan import check_request_count
from experiment.records import BackendInfo, Plan
from webapp.config import Settings
from webapp.metrics import Metrics
from webapp.problems import CRASH_TITLE, Refused
from webapp.runs.job import Submission
from webapp.runs.leases import Leases
from webapp.runs.live_run import LiveRun
from webapp.runs.queue import RunQueue
from webapp.storage_errors import is_busy, is_no_room
from webapp.store.spool import remove_left_over
from webapp.store.store import Store
from webapp.worker.pipe import Accepted, Job, Task
from webapp.worker.process import WORKER_COMMAND, SpareProcess

FLUSH_INTERVAL_S = 0.1
CLOSE_TIMEOUT_S = 5.0

# Why a run as a whole failed, where it was neither the timing process nor the plan.
STOPPED: Final = {"code": "app_stopped", "message": "The app was stopped. What was measured is kept."}
BROKE: Final = {"code": "internal", "message": f"{CRASH_TITLE} What was measured is kept."}
NOT_STORED: Final = {
    "code": "store_failed",
    "message": "The results could no longer be stored; the server's log says why. What was stored until then "
    "is kept.",
}
NO_ROOM: Final = {
    "code": "storage_full",
    "message": "The disk that holds the runs is full, so this one was stopped. What was measured until then "
    "is kept. Remove runs or make room on the server, then start it again.",
}

log = logging.getLogger(__name__)


class Runs:
    """The run manager. One per process; several processes may share a PostgreSQL."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        metrics: Metrics,
        headline: Callable[[str], str | None],
        worker_command: Sequence[str] = WORKER_COMMAND,
    ):
        self._settings = settings
        self._store = store
        self._metrics = metrics
        self._spare = SpareProcess(worker_command)
        self.queue = RunQueue(settings.runs_at_once, settings.queue_length)
        self.leases = Leases(store, self.queue, headline, settings.runs_at_once)
        self._large = threading.Lock()  # see large_photos.py
        self._stop = threading.Event()
        self._is_serving: Callable[[], bool] = lambda: True
        self._threads: list[threading.Thread] = []
        self._flusher = threading.Thread(target=self._keep_flushing, name="flusher", daemon=True)
        self._flusher_starts = threading.Lock()

    def start(self, is_serving: Callable[[], bool]) -> None:
        """Close what a restart left open, and get a timing process ready. Call it once, after any fork."""
        self._is_serving = is_serving
        remove_left_over(self._settings.uploads_dir)
        self.leases.start()
        self._spare.refill()

    def submit(
        self,
        submission: Submission,
        plan: Plan,
        backends: Sequence[BackendInfo],
        is_gone: Callable[[], bool] = lambda: False,
    ) -> LiveRun:
        """Start or queue a run. Raises TooBusy, PlanRefused, or ImageRefused when the photo can't be read.

        `is_gone` says whether the sender has hung up while it was read or waited for that: Refused.
        The run discards the submission when it ends; when this raises, that is left to the caller.
        """
        settings = self._settings
        task = Task(submission.job, plan, tuple(backends), settings.max_bytes, settings.max_pixels)
        try:
            with self.queue.place():
                live = LiveRun(
                    secrets.token_hex(8), self._spare.take(), self._store, self._metrics, self._large
                )
                try:
                    accepted = live.accept(task, submission.content, settings.read_timeout_s)
                    check_request_count(accepted.requests_planned, settings.max_requests)
                    if is_gone():
                        raise Refused("broken_upload", "The sender hung up before the run began.")
                    self._record(live, submission, task, accepted)
                except BaseException:
                    live.abandon()
                    raise
                self.queue.enter(live)
                self._begin(live, submission)
        finally:
            self._refill_when_idle()
        return live

    def _record(self, live: LiveRun, submission: Submission, task: Task[Job], accepted: Accepted) -> None:
        """Store the new run and its first event, or nothing."""
        plan, backends = to_dict(task.plan), [to_dict(info) for info in task.backends]
        try:
            self._store.create(
                live.id,
                submission.job.name,
                plan,
                backends,
                environment(),
                accepted.requests_planned,
                submission.follows,
            )
            facts = {
                "skipped_sizes_px": accepted.skipped_sizes_px,
                "requests_planned": accepted.requests_planned,
            }
            live.log.add("source", {**accepted.source, **facts})
            live.log.flush()
        except Exception:
            self._forget(live)
            raise

    def _forget(self, live: LiveRun) -> None:
        try:
            self._store.remove(live.id)
        except Exception:
            log.exception("run %s, which could not begin, could not be removed", live.id)

    def _begin(self, live: LiveRun, submission: Submission) -> None:
        """Give the run a thread that follows it."""
        thread = threading.Thread(
            target=self._follow, args=(live, submission), name=f"run-{live.id}", daemon=True
        )
        self._threads = [running for running in self._threads if running.is_alive()] + [thread]
        with self._flusher_starts:
            if not self._flusher.is_alive():
                self._flusher.start()
        thread.start()

    def _follow(self, live: LiveRun, submission: Submission) -> None:
        def is_over() -> bool:
            return self._stop.is_set() or live.cancelled.is_set()

        try:
            if self.queue.wait(live, is_over) and self.leases.wait_for_others(live, is_over):
                live.follow(self._settings.max_run_s, submission.opening)
        except Exception as error:
            log.exception("run %s broke", live.id)
            live.kill(NO_ROOM if is_no_room(error) else BROKE)
        live.close()
        self.leases.end(live, submission.follows)
        self.queue.leave(live)
        submission.discard()
        live.ended.set()
        self._refill_when_idle()

    def _refill_when_idle(self) -> None:
        """Starting a process takes a core for a moment, so it waits until nothing is measured."""
        if not (self.queue.alive() or self._stop.is_set()):
            self._spare.refill()

    def _keep_flushing(self) -> None:
        """Store the events of all live runs, ten times a second."""
        while not self._stop.wait(FLUSH_INTERVAL_S):
            for live in self.queue.alive():
                try:
                    live.log.flush()
                except Exception as error:
                    self._stop_unstorable(live, error)

    def _stop_unstorable(self, live: LiveRun, error: Exception) -> None:
        """Stop a run whose events can't be stored; while the database is only busy they wait in memory."""
        if live.is_killed:
            return
        log.error("events of run %s could not be stored", live.id, exc_info=error)
        if not is_busy(error):
            live.kill(NO_ROOM if is_no_room(error) else NOT_STORED)

    def live(self, run_id: str) -> LiveRun | None:
        """The run if it waits or measures in this process."""
        return next((run for run in self.queue.alive() if run.id == run_id), None)

    def is_elsewhere(self, run_id: str) -> bool:
        """Whether another process still has the run."""
        return self.live(run_id) is None and self._store.claims.is_held(run_id)

    @property
    def is_measuring(self) -> bool:
        """Whether anybody, this process or another, would be disturbed by other requests to the servers."""
        return self.queue.is_measuring or self._store.claims.someone_measures()

    @property
    def is_closing(self) -> bool:
        """Whether the app is about to end."""
        return self._stop.is_set() or not self._is_serving()

    def close(self) -> None:
        """End every timing process; the runs end as failed, with what was measured."""
        self._stop.set()
        self.leases.close()
        self._spare.close()
        for live in self.queue.alive():
            live.kill(STOPPED)
        self.queue.wake()
        deadline = time.monotonic() + CLOSE_TIMEOUT_S
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))
