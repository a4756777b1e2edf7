"""Stand-ins for what reads entries and what answers them, where a test is about neither."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

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


class Labels:
    """Answers every image with `result`; keeps the images."""

    def __init__(self, result: dict | None = None, stages_ms: dict[str, float] | None = None) -> None:
        top = [{"label": "tabby", "score": 0.7}, {"label": "tiger cat", "score": 0.2}]
        self.result = {"top": top, "model": "lite", "model_version": 3} if result is None else result
        self.stages_ms = stages_ms or {}
        self.images: list[bytes] = []

    def answer(self, requests: Sequence[Request]) -> list[Outcome]:
        self.images += [request.image or b"" for request in requests]
        return [Answered(self.result, stages_ms=self.stages_ms)] * len(requests)


class Refusing:
    """Refuses every image."""

    def __init__(self, code: str = "image_refused", reason: str = "The photo is damaged.") -> None:
        self._refused = Refused(code, reason)

    def answer(self, requests: Sequence[Request]) -> list[Outcome]:
        return [self._refused] * len(requests)


@contextmanager
def running_worker(
    client: redis.Redis,
    queue: QueueSettings,
    answerer: Answerer,
    reader: Reader | None = None,
    about: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Iterator[Worker]:
    """A worker in a thread, stopped at the end."""
    chosen = WorkerSettings(**{"name": "w-0", "wait_s": 0.05, **settings})
    worker = Worker(client, queue, chosen, reader or entry_reader(queue), answerer, about=about)
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
    return Claimed("1730000000000-0", {"uri": b"cat", **fields}, 1, 1730000000001000)
