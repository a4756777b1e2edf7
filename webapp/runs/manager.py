"""All runs: started, followed, cancelled, and closed when a restart left them open."""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from typing import IO, Any, NamedTuple, Protocol

from sqlalchemy.exc import SQLAlchemyError

from experiment.codec import to_dict
from experiment.errors import PlanRefused
from experiment.measure.environment import environment
from experiment.measure.plan import check_request_count
from experiment.records import BackendInfo, Plan
from webapp.config import Settings
from webapp.metrics import Metrics
from webapp.problems import CRASH_TITLE, Refused
from webapp.runs.live_run import OPENING, LiveRun
from webapp.runs.queue import LOOK_AGAIN_S, Turns
from webapp.storage_errors import is_busy, is_no_room
from webapp.store.claims import RENEW_EVERY_S
from webapp.store.spool import remove_left_over
from webapp.store.store import Event, Follows, Store, StoredRun
from webapp.worker.process import WORKER_COMMAND, Spare

FLUSH_INTERVAL_S = 0.1
CLOSE_TIMEOUT_S = 5.0

# Why a run as a whole failed, where it was neither the timing process nor the plan.
STOPPED = {"code": "app_stopped", "message": "The app was stopped. What was measured is kept."}
RESTARTED = {
    "code": "app_restarted",
    "message": "The app ended or was restarted during this run. What was measured until then is kept.",
}
BROKE = {"code": "internal", "message": f"{CRASH_TITLE} What was measured is kept."}
NOT_STORED = {
    "code": "store_failed",
    "message": "The results could no longer be stored; the server's log says why. What was stored until then "
    "is kept.",
}
NO_ROOM = {
    "code": "storage_full",
    "message": "The disk that holds the runs is full, so this one was stopped. What was measured until then "
    "is kept. Remove runs or make room on the server, then start it again.",
}

log = logging.getLogger(__name__)


class Photo(NamedTuple):
    """An upload whose header has been looked at."""

    name: str
    stream: IO[bytes]
    size_bytes: int
    true_label: str | None = None
    follows: Follows | None = None
    opening: str = OPENING

    @property
    def plan_defaults(self) -> dict[str, Any]:
        """Where a plan that does not say otherwise differs."""
        return {}

    @property
    def job(self) -> dict[str, Any]:
        """What the timing process is told of it."""
        return {"name": self.name, "true_label": self.true_label, "size_bytes": self.size_bytes}

    def discard(self) -> None:
        """The request closes its own stream."""


class Upload(Protocol):
    """What a run is about: a Photo, or a PhotoUpload of many."""

    @property
    def name(self) -> str:
        """As the history shows it."""

    @property
    def stream(self) -> IO[bytes]:
        """Bytes that the timing process gets behind its job."""

    @property
    def follows(self) -> Follows | None:
        """The run that this goes on with; None: it is one of its own."""

    @property
    def opening(self) -> str:
        """What is said when it begins."""

    @property
    def job(self) -> dict[str, Any]:
        """What the timing process is told of it; `size_bytes` is how long the stream is."""

    def discard(self) -> None:
        """Give back what it takes on disk."""


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
        self._headline = headline
        self._spare = Spare(worker_command)
        self.turns = Turns(settings.runs_at_once, settings.queue_length)
        self._large = threading.Lock()  # see large_photos.py
        self._stop = threading.Event()
        self._is_serving: Callable[[], bool] = lambda: True
        self._threads: list[threading.Thread] = []
        self._unended: list[tuple[LiveRun, Follows | None]] = []  # over, but the store does not say so yet
        self._unsettled: list[str] = []  # left open by a process that has gone, and seized
        self._scribe = threading.Thread(target=self._write_on, name="scribe", daemon=True)
        self._scribe_started = threading.Lock()

    def start(self, is_serving: Callable[[], bool]) -> None:
        """Close what a restart left open, and get a child ready. Call it once, after any fork."""
        self._is_serving = is_serving
        remove_left_over(self._settings.uploads_dir)
        for tidy_up in (self._store.claims.start, self._settle_orphans, self._store.evict):
            try:
                tidy_up()
            except SQLAlchemyError:  # a full disk must not keep the page from showing what there is
                log.exception("the store could not be tidied up at the start")
        threading.Thread(target=self._keep_claims, name="keeper", daemon=True).start()
        self._spare.refill()

    def submit(
        self,
        photo: Upload,
        plan: Plan,
        backends: Sequence[BackendInfo],
        is_gone: Callable[[], bool] = lambda: False,
    ) -> LiveRun:
        """Start or queue a run. Raises TooBusy, PlanRefused, or ImageRefused when the photo can't be read.

        `is_gone` tells whether whoever sent it has hung up while it was read or waited for that: Refused.
        The run discards `photo` when it ends; when this raises, that is left to the caller.
        """
        try:
            with self.turns.place():
                live, accepted = self._accepted(photo, plan, backends)
                if is_gone():
                    live.abandon()
                    raise Refused("broken_upload", "The sender hung up before the run began.")
                try:
                    self._record(live, photo, plan, backends, accepted)
                except Exception:
                    live.abandon()
                    self._forget(live)
                    raise
                self.turns.enter(live)
                self._begin(live, photo)
        finally:
            self._refill_when_idle()
        return live

    def live(self, run_id: str) -> LiveRun | None:
        """The run if it waits or measures; None when it has ended or never was."""
        return next((run for run in self.turns.alive() if run.id == run_id), None)

    def is_unended(self, run_id: str) -> bool:
        """Whether the run is over here, though the store could not be told yet."""
        return any(live.id == run_id for live, _ in self._unended)

    def is_elsewhere(self, run_id: str) -> bool:
        """Whether another process still has the run."""
        return self.live(run_id) is None and self._store.claims.is_held(run_id)

    def cancel_elsewhere(self, run_id: str) -> bool:
        """Have another process stop its run, within seconds; False when none has it."""
        return self._store.claims.cancel(run_id)

    @property
    def is_measuring(self) -> bool:
        """Whether anybody, this process or another, would be disturbed by other requests to the servers."""
        return self.turns.is_measuring or self._store.claims.someone_measures()

    def cancel(self, live: LiveRun) -> None:
        """Stop a run; what was measured is kept."""
        live.cancel()
        self.turns.wake()

    @property
    def is_closing(self) -> bool:
        """Whether the app is about to end."""
        return self._stop.is_set() or not self._is_serving()

    def close(self) -> None:
        """End every child; their runs end as failed, with what was measured."""
        self._stop.set()
        self._spare.close()
        for run in self.turns.alive():
            run.kill(STOPPED)
        self.turns.wake()
        deadline = time.monotonic() + CLOSE_TIMEOUT_S
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))

    def _accepted(
        self, photo: Upload, plan: Plan, backends: Sequence[BackendInfo]
    ) -> tuple[LiveRun, dict[str, Any]]:
        job = {
            "plan": to_dict(plan),
            "backends": [to_dict(info) for info in backends],
            "limits": {"max_bytes": self._settings.max_bytes, "max_pixels": self._settings.max_pixels},
            **photo.job,
        }
        live = LiveRun(secrets.token_hex(8), self._spare.take(), self._store, self._metrics, self._large)
        accepted = live.accept(job, photo.stream, self._settings.read_timeout_s)
        try:
            check_request_count(accepted["requests_planned"], self._settings.max_requests)
        except PlanRefused:
            live.abandon()
            raise
        return live, accepted

    def _record(
        self,
        live: LiveRun,
        photo: Upload,
        plan: Plan,
        backends: Sequence[BackendInfo],
        accepted: dict[str, Any],
    ) -> None:
        infos = [to_dict(info) for info in backends]
        planned = accepted["requests_planned"]
        self._store.create(live.id, photo.name, to_dict(plan), infos, environment(), planned, photo.follows)
        more = {key: accepted[key] for key in ("skipped_sizes_px", "requests_planned")}
        live.log.add("source", {**accepted["source"], **more})
        live.log.flush()

    def _begin(self, live: LiveRun, photo: Upload) -> None:
        """Give the run a thread that follows it."""
        thread = threading.Thread(target=self._follow, args=(live, photo), name=f"run-{live.id}", daemon=True)
        self._threads = [each for each in self._threads if each.is_alive()] + [thread]
        with self._scribe_started:
            if not self._scribe.is_alive():
                self._scribe.start()
        thread.start()

    def _follow(self, live: LiveRun, photo: Upload) -> None:
        try:
            if self.turns.wait(live, lambda: self._is_over(live)) and self._others_let(live):
                live.follow(self._settings.max_run_s, photo.opening)
        except Exception as error:
            log.exception("run %s broke", live.id)
            live.kill(NO_ROOM if is_no_room(error) else BROKE)
        live.close()
        try:
            self._end(live, photo.follows)
        except Exception:
            log.exception("run %s could not be ended in the store; it is tried again", live.id)
            self._unended.append((live, photo.follows))
        self.turns.leave(live)
        photo.discard()
        live.ended.set()
        self._refill_when_idle()

    def _end(self, live: LiveRun, follows: Follows | None) -> None:
        """Tell the store how the run ended. On a full disk too: the reserve is there for that."""
        self._store.with_room(lambda: live.record_end(self._headline if follows is None else lambda _: None))
        if follows is not None:
            self._store.change(follows.run_id, headline=self._headline(follows.run_id))
        self._store.claims.release(live.id)
        self._store.evict()

    def _end_anew(self) -> None:
        """Try again to end what could not be ended, unless it is removed or another process has closed it."""
        for live, follows in list(self._unended):
            if self._store.claims.is_mine(live.id):
                self._end(live, follows)
                log.info("run %s is ended in the store now", live.id)
            self._unended.remove((live, follows))

    def _forget(self, live: LiveRun) -> None:
        """Remove what was stored of a run that could not begin."""
        try:
            self._store.remove(live.id)
        except Exception:
            log.exception("run %s, which could not begin, could not be removed", live.id)

    def _refill_when_idle(self) -> None:
        """Starting a child takes a core for a moment, so it waits until nothing is measured."""
        if not (self.turns.alive() or self._stop.is_set()):
            self._spare.refill()

    def _write_on(self) -> None:
        """Store the events of all live runs, ten times a second."""
        while not self._stop.wait(FLUSH_INTERVAL_S):
            for run in self.turns.alive():
                try:
                    run.log.flush()
                except Exception as error:
                    self._cannot_store(run, error)

    def _cannot_store(self, run: LiveRun, error: Exception) -> None:
        """Stop a run whose events can't be stored; while the database is only busy they wait in memory."""
        if run.is_killed:
            return
        log.error("events of run %s could not be stored", run.id, exc_info=error)
        if not is_busy(error):
            run.kill(NO_ROOM if is_no_room(error) else NOT_STORED)

    def _is_over(self, live: LiveRun) -> bool:
        return self._stop.is_set() or live.cancelled.is_set()

    def _others_let(self, live: LiveRun) -> bool:
        """Wait until few enough measure in all processes; False when it is over before."""
        told = False
        while not self._is_over(live):
            if self._may_begin(live):
                return True
            if not told:
                live.announce(1)
                told = True
            live.cancelled.wait(LOOK_AGAIN_S)
        return False

    def _may_begin(self, live: LiveRun) -> bool:
        try:
            return self._store.claims.begin(live.id, self._settings.runs_at_once)
        except SQLAlchemyError as error:
            if not is_busy(error):
                raise
            return False

    def _keep_claims(self) -> None:
        """Every few seconds: end what could not be ended, say that the live runs are had, close lost ones."""
        is_well = True
        while not self._stop.wait(RENEW_EVERY_S):
            try:
                self._end_anew()
                self._renew()
                self._settle_orphans()
                is_well = True
            except Exception:
                if is_well:  # a full disk stays so for a while; one word of it is enough
                    log.exception("the store can't be written; it is tried again")
                is_well = False

    def _renew(self) -> None:
        """Say to the other processes that this one is there; do what they ask."""
        alive = self.turns.alive()
        cancelled = self._store.claims.renew([live.id for live in alive])
        for live in alive:
            if live.id in cancelled and not live.cancelled.is_set():
                self.cancel(live)

    def _settle_orphans(self) -> None:
        self._unsettled += self._store.claims.orphans()
        while self._unsettled:
            run_id = self._unsettled[0]
            self._settle(self._store.run(run_id))
            self._store.claims.release(run_id)
            self._unsettled.remove(run_id)

    def _settle(self, run: StoredRun) -> None:
        """Close a run that a process which has gone left open."""
        end = Event(run.last_seq + 1, "end", json.dumps({"state": "failed", "text": RESTARTED["message"]}))
        self._store.append(run.id, [end], run.requests_done, run.requests_failed)
        self._store.change(run.id, state="failed", failure=RESTARTED, finished_at=time.time())
