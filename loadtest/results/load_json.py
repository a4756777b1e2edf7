"""A load as JSON, and back. The only place that knows the keys of load.json and how its numbers are rounded.

Keys are stable within schema version 1: they may be added to, never changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from experiment.codec import from_dict, to_dict
from experiment.export.schema_check import problems
from experiment.records import BackendInfo
from loadtest.errors import LoadRefused
from loadtest.records import SCHEMA_VERSION, Generator, Load, Payload, Sample, Summary, Taken
from loadtest.results.over_time import over_time
from loadtest.results.summary import SAMPLE_DIGITS_MS

SCHEMA: dict[str, Any] = json.loads(Path(__file__).with_name("schema.json").read_text("utf-8"))

TIME_DIGITS_S = 6
FIGURE_DIGITS = 6  # what is interpolated between two samples gets more digits than they have
MOST_PROBLEMS = 3  # named in one sentence
_WHICH = "Choose the load.json in the folder of a load test."
_ASKED = ("kind", "arrivals", "offered_per_s", "planned_s", "in_flight", "seed", "timeout_s", "environment")


def load_dict(load: Load, summary: Summary, **extra: Any) -> dict[str, Any]:
    """The load as JSON values, valid against SCHEMA. `extra` are further keys, as a search's "trials".

    Unknown is None. Raises TypeError for an extra key that load.json has already.
    """
    taken = load.taken
    made = {
        "schema_version": SCHEMA_VERSION,
        "kind": load.kind,
        "started_at": datetime.fromtimestamp(taken.started_at, UTC).isoformat(timespec="milliseconds"),
        "target": to_dict(load.target),
        "payload": _payload(load.payload),
        "arrivals": load.arrivals,
        "offered_per_s": load.offered_per_s,
        "planned_s": load.planned_s,
        "in_flight": load.in_flight,
        "seed": load.seed,
        "timeout_s": load.timeout_s,
        "seconds": taken.seconds,
        "stopped": taken.stopped,
        "summary": summary_dict(summary),
        "generator": generator_dict(taken.generator),
        "validity": summary.validity,
        "reasons": list(summary.reasons),
        "messages": dict(taken.messages),
        "environment": dict(load.environment),
        "over_time": [_rounded(to_dict(second)) for second in over_time(taken.samples)],
        "requests": [_request(sample) for sample in taken.samples],
    }
    if taken_twice := made.keys() & extra.keys():
        raise TypeError(f"load.json has these keys already: {', '.join(sorted(taken_twice))}")
    return made | extra


def summary_dict(summary: Summary) -> dict[str, Any]:
    """The figures alone, without the verdict."""
    figures = _rounded(to_dict(summary))
    return {key: value for key, value in figures.items() if key not in {"validity", "reasons"}}


def generator_dict(generator: Generator) -> dict[str, Any]:
    """How well the load was generated."""
    return _rounded(to_dict(generator))


def load_json(load: Mapping[str, Any]) -> str:
    """The JSON as text: one line for each key, and one for each request."""
    lines = [f'"{key}": {_lines(value)}' for key, value in load.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def read_load(path: str | Path) -> dict[str, Any]:
    """The values of a load.json, checked. `path` is the file or its folder. Raises LoadRefused."""
    file = Path(path) / "load.json" if Path(path).is_dir() else Path(path)
    try:
        found = json.loads(file.read_bytes())
    except OSError as error:
        raise LoadRefused(f"{file} can't be read: {error.strerror}.") from None
    except (ValueError, RecursionError):
        raise LoadRefused(
            f"{file} is not JSON, or it ends too early. Choose the load.json of a run."
        ) from None
    if not isinstance(found, dict) or "schema_version" not in found or "requests" not in found:
        raise LoadRefused(f"{file} is JSON, but not that of a load test. {_WHICH}")
    if wrong := list(islice(problems(found, SCHEMA), MOST_PROBLEMS)):
        raise LoadRefused(f"{file} is damaged or was changed: {'; '.join(wrong)}.")
    return found


def load_of(data: Mapping[str, Any]) -> Load:
    """The load that load_dict() wrote, without its bodies; summarise() gives the same figures again."""
    payload, generator = data["payload"], from_dict(Generator, data["generator"])
    taken = Taken(
        samples=[_sample(request) for request in data["requests"]],
        started_at=datetime.fromisoformat(data["started_at"]).timestamp(),
        seconds=data["seconds"],
        generator=generator,
        stopped=data["stopped"],
        messages=data["messages"],
    )
    return Load(
        target=from_dict(BackendInfo, data["target"]),
        payload=Payload(
            payload["kind"],
            (),
            tuple(payload["names"]),
            payload["batch"],
            tuple(map(tuple, payload["expected"])),
            tuple(payload["sizes_bytes"]),
        ),
        taken=taken,
        **{key: data[key] for key in _ASKED},
    )


def _payload(payload: Payload) -> dict[str, Any]:
    return {
        "kind": payload.kind,
        "bytes": payload.median_bytes,
        "batch": payload.batch,
        "distinct": len(payload.sizes_bytes),
        "names": list(payload.names),
        "sizes_bytes": list(payload.sizes_bytes),
        "expected": [list(labels) for labels in payload.expected],
    }


def _request(sample: Sample) -> dict[str, Any]:
    """Keys with their usual value, or unknown, are left out: a load may have a million requests."""
    made: dict[str, Any] = {
        "due_s": round(sample.due_s, TIME_DIGITS_S),
        "sent_s": round(sample.sent_s, TIME_DIGITS_S),
        "latency_ms": round(sample.latency_ms, SAMPLE_DIGITS_MS),
        "ok": sample.ok,
        "cause": sample.cause,
        "body": sample.body,
        "in_flight": sample.in_flight,
    }
    if sample.right is not None:
        made["right"] = sample.right
    if sample.stages_ms is not None:
        made["stages_ms"] = {stage: round(ms, SAMPLE_DIGITS_MS) for stage, ms in sample.stages_ms.items()}
    if sample.peer is not None:
        made["peer"] = sample.peer
    if sample.answer_bytes is not None:
        made["answer_bytes"] = sample.answer_bytes
    return made


_SAMPLE_KEYS = frozenset(Sample._fields)


def _sample(request: Mapping[str, Any]) -> Sample:
    return Sample(**{key: value for key, value in request.items() if key in _SAMPLE_KEYS})


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: round(value, FIGURE_DIGITS) if isinstance(value, float) else value
        for key, value in values.items()
    }


def _lines(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(map(_text, value)) + "\n]"
    return _text(value)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
