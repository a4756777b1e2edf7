"""The leases of this web process on its runs, where several processes share one database.

A thread renews them every few seconds; webapp/store/leases.py is their table. A run whose lease has expired,
because its process is gone, is ended here. A run that has ended keeps its lease until that is stored.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from webapp.metrics import Metrics
from webapp.runs.live_run import LiveRun
from webapp.runs.queue import LOOK_AGAIN_S, RunQueue
from webapp.storage_errors import is_busy
from webapp.store.leases import RENEW_EVERY_S
from webapp.store.store import Event, Follows, Store

RESTARTED: Final = {
    "code": "app_restarted",
    "message": "The app ended or was restarted during this run. The results so far are kept.",
}

log = logging.getLogger(__name__)


class Leases:
    """Renews the leases of one process, and ends runs. `headline` is Reports.headline()."""

    def __init__(
        self,
        store: Store,
        queue: RunQueue,
        metrics: Metrics,
        headline: Callable[[str], str | None],
        runs_at_once: int,
    ):
        self._store = store
        self._queue = queue
        self._metrics = metrics
        self._headline = headline
        self._runs_at_once = runs_at_once
        self._stop = threading.Event()
        self._unended: list[tuple[LiveRun, Follows | None]] = []  # ended, but that is not stored yet
        self._orphans: list[str] = []  # ids of runs whose process is gone; this process ends them

    def start(self) -> None:
        """End runs that a restart left open, and renew from now on."""
        for tidy_up in (self._store.leases.start, self._close_orphans, self._store.evict):
            try:
                tidy_up()
            except SQLAlchemyError:  # the page must show stored runs even if the disk is full
                log.exception("the store could not be tidied up at the start")
        threading.Thread(target=self._keep, name="leases", daemon=True).start()

    def close(self) -> None:
        """Stop renewing."""
        self._stop.set()

    def wait_for_others(self, live: LiveRun, is_over: Callable[[], bool]) -> bool:
        """Block until no more than the allowed number of runs measure, counting those of other processes.

        Returns False if `is_over` becomes true first.
        """
        is_announced = False
        while not is_over():
            if self._may_begin(live):
                return True
            if not is_announced:
                live.announce(1)
                is_announced = True
            live.cancelled.wait(LOOK_AGAIN_S)
        return False

    def _may_begin(self, live: LiveRun) -> bool:
        try:
            return self._store.leases.begin(live.id, self._runs_at_once)
        except SQLAlchemyError as error:
            if not is_busy(error):
                raise
            return False

    def end(self, live: LiveRun, follows: Follows | None) -> None:
        """Store how a run ended, then release its lease; on failure, tried again until it works."""
        try:
            self._end(live, follows)
        except Exception:
            log.exception("the end of run %s could not be stored; trying again", live.id)
            self._unended.append((live, follows))

    def _end(self, live: LiveRun, follows: Follows | None) -> None:
        """Uses the reserve if the disk is full."""
        self._store.with_room(lambda: live.record_end(self._headline if follows is None else lambda _: None))
        if follows is not None:
            self._store.change(follows.run_id, headline=self._headline(follows.run_id))
        self._store.leases.release(live.id)
        self._store.evict()

    def is_unended(self, run_id: str) -> bool:
        """Whether the run has ended in this process, but that is not stored yet."""
        return any(live.id == run_id for live, _ in self._unended)

    def _keep(self) -> None:
        is_well = True
        while not self._stop.wait(RENEW_EVERY_S):
            try:
                self._end_again()
                self._renew()
                self._close_orphans()
                is_well = True
            except Exception:
                if is_well:  # logged once, as a full disk stays full for a while
                    log.exception("the store can't be written; trying again")
                is_well = False

    def _end_again(self) -> None:
        """Try again to store ends, unless the run was removed or another process ended it."""
        for live, follows in list(self._unended):
            if self._store.leases.is_mine(live.id):
                self._end(live, follows)
                log.info("the end of run %s is stored now", live.id)
            self._unended.remove((live, follows))

    def _renew(self) -> None:
        """Renew the leases, and cancel runs that other processes want cancelled."""
        alive = self._queue.alive()
        cancelled = self._store.leases.renew([live.id for live in alive])
        for live in alive:
            if live.id in cancelled and not live.cancelled.is_set():
                self._queue.cancel(live)

    def _close_orphans(self) -> None:
        """End runs whose process is gone."""
        self._orphans += self._store.leases.orphans()
        while self._orphans:
            run = self._store.run(self._orphans[0])
            end = json.dumps({"state": "failed", "text": RESTARTED["message"]})
            event = Event(run.last_seq + 1, "end", end)
            self._store.append(run.id, [event], run.requests_done, run.requests_failed)
            self._store.change(run.id, state="failed", failure=RESTARTED, finished_at=time.time())
            self._store.leases.release(run.id)
            self._metrics.finished("failed")
            self._orphans.remove(run.id)
