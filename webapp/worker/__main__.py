"""The timing process: one run, from the photo to the last measurement; or one photo, classified.

The web process starts it and talks to it over standard input and output (pipe.py). It is a process of its own
so that a hostile file can at worst end this one, and so that serving pages does not disturb the timing.
"""

from __future__ import annotations

import ctypes
import io
import resource
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Final

from common import traces
from experiment.codec import to_dict
from experiment.errors import PixelcostError
from experiment.images.read import read_image
from experiment.measure.environment import environment
from experiment.measure.schedule import planned_requests
from experiment.records import Plan, Variant
from webapp.worker.browser import Received, receive
from webapp.worker.large_photos import PATIENCE_S, are_large, await_turn
from webapp.worker.pictures import send_picture
from webapp.worker.pipe import (
    Accepted,
    BrowserVariantsJob,
    ClassifyJob,
    FollowUpJob,
    Job,
    JobKind,
    LargePhotoDone,
    Parent,
    PhotoJob,
    PhotoSetJob,
    Preparing,
    Refusal,
    Result,
    Task,
    measure_on,
    task_in,
)

PR_SET_NO_NEW_PRIVS = 38  # of <linux/prctl.h>
# Far more than a photo within the limits needs; a decoder that runs wild gets MemoryError.
ADDRESS_SPACE_BYTES = 4 * 1024**3


def main() -> None:
    """Serve one job."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)  # no program that it starts gains rights
    import_module("experiment.backends.grpc")  # the first request would wait for it; a spare has the time
    # Unbuffered: a daemon thread in a buffered read would block the interpreter's exit.
    pipe = io.FileIO(sys.stdin.fileno(), closefd=False)
    line = pipe.readline()
    if not line:
        return  # it was a spare, and is not needed
    task = task_in(line)
    traces.follow(task.traceparent)
    parts = [_read(pipe, size_bytes) for size_bytes in task.job.part_sizes_bytes]
    parent = Parent(pipe, sys.stdout.buffer)
    parent.listen()
    try:
        HANDLERS[task.job.kind](parent, task, parts)
    except PixelcostError as error:
        parent.send(Refusal(error.code, error.message, error.http_status))


def _read(pipe: io.FileIO, size_bytes: int) -> bytes:
    data = bytearray()
    while len(data) < size_bytes and (part := pipe.read(size_bytes - len(data))):
        data += part
    return bytes(data)


def run_photo(parent: Parent, task: Task[PhotoJob], parts: Sequence[bytes]) -> None:
    """Measure variants of one photo. Raises ImageRefused."""
    job = task.job
    run(parent, task, parts, lambda: Received(read_image(parts[0], job.name, task.limits, job.true_label)))


def run_browser_variants(parent: Parent, task: Task[BrowserVariantsJob], parts: Sequence[bytes]) -> None:
    """Measure variants that a browser made, and ours if it sent the photo too.

    Raises VariantsRefused or ImageRefused.
    """
    run(parent, task, parts, lambda: receive(task.job, parts[0], parts[1:], task.limits))


def run_photo_set(parent: Parent, task: Task[PhotoSetJob], _: Sequence[bytes]) -> None:
    """Measure the photos of a set. Raises PixelcostError."""
    from webapp.worker.photo_set import run_set  # noqa: PLC0415  only sets need it

    run_set(parent, task)


def run_follow_up(parent: Parent, task: Task[FollowUpJob], parts: Sequence[bytes]) -> None:
    """Measure what another run sent again. Raises ImageRefused."""
    from webapp.worker.follow_up import run_follow_up  # noqa: PLC0415  only follow-ups need it

    run_follow_up(parent, task, parts)


def run_classify(parent: Parent, task: Task[ClassifyJob], parts: Sequence[bytes]) -> None:
    """Answer, instead of measuring. Raises PixelcostError."""
    from webapp.worker.classify import run_classify  # noqa: PLC0415  no run needs it

    run_classify(parent, task, parts)


HANDLERS: Final[Mapping[JobKind, Callable[[Parent, Task[Any], Sequence[bytes]], None]]] = {
    "photo": run_photo,
    "photo_set": run_photo_set,
    "browser_variants": run_browser_variants,
    "follow_up": run_follow_up,
    "classify": run_classify,
}


def run(parent: Parent, task: Task[Job], parts: Sequence[bytes], read: Callable[[], Received]) -> None:
    """Read the photo, announce the run, wait for "go", make the variants, measure, say how it ended.

    The pixels of a large photo are freed while the run waits, and when all variants are made.
    """
    plan, is_large = task.plan, are_large(parts, task.job.name, task.limits)
    if is_large:
        await_turn(parent)
    received = read()
    planned = planned_requests(plan, received.planned_variants(plan), task.asked)
    parent.send(Accepted(to_dict(received.source), received.skipped_sizes_px(plan), planned))
    has_pixels = not is_large or parent.go.wait(PATIENCE_S)
    if not has_pixels:
        received.let_go()
    parent.go.wait()
    facts = environment() | dict(received.facts)
    variants = []
    if not parent.cancel.is_set():
        if is_large:
            await_turn(parent)
            received = received if has_pixels else received.with_pixels_of(read())
        variants = _make(parent, received, plan)
        received.let_go()
        if is_large:
            parent.send(LargePhotoDone())
    heartbeat = measure_on(parent, plan, variants, task.asked)
    parent.end(facts | heartbeat.facts())


def _make(parent: Parent, received: Received, plan: Plan) -> list[Variant]:
    count = received.planned_variants(plan)
    made = 0

    def announce(variant: Variant) -> None:
        nonlocal made
        made += 1
        send_picture(parent, variant.id, variant.data)
        parent.send(Result("variant", to_dict(variant)), variant.data)
        parent.send(Preparing(f"Making {count} variants ({made} done)"))

    return received.variants(plan, announce)


if __name__ == "__main__":
    main()
