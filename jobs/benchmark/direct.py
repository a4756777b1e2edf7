"""The same photos asked of the model server without a queue, by as many callers as there are workers."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from experiment.errors import PixelcostError
from experiment.records import BackendInfo
from jobs.benchmark.queued import marked
from jobs.infer.answerer import model_answerer
from jobs.records import Answered, ModelUnavailable, Request


@dataclass(frozen=True, slots=True)
class Direct:
    """What came of it."""

    done: int
    failed: int
    took_s: float

    @property
    def images_per_s(self) -> float:
        """Valid results only."""
        return self.done / self.took_s


def direct_calls(
    info: BackendInfo,
    photo: bytes,
    count: int,
    callers: int,
    batch: int,
    timeout_s: float,
    cancel: threading.Event,
) -> Direct:
    """Ask `count` photos in batches, as workers do. Raises PixelcostError if the server does not answer."""
    shares = [range(first, count, callers) for first in range(callers)]
    started_s = time.perf_counter()
    with ThreadPoolExecutor(callers) as pool:
        done = sum(pool.map(lambda share: _ask(info, photo, share, batch, timeout_s, cancel), shares))
    return Direct(done, count - done, time.perf_counter() - started_s)


def _ask(
    info: BackendInfo,
    photo: bytes,
    numbers: Sequence[int],
    batch: int,
    timeout_s: float,
    cancel: threading.Event,
) -> int:
    """How many were answered."""
    answerer, done = model_answerer(info, timeout_s), 0
    for first in range(0, len(numbers), batch):
        if cancel.is_set():
            break
        requests = [Request(marked(photo, number)) for number in numbers[first : first + batch]]
        try:
            done += sum(isinstance(outcome, Answered) for outcome in answerer.answer(requests))
        except ModelUnavailable as why:
            raise PixelcostError(str(why)) from None
    return done
