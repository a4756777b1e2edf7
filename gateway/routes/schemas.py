"""The JSON Schemas of answers, and answers that several routes share."""

from __future__ import annotations

from typing import Any, Final

from gateway.table import Answer, Parameter, Schema

LINE: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": 200}
BINARY: Final[Schema] = {"type": "string", "format": "binary"}
IMAGE_TYPES: Final = (
    *("image/jpeg", "image/png", "image/gif", "image/bmp", "image/webp", "image/avif", "image/heic"),
)


def nullable(kind: str, description: str = "") -> dict[str, Any]:
    """A value that is unknown at times."""
    return {"type": [kind, "null"], **({"description": description} if description else {})}


def record(**members: Any) -> dict[str, Any]:
    """An object with exactly these members."""
    return {
        "type": "object",
        "required": list(members),
        "additionalProperties": False,
        "properties": members,
    }


PROBLEM: Final[Schema] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "description": "Stable, made from the code."},
        "title": {"type": "string", "description": "What happened."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "Why, and what to do."},
        "code": {"type": "string"},
    },
}
JOB: Final = record(
    id={"type": "string"},
    location={"type": "string", "description": "Address of the job."},
    state={"enum": ["queued", "running", "done", "failed"]},
    submitted_ms=nullable("integer", "ms since the epoch, as all times of day."),
    started_ms=nullable("integer"),
    ended_ms=nullable("integer"),
    tries=nullable("integer", "Deliveries to a worker."),
    worker=nullable("string"),
    stages_ms=nullable("object", "queue_wait, batch_wait, service; and what the model server did within it."),
    batch=nullable("integer", "Jobs in the same request to the model."),
    result=nullable("object", "`top` with labels and scores, or `outputs`; `model` and `model_version`."),
    code=nullable("string", "Of the failure."),
    reason=nullable("string", "Of the failure: a sentence."),
)
OUTCOME: Final[Schema] = {
    "type": "object",
    "required": ["status"],
    "properties": {
        "status": {"type": "integer", "description": "As of a request with this photo alone."},
        "job": {"$ref": "#/components/schemas/Job"},
        "problem": {"$ref": "#/components/schemas/Problem"},
        "retry_after_s": {"type": "integer"},
    },
}
DEPTH: Final = record(
    jobs={"type": "integer", "description": "That wait or run."},
    running={"type": "integer", "description": "Of them, claimed by a worker."},
    most_jobs={"type": "integer", "description": "One more is refused."},
    used_memory_bytes={"type": "integer"},
    most_memory_bytes=nullable("integer", "null: Redis has no limit."),
    ended_per_s={"type": "number", "description": "Over the last ten seconds."},
    oldest_s=nullable("number", "Age of the oldest job."),
    dead={"type": "integer", "description": "Jobs that were given up."},
)
CLASSIFIED: Final[Schema] = {
    "type": "object",
    "required": ["top", "backend", "model", "model_version", "sent", "photo", "stages_ms"],
    "properties": {
        "top": {"type": "array", "items": record(label={"type": "string"}, score={"type": "number"})},
        "backend": {"type": "string"},
        "model": {"type": "string"},
        "model_version": nullable("integer"),
        "sent": {"type": "object"},
        "photo": {"type": "object"},
        "stages_ms": {"type": "object"},
    },
}
SCHEMAS: Final = {
    "Problem": PROBLEM,
    "Job": JOB,
    "Outcome": OUTCOME,
    "Depth": DEPTH,
    "Classified": CLASSIFIED,
}


def ref(name: str) -> Schema:
    """One of SCHEMAS."""
    return {"$ref": f"#/components/schemas/{name}"}


PHOTO_BODY: Final[dict[str, Schema]] = {
    "multipart/form-data": {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "array", "items": BINARY, "minItems": 1}},
    },
    **dict.fromkeys((*IMAGE_TYPES, "application/octet-stream"), BINARY),
}
JOB_ANSWER: Final = Answer("The job.", ref("Job"))
WAIT: Final = Parameter(
    "wait",
    "Seconds to wait for the end; at most PIXELCOST_GATEWAY_MAX_WAIT counts.",
    {"type": "number", "minimum": 0},
)
