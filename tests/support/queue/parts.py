"""Stand-ins for what reads entries and what answers them, where a test is about neither."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import redis

from experiment.queue.records import QueueSettings
from jobs.records import Answered, Answerer, Claimed, Outcome, Reader, Refused, Request
from jobs.wire.reader import entry_reader
from jobs.worker.worker import Worker, WorkerSettings


class PlainReader:
    """Reads the field `text` as the image."""

    def read(self, entry: Claimed, photo: bytes | None) -> Request | Refused:
        return Request(image=photo or entry.fields.get("text", b""))

    def encode(self, entry: Claimed, answered: Answered) -> bytes | None:
        return b"old form" if entry.is_old else None


class Echo:
    """Answers with the image itself; keeps how many requests came in each batch."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def answer(self, requests: Sequence[Request]) -> list[Outcome]:
        self.batches.append(len(requests))
        return [Answered({"echo": (request.image or b"").decode()}) for request in requests]


class Measure:
    """Answers a photo with the number of its bytes."""

    def answer(self, requests: Sequence[Request]) -> list[Outcome]:
        return [Answered({"size_bytes": len(request.image or b"")}) for request in requests]


class Holding:
    """Answers like another one, but not before it may."""

    def __init__(self, answerer: Answerer):
        self._answerer = answerer
        self.may = threading.Event()

    def answer(self, requests: Sequence[Request]) -> list[Outcome]:
        self.may.wait(60)
        return self._answerer.answer(requests)


class Refusing:
    """Refuses every photo."""

    def answer(self, requests: Sequence[Request]) -> list[Outcome]:
        return [Refused("image_refused", "The photo is damaged.")] * len(requests)


@contextmanager
def running_worker(
    client: redis.Redis, queue: QueueSettings, answerer: Answerer, reader: Reader | None = None
) -> Iterator[Worker]:
    """A worker in a thread, stopped at the end."""
    settings = WorkerSettings("w-0", wait_s=0.05)
    worker = Worker(client, queue, settings, reader or entry_reader(queue), answerer)
    stop, ready = threading.Event(), threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop, ready.set))
    thread.start()
    try:
        assert ready.wait(20)
        yield worker
    finally:
        stop.set()
        thread.join()


def claimed(**fields: bytes) -> Claimed:
    """An entry as a worker claims it."""
    return Claimed("1730000000000-0", {"uri": b"cat", **fields}, 1, 1730000000001)
