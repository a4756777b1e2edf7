"""From the results of jobs to predictions: each is a text with JSON, whose `value` is a text with JSON again.

So http_json_to_ndarray() of the published clients reads it: data and shape of an array.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from experiment.queue.records import Job
from jobs.wire.arrow import read_result


def prediction(job: Job) -> str:
    """The prediction of a job that has ended. A failed one's value is "NaN", with the reason beside it."""
    if job.state == "failed":
        return json.dumps({"value": "NaN", "code": job.code, "reason": job.reason})
    return json.dumps({"value": json.dumps(_array_of(job))})


def _array_of(job: Job) -> dict[str, Any]:
    if job.value:
        read = read_result(base64.b64decode(job.value))
        first = read[0] if isinstance(read, list) else read
        return {"data": first.ravel().tolist(), "shape": list(first.shape)}
    result = job.result or {}
    if "top" in result:  # the model does not return the scores of all classes: labels, then
        pairs = [[each["label"], each["score"]] for each in result["top"]]
        return {"data": [part for pair in pairs for part in pair], "shape": [len(pairs), 2]}
    return {"data": [], "shape": [0], "result": result}
