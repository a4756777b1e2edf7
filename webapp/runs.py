"""All runs: started, followed, cancelled, and closed when a restart left them open."""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from typing import IO, Any, NamedTuple, Protocol

from experiment.codec import to_dict
from experiment.environment import environment
from experiment.errors import PlanRefused
from experiment.plan import check_request_count
from experiment.records import BackendInfo, Plan
from webapp.child import WORKER_COMMAND, Spare
from webapp.claims import RENEW_EVERY_S
from webapp.config import Settings
from webapp.live import OPENING, LiveRun
from webapp.metrics import Metrics
from webapp.problems import CRASH_TITLE
from webapp.spool import remove_left_over
from webapp.store import Event, Follows, Store, StoredRun
from webapp.turns import LOOK_AGAIN_S, Turns

FLUSH_INTERVAL_S = 0.1
CLOSE_TIMEOUT_S = 5.0

# Why a run as a whole failed, where it was neither the timing process nor the plan.
STOPPED = {"code": "app_stopped", "message": "The app was stopped. What was measured is kept."}
RESTARTED = {
    "code": "app_restarted",
    "message": "The app ended or was restarted during this run. What was measured until then is kept.",
}
BROKE = {"code": "internal", "message": f"{CRASH_TITLE} What was measured is kept."}
NOT_STORED = {"code": "store_failed", "message": "The results could no longer be stored. Is the disk full?"}

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
        self._scribe = threading.Thread(target=self._write_on, name="scribe", daemon=True)
        self._scribe_started = threading.Lock()

    def start(self, is_serving: Callable[[], bool]) -> None:
        """Close what a restart left open, and get a child ready. Call it once, after any fork."""
        self._is_serving = is_serving
        self._store.claims.start()
        self._settle_orphans()
        threading.Thread(target=self._keep_claims, name="keeper", daemon=True).start()
        remove_left_over(self._settings.uploads_dir)
        self._store.evict()
        self._spare.refill()

    def submit(self, photo: Upload, plan: Plan, backends: Sequence[BackendInfo]) -> LiveRun:
        """Start or queue a run. Raises TooBusy, PlanRefused, or ImageRefused when the photo can't be read.

        The run discards `photo` when it ends; when this raises, that is left to the caller.
        """
        try:
            with self.turns.place():
                live, accepted = self._accepted(photo, plan, backends)
                try:
                    self._record(live, photo, plan, backends, accepted)
                except Exception:
                    live.abandon()
                    raise
                self.turns.enter(live)
                self._begin(live, photo)
        finally:
            self._refill_when_idle()
        return live

    def live(self, run_id: str) -> LiveRun | None:
        """The run if it waits or measures; None when it has ended or never was."""
        return next((run for run in self.turns.alive() if run.id == run_id), None)

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
        except Exception:
            log.exception("run %s broke", live.id)
            live.kill(BROKE)
        try:
            live.close(self._headline if photo.follows is None else lambda _: None)
            if photo.follows is not None:
                self._store.change(photo.follows.run_id, headline=self._headline(photo.follows.run_id))
            self._store.evict()
        except Exception:
            log.exception("run %s could not be ended in the store", live.id)
        self._release(live)
        self.turns.leave(live)
        photo.discard()
        live.ended.set()
        self._refill_when_idle()

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
                except Exception:
                    log.exception("events of run %s could not be stored", run.id)
                    run.kill(NOT_STORED)

    def _is_over(self, live: LiveRun) -> bool:
        return self._stop.is_set() or live.cancelled.is_set()

    def _others_let(self, live: LiveRun) -> bool:
        """Wait until few enough measure in all processes; False when it is over before."""
        told = False
        while not self._is_over(live):
            if self._store.claims.begin(live.id, self._settings.runs_at_once):
                return True
            if not told:
                live.announce(1)
                told = True
            live.cancelled.wait(LOOK_AGAIN_S)
        return False

    def _release(self, live: LiveRun) -> None:
        try:
            self._store.claims.release(live.id)
        except Exception:
            log.exception("run %s is still held in the store", live.id)

    def _keep_claims(self) -> None:
        """Say to the other processes that this one is there; do what they ask; close what gone ones left."""
        while not self._stop.wait(RENEW_EVERY_S):
            try:
                cancelled = self._store.claims.renew()
                for live in self.turns.alive():
                    if live.id in cancelled and not live.cancelled.is_set():
                        self.cancel(live)
                self._settle_orphans()
            except Exception:
                log.exception("the claims on runs could not be renewed")

    def _settle_orphans(self) -> None:
        for run_id in self._store.claims.orphans():
            self._settle(self._store.run(run_id))
            self._store.claims.release(run_id)

    def _settle(self, run: StoredRun) -> None:
        """Close a run that a process which has gone left open."""
        end = Event(run.last_seq + 1, "end", json.dumps({"state": "failed", "text": RESTARTED["message"]}))
        self._store.append(run.id, [end], run.requests_done, run.requests_failed)
        self._store.change(run.id, state="failed", failure=RESTARTED, finished_at=time.time())
