"""A follow-up in the timing process: the bytes come as they were sent, nothing is made anew but for a search.

in:   worker.py's job with "more": {"kind": "repeats", "retry" or "search", "variants": […]}, then their bytes
out:  accepted | refused, then measurement…, or step… and finding… of a search, end
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any

from experiment.backends.connect import connect
from experiment.codec import from_dict, to_dict
from experiment.errors import ImageRefused, PixelcostError
from experiment.images.header import Limits
from experiment.images.read import read_image
from experiment.images.reference import MAX_REFERENCE_BYTES
from experiment.measure.breaking_search import find_breaking_points, most_requests
from experiment.measure.environment import environment
from experiment.measure.schedule import planned_requests
from experiment.records import BackendInfo, Plan, SourceImage, Variant
from webapp.worker.large_photos import are_large, await_turn
from webapp.worker.pipe import Commands, Events, measure_on

HEADROOM = 2  # a stored reference may be a PNG with a few more pixels than the upload's header said


def run_more(
    events: Events,
    commands: Commands,
    job: Mapping[str, Any],
    data: bytes,
    plan: Plan,
    backends: Sequence[BackendInfo],
) -> None:
    """Announce, wait for "go", measure or search, say how it ended."""
    try:
        variants = _variants(job["more"]["variants"], data)
        if job["more"]["kind"] == "search":
            if are_large([variants[0].data], job["name"], _roomy(job)):
                await_turn(events, commands)
            _search(events, commands, plan, variants[0], job, backends)
        else:
            _repeat(events, commands, plan, variants, backends)
    except PixelcostError as refusal:
        events.send("refused", code=refusal.code, message=refusal.message, http_status=refusal.http_status)


def _variants(told: Sequence[Mapping[str, Any]], data: bytes) -> list[Variant]:
    """Each with its bytes, which must be those that were sent."""
    variants, start = [], 0
    for each in told:
        variant = from_dict(Variant, each)
        content = data[start : start + variant.size_bytes]
        start += variant.size_bytes
        if hashlib.sha256(content).hexdigest() != variant.sha256:
            raise ImageRefused(
                f"The stored bytes of {variant.id} are damaged. Start a new run.", "damaged", 422
            )
        variants.append(replace(variant, data=content))
    return variants


def _repeat(
    events: Events, commands: Commands, plan: Plan, variants: list[Variant], infos: Sequence[BackendInfo]
) -> None:
    _accept(events, commands, planned_requests(plan, len(variants), infos))
    facts = environment()
    heartbeat = measure_on(events, commands, plan, variants, list(infos))
    _end(events, commands, facts | heartbeat.facts())


def _search(
    events: Events,
    commands: Commands,
    plan: Plan,
    reference: Variant,
    job: Mapping[str, Any],
    infos: Sequence[BackendInfo],
) -> None:
    source = _source(reference, job)
    _accept(events, commands, most_requests(max(source.width_px, source.height_px)) * len(infos))
    facts = environment()
    with ExitStack() as stack:
        backends = [stack.enter_context(closing(connect(info))) for info in infos]
        points = find_breaking_points(
            source,
            reference,
            plan,
            backends,
            commands.cancel,
            lambda name, step: events.send("step", backend_name=name, step=to_dict(step)),
        )
        for point in points:
            events.send("finding", finding=to_dict(point))
    _end(events, commands, facts)


def _source(reference: Variant, job: Mapping[str, Any]) -> SourceImage:
    """The reference holds the very pixels that the run's copies were made of."""
    return read_image(reference.data, job["name"], _roomy(job), job["true_label"])


def _roomy(job: Mapping[str, Any]) -> Limits:
    max_pixels = Limits(**job["limits"]).max_pixels
    return Limits(max_bytes=MAX_REFERENCE_BYTES * HEADROOM, max_pixels=max_pixels * HEADROOM)


def _accept(events: Events, commands: Commands, requests_planned: int) -> None:
    events.send("accepted", source={}, skipped_sizes_px=[], requests_planned=requests_planned)
    commands.go.wait()


def _end(events: Events, commands: Commands, facts: Mapping[str, Any]) -> None:
    state = "cancelled" if commands.cancel.is_set() else "done"
    events.send("end", state=state, environment=facts, failure=None)
