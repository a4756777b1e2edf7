"""A worker as engines run it: from a name and settings to a loop that ends at SIGTERM."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from experiment.queue.connection import connection
from experiment.queue.records import QueueSettings
from experiment.records import BackendInfo
from jobs.infer.answerer import model_answerer
from jobs.records import Answerer, Reader
from jobs.wire.reader import entry_reader
from jobs.worker.worker import DEFAULT_BATCH, Worker, WorkerSettings


def of_the_model(job: WorkerJob) -> tuple[Reader, Answerer]:
    """What reads entries of all clients, and what asks the model server."""
    answerer = model_answerer(job.backend, job.timeout_s, job.top_n, job.image_size_px, job.already_batched)
    return entry_reader(job.queue), answerer


@dataclass(frozen=True, slots=True)
class WorkerJob:
    """What a worker is to do. It travels to where the worker runs, so all of it can be pickled."""

    queue: QueueSettings
    backend: BackendInfo
    batch_size: int = DEFAULT_BATCH  # most jobs in one request to the model
    top_n: int | None = None  # classes in a result for Cluster Serving's clients; None: the scores of all
    image_size_px: tuple[int, int] | None = None  # height, width that photos get; None: they stay
    already_batched: bool = False  # arrays have their batch dimension
    timeout_s: float = 60.0  # of one request to the model
    reserved: Mapping[str, str] = field(default_factory=dict)  # name -> token that keeps it for its worker
    parts: Callable[[WorkerJob], tuple[Reader, Answerer]] = of_the_model  # tests have others


def run_worker(name: str, job: WorkerJob, stop: threading.Event | None = None) -> None:
    """Work until SIGTERM, or until `stop` is set; jobs under way are finished.

    Where this is not the main thread no signal can be caught, so there `stop` is the only way. Raises
    NameTaken, which a restart would not mend.
    """
    stop = stop or threading.Event()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
    reader, answerer = job.parts(job)
    settings = WorkerSettings(name, batch_size=job.batch_size, reserved=job.reserved.get(name, ""))
    about = {"model": job.backend.model, "server": job.backend.address}
    Worker(connection(job.queue.url), job.queue, settings, reader, answerer, about=about).run(stop)
