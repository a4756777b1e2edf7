"""From the results of jobs to predictions: each is a text with JSON, whose `value` is a text with JSON again.

So http_json_to_ndarray() of the published clients reads it: data and shape of an array.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pyarrow as pa

from experiment.queue.records import Job


def prediction(job: Job) -> str:
    """The prediction of a job that has ended. A failed one's value is "NaN", with the reason beside it."""
    if job.state == "failed":
        return json.dumps({"value": "NaN", "code": job.code, "reason": job.reason})
    return json.dumps({"value": json.dumps(_array_of(job))})


def _array_of(job: Job) -> dict[str, Any]:
    if job.value:
        data, shape = _read(base64.b64decode(job.value))
        return {"data": data, "shape": shape}
    result = job.result or {}
    if "top" in result:  # the model does not return the scores of all classes: labels, then
        pairs = [[each["label"], each["score"]] for each in result["top"]]
        return {"data": [part for pair in pairs for part in pair], "shape": [len(pairs), 2]}
    return {"data": [], "shape": [0], "result": result}


def _read(stream: bytes) -> tuple[list[Any], list[int]]:
    """The first array of a result as workers write it (jobs/wire/arrow.py): its values and its shape."""
    batch = next(iter(pa.ipc.open_stream(pa.py_buffer(stream))))
    values, shape = batch.column(0), batch.column(1)
    sides = [side for side in shape.to_pylist() if side is not None]
    return np.asarray(values).tolist(), sides
