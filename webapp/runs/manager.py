"""The run manager: takes submissions, starts their timing processes, and follows every run to its end."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from experiment.codec import to_dict
from experiment.measure.environment import environment
from experiment.measure.one_answer import Preparation
from experiment.measure.plan import check_request_count
from experiment.records import BackendInfo, Plan
from httpserver.problems import CRASH_TITLE, Refused
from webapp.config import Settings
from webapp.metrics import Metrics
from webapp.runs.leases import Leases
from webapp.runs.live_run import LiveRun
from webapp.runs.one_answer import SingleRequests, answer
from webapp.runs.queue import RunQueue
from webapp.runs.run_trace import RunTrace
from webapp.runs.submission import Submission
from webapp.storage_errors import is_busy, is_no_room
from webapp.store.store import Store
from webapp.store.upload_folder import remove_left_over
from webapp.worker.pipe import Accepted, ClassifyJob, Job, Json, PhotoJob, Task
from webapp.worker.process import WORKER_COMMAND, SpareProcess

FLUSH_INTERVAL_S = 0.1
CLOSE_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 20.0  # of the one request of classify(); a run that begins waits for it

# Why a run as a whole failed, if the web process was the cause.
KEPT = "The results so far are kept."
STOPPED: Final = {"code": "app_stopped", "message": f"The app was stopped. {KEPT}"}
BROKE: Final = {"code": "internal", "message": f"{CRASH_TITLE} {KEPT}"}
NOT_STORED: Final = {
    "code": "store_failed",
    "message": f"The results could no longer be stored; the server's log says why. {KEPT}",
}
NO_ROOM: Final = {
    "code": "storage_full",
    "message": "The server's disk is full, so the run was stopped. "
    f"{KEPT} Delete runs or free space on the server, then start the run again.",
}

log = logging.getLogger(__name__)


class RunManager:
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
        self.leases = Leases(store, self.queue, metrics, headline, settings.runs_at_once)
        self.single_requests = SingleRequests(lambda: self.queue.is_measuring, store.leases.someone_measures)
        self._large = threading.Lock()  # see large_photos.py
        self._stop = threading.Event()
        self._is_serving: Callable[[], bool] = lambda: True
        self._threads: list[threading.Thread] = []
        self._flusher = threading.Thread(target=self._keep_flushing, name="flusher", daemon=True)
        self._flusher_starts = threading.Lock()

    def start(self, is_serving: Callable[[], bool]) -> None:
        """End runs that a restart left open; start a spare timing process. Call it once, after any fork."""
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
        """Start or queue a run. Raises TooBusy, PlanRefused, or ImageRefused if the photo can't be read.

        `is_gone` says whether the client has disconnected; then it raises Refused. The run discards the
        submission when it ends; if this raises, the caller does.
        """
        settings = self._settings
        trace = RunTrace.begun()
        header = trace.context.traceparent if trace else None
        task = Task(submission.job, plan, tuple(backends), settings.max_bytes, settings.max_pixels, header)
        try:
            with self.queue.place():
                run_id, process = secrets.token_hex(8), self._spare.take()
                live = LiveRun(run_id, process, self._store, self._metrics, self._large, trace)
                try:
                    accepted = live.accept(task, submission.content, settings.read_timeout_s)
                    check_request_count(accepted.requests_planned, settings.max_requests)
                    if is_gone():
                        raise Refused("broken_upload", "The client disconnected before the run began.")
                    self._record(live, submission, task, accepted)
                except BaseException:
                    live.abandon()
                    raise
                self._metrics.expect(info.name for info in task.asked)
                self.queue.enter(live)
                self._begin(live, submission)
        finally:
            self._refill_when_idle()
        return live

    def classify(self, submission: Submission, preparation: Preparation, info: BackendInfo) -> Json:
        """Answer to one photo, outside of the queue; nothing is stored. Raises PixelcostError."""
        settings, job = self._settings, submission.job
        assert isinstance(job, PhotoJob)  # noqa: S101  what Uploads.photo_or_body() gives
        task = Task(
            ClassifyJob(job.name, None, job.size_bytes, preparation),
            Plan(timeout_s=min(ANSWER_TIMEOUT_S, settings.tf_request_timeout_s)),
            (info,),
            settings.max_bytes,
            settings.max_pixels,
        )
        with self.single_requests.one():
            process = self._spare.take()
            self._refill_when_idle()  # the next one starts meanwhile
            return answer(process, task, submission.content, self._large, settings.read_timeout_s)

    def _record(self, live: LiveRun, submission: Submission, task: Task[Job], accepted: Accepted) -> None:
        """Store the new run and its first event, or nothing."""
        name, planned = submission.job.name, accepted.requests_planned
        plan, backends = to_dict(task.plan), [to_dict(info) for info in task.backends]
        try:
            self._store.create(live.id, name, plan, backends, environment(), planned, submission.follows)
            facts = {"skipped_sizes_px": accepted.skipped_sizes_px, "requests_planned": planned}
            live.log.add("source", {**accepted.source, **facts})
            live.log.flush()
        except Exception:
            try:
                self._store.remove(live.id)
            except Exception:
                log.exception("run %s, which could not begin, could not be removed", live.id)
            raise

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
            may_begin = self.queue.wait(live, is_over) and self.leases.wait_for_others(live, is_over)
            if may_begin and self.single_requests.wait_for_all(live, is_over):
                live.follow(self._settings.max_run_s, submission.opening)
        except Exception as error:
            log.exception("run %s crashed", live.id)
            live.kill(NO_ROOM if is_no_room(error) else BROKE)
        live.close()
        self.leases.end(live, submission.follows)
        self.queue.leave(live)
        submission.discard()
        live.ended.set()
        self._refill_when_idle()

    def _refill_when_idle(self) -> None:
        """Starting a process would disturb a measurement, so it waits until nothing is measured."""
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
        """Stop a run whose events can't be stored. If the database is only busy, they wait in memory."""
        if live.why_killed is not None:
            return
        log.error("events of run %s could not be stored", live.id, exc_info=error)
        if not is_busy(error):
            live.kill(NO_ROOM if is_no_room(error) else NOT_STORED)

    def live(self, run_id: str) -> LiveRun | None:
        """The run if it waits or measures in this process."""
        return next((run for run in self.queue.alive() if run.id == run_id), None)

    def is_elsewhere(self, run_id: str) -> bool:
        """Whether another web process has the run."""
        return self.live(run_id) is None and self._store.leases.is_held(run_id)

    @property
    def is_measuring(self) -> bool:
        """Whether this or another web process measures, so that requests to the backends would disturb it."""
        return self.queue.is_measuring or self._store.leases.someone_measures()

    @property
    def is_closing(self) -> bool:
        """Whether the app is shutting down."""
        return self._stop.is_set() or not self._is_serving()

    def close(self) -> None:
        """End every timing process. Their runs end as failed; the results so far are kept."""
        self._stop.set()
        self.leases.close()
        self._spare.close()
        for live in self.queue.alive():
            live.kill(STOPPED)
        self.queue.wake()
        deadline = time.monotonic() + CLOSE_TIMEOUT_S
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))
