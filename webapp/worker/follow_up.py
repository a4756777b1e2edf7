"""A follow-up in the timing process. It gets the variants as they were sent; only a search makes new ones."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from experiment.backends.connect import connected
from experiment.codec import to_dict
from experiment.errors import ImageRefused
from experiment.images.header import Limits
from experiment.images.read import read_image
from experiment.images.reference import MAX_REFERENCE_BYTES
from experiment.measure.breaking_search import find_breaking_points, most_requests
from experiment.measure.environment import environment
from experiment.measure.schedule import planned_requests
from experiment.records import SearchStep, Variant
from webapp.worker.large_photos import are_large, await_turn
from webapp.worker.pictures import send_picture
from webapp.worker.pipe import Accepted, FollowUpJob, Parent, Result, Task, measure_on

HEADROOM = 2  # times the limits of an upload: a stored reference may be a PNG, and a little larger


def run_follow_up(parent: Parent, task: Task[FollowUpJob], parts: Sequence[bytes]) -> None:
    """Announce, wait for "go", measure or search, say how it ended. Raises ImageRefused for damaged bytes."""
    variants = [_with_data(variant, data) for variant, data in zip(task.job.variants, parts, strict=True)]
    if task.job.what == "search":
        _search(parent, task, variants[0])
        return
    if task.job.what == "load":
        from webapp.worker.load import put_under_load  # noqa: PLC0415  only this needs it

        _accept(parent, 0)  # how many depends on how fast the backends are
        put_under_load(parent, task, variants)
        return
    _accept(parent, planned_requests(task.plan, len(variants), task.backends))
    facts = environment()
    heartbeat = measure_on(parent, task.plan, variants, task.backends)
    parent.end(facts | heartbeat.facts())


def _with_data(variant: Variant, data: bytes) -> Variant:
    if hashlib.sha256(data).hexdigest() != variant.sha256:
        raise ImageRefused(f"The stored bytes of {variant.id} are damaged. Start a new run.", "damaged", 422)
    return replace(variant, data=data)


def _search(parent: Parent, task: Task[FollowUpJob], reference: Variant) -> None:
    job = task.job
    limits = Limits(max_bytes=MAX_REFERENCE_BYTES * HEADROOM, max_pixels=task.max_pixels * HEADROOM)
    if are_large([reference.data], job.name, limits):
        await_turn(parent)
    # The reference holds the very pixels that the run's copies were made of.
    source = read_image(reference.data, job.name, limits, job.true_label)
    _accept(parent, most_requests(max(source.width_px, source.height_px)) * len(task.backends))
    facts = environment()

    shown: set[str] = set()  # every backend is sent the same copies

    def on_step(backend_name: str, step: SearchStep, copy: Variant) -> None:
        if step.picture_key not in shown:
            shown.add(step.picture_key)
            send_picture(parent, step.picture_key, copy.data)
        parent.send(Result("step", {"backend_name": backend_name, "step": to_dict(step)}))

    with connected(task.backends) as backends:
        for point in find_breaking_points(source, reference, task.plan, backends, parent.cancel, on_step):
            parent.send(Result("finding", to_dict(point)))
    parent.end(facts)


def _accept(parent: Parent, requests_planned: int) -> None:
    parent.send(Accepted(source={}, skipped_sizes_px=(), requests_planned=requests_planned))
    parent.go.wait()
