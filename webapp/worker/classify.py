"""One photo, prepared and sent once: no run, nothing is measured or stored."""

from __future__ import annotations

from collections.abc import Sequence

from experiment.backends.connect import connected
from experiment.images.read import read_image
from experiment.measure.one_answer import ask, prepare
from webapp.worker.large_photos import are_large, await_turn
from webapp.worker.pipe import Answered, ClassifyJob, LargePhotoDone, Parent, Task


def run_classify(parent: Parent, task: Task[ClassifyJob], parts: Sequence[bytes]) -> None:
    """Decode, prepare, send, answer. Raises PixelcostError, also if the backend gives no answer."""
    job, (info,) = task.job, task.backends
    if are_large(parts, job.name, task.limits):
        await_turn(parent)
    source = read_image(parts[0], job.name, task.limits)
    sent = prepare(source, job.preparation)
    if source.pixels is not None:
        source.pixels.close()
    parent.send(LargePhotoDone())
    with connected([info]) as (backend,):
        answer = ask(source, sent, job.preparation, backend, task.plan.timeout_s)
        parent.send(Answered(answer))  # before the connection is closed, which takes gRPC 0.2 s
