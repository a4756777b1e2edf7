"""Stand-ins for what reads entries and what answers them, where a test is about neither."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from experiment.queue.connection import connection
from experiment.queue.records import QueueSettings
from jobs.records import Answered, Answerer, Claimed, Outcome, Refused, Request
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

    def __init__(self, code: str, reason: str) -> None:
        self._refused = Refused(code, reason)

    def answer(self, requests: Sequence[Request]) -> list[Outcome]:
        return [self._refused] * len(requests)


@contextmanager
def working(
    queue: QueueSettings,
    answerer: Answerer,
    name: str = "w-0",
    about: dict | None = None,
    batch_size: int = 4,
    wait_s: float = 0.05,
) -> Iterator[Worker]:
    """A worker in a thread of its own, ready for jobs."""
    stop, is_ready = threading.Event(), threading.Event()
    settings = WorkerSettings(name, batch_size=batch_size, wait_s=wait_s)
    made = Worker(connection(queue.url), queue, settings, PlainReader(), answerer, about=about)
    thread = threading.Thread(target=made.run, args=(stop, is_ready.set), daemon=True)
    thread.start()
    try:
        assert is_ready.wait(20), "the worker does not come up"
        yield made
    finally:
        stop.set()
        thread.join(20)
