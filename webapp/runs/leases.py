"""The leases of this web process on its runs, where several processes share one database.

A process renews the leases of its live runs every few seconds (claims.py holds them). A run whose process
is gone is closed here, and one that has ended stays leased until the store says how it ended.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from webapp.runs.live_run import LiveRun
from webapp.runs.queue import LOOK_AGAIN_S, RunQueue
from webapp.storage_errors import is_busy
from webapp.store.claims import RENEW_EVERY_S
from webapp.store.store import Event, Follows, Store

RESTARTED: Final = {
    "code": "app_restarted",
    "message": "The app ended or was restarted during this run. What was measured until then is kept.",
}

log = logging.getLogger(__name__)


class Leases:
    """The leases of one process. `headline` gives a run's line in the history."""

    def __init__(
        self, store: Store, queue: RunQueue, headline: Callable[[str], str | None], runs_at_once: int
    ):
        self._store = store
        self._queue = queue
        self._headline = headline
        self._runs_at_once = runs_at_once
        self._stop = threading.Event()
        self._unended: list[tuple[LiveRun, Follows | None]] = []  # over, but the store does not say so yet
        self._orphans: list[str] = []  # left open by a process that has gone, and seized

    def start(self) -> None:
        """Close what a restart left open, and renew from now on."""
        for tidy_up in (self._store.claims.start, self._close_orphans, self._store.evict):
            try:
                tidy_up()
            except SQLAlchemyError:  # a full disk must not keep the page from showing what there is
                log.exception("the store could not be tidied up at the start")
        threading.Thread(target=self._keep, name="leases", daemon=True).start()

    def close(self) -> None:
        """Renew no more."""
        self._stop.set()

    def wait_for_others(self, live: LiveRun, is_over: Callable[[], bool]) -> bool:
        """Block until few enough runs measure in all processes; False when `is_over` says so first."""
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
            return self._store.claims.begin(live.id, self._runs_at_once)
        except SQLAlchemyError as error:
            if not is_busy(error):
                raise
            return False

    def end(self, live: LiveRun, follows: Follows | None) -> None:
        """Store how a run ended and give up its lease; where that fails, it is tried again until it works."""
        try:
            self._end(live, follows)
        except Exception:
            log.exception("run %s could not be ended in the store; it is tried again", live.id)
            self._unended.append((live, follows))

    def _end(self, live: LiveRun, follows: Follows | None) -> None:
        """On a full disk too: the reserve is there for that."""
        self._store.with_room(lambda: live.record_end(self._headline if follows is None else lambda _: None))
        if follows is not None:
            self._store.change(follows.run_id, headline=self._headline(follows.run_id))
        self._store.claims.release(live.id)
        self._store.evict()

    def is_unended(self, run_id: str) -> bool:
        """Whether the run is over here, though the store does not say so yet."""
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
                if is_well:  # a full disk stays so for a while; one word of it is enough
                    log.exception("the store can't be written; it is tried again")
                is_well = False

    def _end_again(self) -> None:
        """End what could not be ended, unless it is removed or another process has closed it."""
        for live, follows in list(self._unended):
            if self._store.claims.is_mine(live.id):
                self._end(live, follows)
                log.info("run %s is ended in the store now", live.id)
            self._unended.remove((live, follows))

    def _renew(self) -> None:
        """Say to the other processes that this one is there; cancel what they ask to."""
        alive = self._queue.alive()
        cancelled = self._store.claims.renew([live.id for live in alive])
        for live in alive:
            if live.id in cancelled and not live.cancelled.is_set():
                self._queue.cancel(live)

    def _close_orphans(self) -> None:
        """Close the runs that processes which have gone left open."""
        self._orphans += self._store.claims.orphans()
        while self._orphans:
            run = self._store.run(self._orphans[0])
            end = Event(
                run.last_seq + 1, "end", json.dumps({"state": "failed", "text": RESTARTED["message"]})
            )
            self._store.append(run.id, [end], run.requests_done, run.requests_failed)
            self._store.change(run.id, state="failed", failure=RESTARTED, finished_at=time.time())
            self._store.claims.release(run.id)
            self._orphans.remove(run.id)
