"""Says when a queue's workers are ready, and then what goes on, while they work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import redis

from common.installed import as_typed
from experiment.queue.connection import QueueUnavailable
from experiment.queue.records import QueueDepth, QueueSettings
from experiment.queue.results import Results
from jobs.serving.workers import holders

LOOK_S: Final = 0.2
NEWS_S: Final = 10.0


@contextmanager
def watching(
    client: redis.Redis,
    queue: QueueSettings,
    names: Sequence[str],
    ready: Callable[[], None],
    news: Callable[[str], None] | None,
) -> Iterator[None]:
    """Call `ready` once all workers hold their names, then `news` every ten seconds with what has changed;
    None: nobody reads it. Raises QueueUnavailable."""
    ended = threading.Event()
    before = holders(client, queue, names)  # those of another command don't count
    thread = threading.Thread(
        target=_run, args=(client, queue, names, before, ready, news, ended), name="watch", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(LOOK_S * 5)


def words_of(depth: QueueDepth) -> str:
    """ "12 jobs wait, 4 run, 3.0 jobs/s end, 0 dead"."""
    waiting = max(depth.jobs - depth.running, 0)
    said = f"{waiting:,} wait, {depth.running:,} run, {depth.ended_per_s:.1f} end per second"
    return said + (as_typed(f", {depth.dead:,} are dead (python -m jobs dead)") if depth.dead else "")


def _run(
    client: redis.Redis,
    queue: QueueSettings,
    names: Sequence[str],
    before: Sequence[bytes | None],
    ready: Callable[[], None],
    news: Callable[[str], None] | None,
    ended: threading.Event,
) -> None:
    while not _are_ready(client, queue, names, before):
        if ended.wait(LOOK_S):
            return
    ready()
    results, said = Results(client, queue), ""
    while news is not None and not ended.wait(NEWS_S):
        try:
            now = f"Jobs: {words_of(results.depth())}."
        except QueueUnavailable as error:
            now = error.message
        if now != said:
            news(now)
        said = now


def _are_ready(
    client: redis.Redis, queue: QueueSettings, names: Sequence[str], before: Sequence[bytes | None]
) -> bool:
    try:
        now = holders(client, queue, names)
    except QueueUnavailable:
        return False
    return all(holder and holder != other for holder, other in zip(now, before, strict=True))
