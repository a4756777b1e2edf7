"""The worker's loop: claim, answer in one batch, commit.

It runs anywhere that Redis and the model server can be reached from: a process, a Ray actor, a Spark task, a
container. Whatever ends it, each job that it had claimed is delivered again.
"""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import redis

from experiment.queue.connection import sentence
from experiment.queue.records import QueueSettings
from experiment.wording import one_line
from jobs.records import (
    Answered,
    Answerer,
    Claimed,
    ModelUnavailable,
    Outcome,
    Reader,
    Refused,
    Request,
    TryAgain,
)
from jobs.worker.claims import FIRST, Claims, Ending
from jobs.worker.lease import Lease, NameTaken

DEFAULT_BATCH: Final = 4  # as Cluster Serving had it
LOOK_S: Final = 1.0  # how often it looks for entries of dead workers
MOST_REFILLS: Final = 50  # of a batch, in place of jobs that are too late
LONGEST_REASON: Final = 1000  # characters
PAUSES_S: Final = (0.5, 1, 2, 5)  # while Redis or the model server is away; the last one again and again

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How one worker works."""

    name: str  # stable: the next process of this name goes on with what this one had claimed
    batch_size: int = DEFAULT_BATCH  # most jobs in one request to the model; fewer if fewer wait
    most_tries: int = 5  # deliveries; the next one gives the job up
    idle_s: float = 15.0  # without a heartbeat for so long, its claims go to others
    wait_s: float = 0.5  # longest wait for a job before it looks at anything else
    reserved: str = ""  # token under which the name is kept for this worker (lease.py, free_names)


class Times(NamedTuple):
    """What one batch took."""

    batch_wait_ms: float  # from the claim until the model was asked: photos fetched, entries read
    service_ms: float  # asking the model
    batch: int  # jobs in it

    def stages_ms(self, entry: Claimed, answered: Answered) -> dict[str, float]:
        """The stages of one of its jobs. Those that the answerer knows better count; the model server's own
        are parts of `service`, under the names that it gives them."""
        own = dict(answered.stages_ms)
        return {
            "queue_wait": entry.queue_wait_ms,
            "batch_wait": round(self.batch_wait_ms + own.pop("batch_wait", 0.0), 3),
            "service": round(own.pop("service", self.service_ms), 3),
            **own,
        }


NO_TIMES: Final = Times(0.0, 0.0, 0)  # of a job that was not begun


class Worker:
    """One worker of one queue."""

    def __init__(
        self,
        client: redis.Redis,
        queue: QueueSettings,
        settings: WorkerSettings,
        reader: Reader,
        answerer: Answerer,
        say: Callable[[str], None] = log.warning,
        about: Mapping[str, Any] | None = None,
    ):
        """`about`: what clients may know of it, as JSON: `model` and `server`, its address (workers.py)."""
        self._client = client
        self._queue = queue
        self._settings = settings
        self._reader = reader
        self._answerer = answerer
        self._say = say
        self._claims = Claims(client, queue, settings.name, settings.idle_s)
        facts = {"batch_size": settings.batch_size, **(about or {})}
        self._lease = Lease(client, queue, settings.name, facts, settings.reserved)
        # What its name's last holder left; also after an outage. None: done.
        self._left_after: str | None = FIRST
        self._look_at = 0.0

    def run(self, stop: threading.Event, ready: Callable[[], None] = lambda: None) -> None:
        """Work until `stop` is set; jobs under way are finished first. `ready` is called before the first.

        An outage of Redis or of the model server is waited out. Raises NameTaken.
        """
        failures = 0
        while not stop.is_set():
            try:
                if not self._lease.take(stop):
                    return
                self._claims.make_group()
                ready()
                ready = _nothing
                with self._lease.beating():
                    while not stop.is_set():
                        self.step(stop)
                        failures = 0
                        if self._lease.lost.is_set():
                            raise NameTaken(f"Another worker took the name {self._settings.name}.")
            except redis.RedisError as error:
                self._say(f"{sentence(error, self._queue.url)} Waiting for it; no job is lost.")
                self._left_after = FIRST
                stop.wait(PAUSES_S[min(failures, len(PAUSES_S) - 1)])
                failures += 1

    def step(self, stop: threading.Event) -> int:
        """Work on one batch, if there is one; how many jobs it ended. Raises redis.RedisError."""
        entry = None
        if self._left_after is not None:
            entry = self._claims.own_left(self._left_after)
            self._left_after = entry.entry_id if entry else None
        elif time.monotonic() >= self._look_at:
            entry = self._claims.abandoned()
            self._look_at = 0.0 if entry else time.monotonic() + LOOK_S
        entries, late = ([entry], 0) if entry else self._new_ones()
        for entry in entries:
            if not entry.fields:
                self._claims.drop(entry)
        entries = [entry for entry in entries if entry.fields]
        if not entries:
            return late
        with self._lease.working_on(entries):
            return late + self._work(entries, stop)

    def _new_ones(self) -> tuple[list[Claimed], int]:
        """A batch of new entries, and how many it ended that were too late: others take their places.

        So the model gets full batches also while more comes than it can do.
        """
        found = self._claims.new(self._settings.batch_size, round(self._settings.wait_s * 1000))
        ended = 0
        for _ in range(MOST_REFILLS):
            late = [entry for entry in found if _is_late(entry)]
            if not late:
                break
            ended += sum(
                self._claims.finish([self._ending(entry, _too_late(entry), NO_TIMES) for entry in late])
            )
            found = [entry for entry in found if not _is_late(entry)]
            found += self._claims.new(len(late), 1)
        return found, ended

    def _work(self, entries: Sequence[Claimed], stop: threading.Event) -> int:
        claimed_s = time.monotonic()
        outcomes = self._read(entries)
        requests = {key: found for key, found in outcomes.items() if isinstance(found, Request)}
        started_s = time.monotonic()
        if requests:
            answers = self._answers(list(requests.values()), stop)
            if answers is None:
                return 0  # stopped while waiting for the model: the claims stay for the name's next holder
            outcomes.update(zip(requests, answers, strict=True))
        times = Times((started_s - claimed_s) * 1e3, (time.monotonic() - started_s) * 1e3, len(requests))
        endings: list[Ending] = []
        failed: list[tuple[Claimed, TryAgain]] = []
        for entry in entries:
            outcome = outcomes[entry.entry_id]
            if isinstance(outcome, TryAgain):
                failed.append((entry, outcome))
            elif isinstance(outcome, Answered | Refused):
                try:
                    endings.append(self._ending(entry, outcome, times))
                except Exception as bug:
                    log.exception("an answer could not be stored")
                    failed.append((entry, _bug(bug)))
        for entry, why in failed:
            self._claims.note(entry, why.code, one_line(why.reason, LONGEST_REASON))
        return sum(self._claims.finish(endings)) if endings else 0

    def _read(self, entries: Sequence[Claimed]) -> dict[str, Request | Outcome]:
        """By entry: what to ask, or why nothing is asked."""
        hashes = sorted({entry.photo_sha256 for entry in entries} - {""})
        photos = dict(zip(hashes, self._claims.photos(hashes), strict=True))
        read: dict[str, Request | Outcome] = {}
        for entry in entries:
            if entry.tries > self._settings.most_tries:
                read[entry.entry_id] = self._given_up(entry)
            elif _is_late(entry):
                read[entry.entry_id] = _too_late(entry)
            else:
                try:
                    read[entry.entry_id] = self._reader.read(entry, photos.get(entry.photo_sha256))
                except Exception as bug:
                    log.exception("an entry could not be read")
                    read[entry.entry_id] = _bug(bug)
        return read

    def _given_up(self, entry: Claimed) -> Refused:
        tries = entry.tries - 1
        words = "try" if tries == 1 else "tries"
        died = ("worker_died", "Its workers died while they worked on it.")
        code, why = self._claims.last_reason(entry) or died
        return Refused(f"gave_up:{code}", f"Given up after {tries} {words}. {why}")

    def _answers(self, requests: Sequence[Request], stop: threading.Event) -> list[Outcome] | None:
        """The model's outcomes, as soon as it answers; None if `stop` is set meanwhile."""
        turns = 0
        while True:
            try:
                outcomes = self._answerer.answer(requests)
                if len(outcomes) != len(requests):
                    raise ValueError(f"{len(outcomes)} outcomes for {len(requests)} requests")
                return outcomes
            except ModelUnavailable as why:
                if turns == 0:
                    self._say(f"{why} Waiting for it; jobs stay in the queue.")
                if stop.wait(PAUSES_S[min(turns, len(PAUSES_S) - 1)]):
                    return None
                turns += 1
            except Exception as bug:
                log.exception("a batch could not be answered")
                return [_bug(bug)] * len(requests)

    def _ending(self, entry: Claimed, outcome: Answered | Refused, times: Times) -> Ending:
        facts: dict[str, str | int] = {
            "started_ms": entry.claimed_ms,
            "tries": entry.tries,
            "worker": self._settings.name,
        }
        if isinstance(outcome, Refused):
            is_dead = outcome.code.startswith("gave_up:")
            why = {"code": outcome.code, "reason": one_line(outcome.reason, LONGEST_REASON)}
            return Ending(entry, "failed", facts | why, None, is_dead)
        result = {**outcome.result, "batch": times.batch, "stages_ms": times.stages_ms(entry, outcome)}
        value = self._reader.encode(entry, outcome)
        return Ending(entry, "done", facts | {"result": json.dumps(result)}, value)


def _is_late(entry: Claimed) -> bool:
    return entry.claimed_ms > (entry.begin_by_ms or math.inf)


def _too_late(entry: Claimed) -> Refused:
    late_s = (entry.claimed_ms - (entry.begin_by_ms or 0)) / 1000
    return Refused("too_late", f"Its deadline passed {late_s:.1f} s before a worker was free.")


def _bug(error: Exception) -> TryAgain:
    return TryAgain(
        "worker_error",
        f"The worker failed while it worked on it ({type(error).__name__}: {one_line(str(error), 200)}).",
    )


def _nothing() -> None:
    pass
