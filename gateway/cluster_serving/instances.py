"""From the instances of a request to jobs: a photo, or arrays and texts by the names of inputs."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from experiment.images.header import Limits, read_header
from experiment.queue.records import NewJob
from httpserver.problems import Refused
from jobs.records import ALONE_FIELD, REPLY_FIELD
from jobs.wire.arrow import Value, dense, write_inputs
from jobs.wire.reader import ARRAY, INPUTS_FIELD, image_in

MOST: Final = 512  # in one request
SPARSE: Final = {"shape", "data", "indices"}
EXAMPLE: Final = 'Send {"instances": [{"image": "<the file in base64>"}]}, or numbers by the names of inputs.'
_REPLY: Final[Mapping[str, bytes | str]] = {REPLY_FIELD: ARRAY, ALONE_FIELD: "1"}


def new_jobs(document: Any, limits: Limits) -> list[NewJob]:
    """A job for each instance. Raises Refused or ImageRefused."""
    instances = document.get("instances") if isinstance(document, Mapping) else None
    if not isinstance(instances, list) or not instances:
        raise _bad(f"There is no list `instances`. {EXAMPLE}")
    if len(instances) > MOST:
        raise _bad(f"It has {len(instances)} instances; the limit is {MOST}. Send several requests.")
    return [_job(instance, number, limits) for number, instance in enumerate(instances, start=1)]


def _job(instance: Any, number: int, limits: Limits) -> NewJob:
    if not isinstance(instance, Mapping) or not instance:
        raise _bad(f"Instance {number} has no inputs by name. {EXAMPLE}")
    try:
        inputs = {name: _value(name, value) for name, value in instance.items()}
    except ValueError as why:
        raise _bad(f"Instance {number}: {str(why).rstrip('.')}.") from None
    job_id = uuid.uuid4().hex
    images = [value for value in inputs.values() if isinstance(value, bytes)]
    for image in images:
        read_header(image, f"instance {number}", limits)
    if images and len(inputs) == 1:
        return NewJob(job_id, images[0], _REPLY)
    return NewJob(job_id, None, {INPUTS_FIELD: write_inputs(inputs), **_REPLY})


def _value(name: str, value: Any) -> Value:
    """An image of its base64, a text, or an array. Raises ValueError with a clause or sentence."""
    if isinstance(value, str):
        return image_in(value) or value
    if isinstance(value, Mapping):
        return _dense(name, value)
    if isinstance(value, list) and value and _all_text(value):
        return np.array(value, object)
    try:
        array = np.array(value)
    except (ValueError, OverflowError):
        raise ValueError("a list has rows of different lengths") from None
    if array.dtype.kind not in "iufb" or not array.size:
        raise ValueError("an input is a number, a text, or a list of numbers or of texts")
    return array


def _all_text(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(map(_all_text, value)))


def _dense(name: str, sparse: Mapping[str, Any]) -> np.ndarray:
    """A sparse tensor as an array. Raises ValueError."""
    if set(sparse) != SPARSE:
        raise ValueError(f"a sparse tensor has {', '.join(sorted(SPARSE))}")
    shape, data, places = (np.array(sparse[name]) for name in ("shape", "data", "indices"))
    if not _are_whole(shape) or shape.ndim != 1 or (shape < 1).any():
        raise ValueError("the shape of a sparse tensor is a list of whole numbers")
    if data.dtype.kind not in "iuf" or data.ndim != 1 or not _are_whole(places):
        raise ValueError("a sparse tensor has numbers at whole places")
    if places.shape != (len(data), len(shape)):
        raise ValueError("a sparse tensor has a place within its shape for each number")
    # A row for each dimension, as clients of the queue send it.
    parts = {"data": data, "indiceData": places.T.ravel(), "indiceShape": np.array(places.T.shape)}
    return dense(name, parts, shape.tolist())


def _are_whole(array: np.ndarray) -> bool:
    return array.dtype.kind in "iu"


def _bad(why: str) -> Refused:
    return Refused("bad_instances", why, 400)
