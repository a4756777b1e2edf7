"""All runs: who may start, who waits, who measures, and what a restart leaves behind."""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from typing import IO, Any, NamedTuple

from experiment.environment import environment
from experiment.errors import PixelcostError
from experiment.export import to_dict
from experiment.records import BackendInfo, Plan
from webapp.child import WORKER_COMMAND, Spare
from webapp.config import Settings
from webapp.live import LiveRun
from webapp.metrics import Metrics
from webapp.problems import CRASH_TITLE
from webapp.store import Event, Store

FLUSH_INTERVAL_S = 0.1
CLOSE_TIMEOUT_S = 5.0

log = logging.getLogger(__name__)


class TooBusy(PixelcostError):
    """The queue is full. Try again after `retry_after_s`."""

    code = "too_many_runs"
    http_status = 429

    def __init__(self, running: int, waiting: int, retry_after_s: int):
        runs = "1 run is" if running == 1 else f"{running} runs are"
        super().__init__(
            f"{runs} in progress and {waiting} waiting, which is all this server takes. "
            f"Try again in about {retry_after_s} s."
        )
        self.retry_after_s = retry_after_s


class Photo(NamedTuple):
    """An upload whose header has been looked at."""

    name: str
    stream: IO[bytes]
    size_bytes: int
    true_label: str | None = None


class Runs:
    """The run manager. One per process."""

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
        self._changed = threading.Condition()
        self._arriving = 0  # uploads that have a place but no run yet
        self._waiting: list[LiveRun] = []
        self._running: list[LiveRun] = []
        self._stop = threading.Event()
        self._is_serving: Callable[[], bool] = lambda: True
        self._threads: list[threading.Thread] = []
        self._scribe: threading.Thread | None = None

    def start(self, is_serving: Callable[[], bool]) -> None:
        """Settle what a restart left behind, and get a child ready. Call it once, after any fork."""
        self._is_serving = is_serving
        for run in self._store.left_over():
            self._settle(run.id, run.last_seq)
        self._store.evict()
        self._spare.refill()

    def submit(self, photo: Photo, plan: Plan, backends: Sequence[BackendInfo]) -> LiveRun:
        """Start or queue a run. Raises TooBusy, or ImageRefused when the photo can't be read."""
        self._take_place()
        try:
            live, accepted = self._accepted(photo, plan, backends)
            try:
                self._record(live, photo.name, plan, backends, accepted)
            except Exception:
                live.abandon()
                raise
            self._enter(live)
        finally:
            with self._changed:
                self._arriving -= 1
        return live

    def live(self, run_id: str) -> LiveRun | None:
        """The run if it waits or measures; None when it has ended or never was."""
        with self._changed:
            return next((run for run in (*self._running, *self._waiting) if run.id == run_id), None)

    def position(self, live: LiveRun) -> int:
        """Place in the queue; 0 when it measures already."""
        with self._changed:
            return self._waiting.index(live) + 1 if live in self._waiting else 0

    def cancel(self, live: LiveRun) -> None:
        """Stop a run; what was measured is kept."""
        live.cancel()
        with self._changed:
            self._changed.notify_all()

    @property
    def is_measuring(self) -> bool:
        """Whether anything may be disturbed by other work on this machine."""
        return bool(self._running)

    @property
    def queue_length(self) -> int:
        """Runs that wait."""
        return len(self._waiting)

    @property
    def is_closing(self) -> bool:
        """Whether the app is about to end."""
        return self._stop.is_set() or not self._is_serving()

    def close(self) -> None:
        """End every child; their runs end as failed, with what was measured."""
        self._stop.set()
        self._spare.close()
        with self._changed:
            live = [*self._running, *self._waiting]
            self._changed.notify_all()
        for run in live:
            run.kill({"code": "app_stopped", "message": "The app was stopped. What was measured is kept."})
        deadline = time.monotonic() + CLOSE_TIMEOUT_S
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))

    def _take_place(self) -> None:
        with self._changed:
            taken = self._arriving + len(self._waiting) + len(self._running)
            if taken >= self._settings.runs_at_once + self._settings.queue_length:
                raise TooBusy(len(self._running), len(self._waiting) + self._arriving, self._retry_after_s())
            self._arriving += 1

    def _retry_after_s(self) -> int:
        left = [run.log.progress.eta_s for run in self._running]
        known = [eta_s for eta_s in left if eta_s is not None]
        return max(2, min(600, round(min(known)) + 1)) if known else 10

    def _accepted(
        self, photo: Photo, plan: Plan, backends: Sequence[BackendInfo]
    ) -> tuple[LiveRun, dict[str, Any]]:
        job = {
            "plan": to_dict(plan),
            "backends": [to_dict(info) for info in backends],
            "name": photo.name,
            "true_label": photo.true_label,
            "limits": {"max_bytes": self._settings.max_bytes, "max_pixels": self._settings.max_pixels},
            "size_bytes": photo.size_bytes,
        }
        live = LiveRun(secrets.token_hex(8), self._spare.take(), self._store, self._metrics)
        return live, live.accept(job, photo.stream, self._settings.read_timeout_s)

    def _record(
        self,
        live: LiveRun,
        name: str,
        plan: Plan,
        backends: Sequence[BackendInfo],
        accepted: dict[str, Any],
    ) -> None:
        infos = [to_dict(info) for info in backends]
        self._store.create(live.id, name, to_dict(plan), infos, environment(), accepted["requests_planned"])
        more = {key: accepted[key] for key in ("skipped_sizes_px", "requests_planned")}
        live.log.add("source", {**accepted["source"], **more})
        live.log.flush()

    def _enter(self, live: LiveRun) -> None:
        """Let the run begin or wait, and give it a thread that follows it."""
        thread = threading.Thread(target=self._follow, args=(live,), name=f"run-{live.id}", daemon=True)
        with self._changed:
            if not self._waiting and len(self._running) < self._settings.runs_at_once:
                self._running.append(live)
            else:
                self._waiting.append(live)
                live.announce(len(self._waiting))
            self._threads = [each for each in self._threads if each.is_alive()] + [thread]
            self._start_scribe()
            thread.start()

    def _follow(self, live: LiveRun) -> None:
        try:
            if self._wait_for_turn(live):
                live.follow(self._settings.max_run_s)
        except Exception:
            log.exception("run %s broke", live.id)
            live.kill({"code": "internal", "message": f"{CRASH_TITLE} What was measured is kept."})
        self._end(live)

    def _wait_for_turn(self, live: LiveRun) -> bool:
        """Block until the run may measure; False when it was cancelled or the app stops."""
        with self._changed:
            while not (self._stop.is_set() or live.cancelled.is_set()):
                if live in self._running:
                    return True
                if self._waiting[0] is live and len(self._running) < self._settings.runs_at_once:
                    self._waiting.remove(live)
                    self._running.append(live)
                    self._announce_positions()
                    return True
                self._changed.wait(1.0)
            return False

    def _announce_positions(self) -> None:
        for position, waiting in enumerate(self._waiting, start=1):
            waiting.announce(position)

    def _end(self, live: LiveRun) -> None:
        try:
            live.close(self._headline)
        except Exception:
            log.exception("run %s could not be ended in the store", live.id)
        with self._changed:
            if live in self._running:
                self._running.remove(live)
            if live in self._waiting:
                self._waiting.remove(live)
                self._announce_positions()
            self._changed.notify_all()
            is_idle = not self._running and not self._waiting
        live.ended.set()
        if is_idle and not self._stop.is_set():
            self._tidy()

    def _tidy(self) -> None:
        """What is better done while nothing is measured."""
        try:
            self._spare.refill()
            self._store.evict()
        except Exception:
            log.exception("tidying up failed")

    def _start_scribe(self) -> None:
        if self._scribe is None:
            self._scribe = threading.Thread(target=self._write_on, name="scribe", daemon=True)
            self._scribe.start()

    def _write_on(self) -> None:
        """Store the events of all live runs, ten times a second."""
        while not self._stop.wait(FLUSH_INTERVAL_S):
            with self._changed:
                live = [*self._running, *self._waiting]
            for run in live:
                try:
                    run.log.flush()
                except Exception:
                    log.exception("events of run %s could not be stored", run.id)
                    run.kill({"code": "store_failed", "message": "The results could no longer be stored."})

    def _settle(self, run_id: str, last_seq: int) -> None:
        """Close a run that an earlier process left open."""
        failure = {
            "code": "app_restarted",
            "message": "The app was restarted during this run. What was measured until then is kept.",
        }
        run = self._store.run(run_id)
        end = Event(last_seq + 1, "end", json.dumps({"state": "failed", "text": failure["message"]}))
        self._store.append(run_id, [end], run.requests_done, run.requests_failed)
        self._store.change(run_id, state="failed", failure=failure, finished_at=time.time())
