"""Small builders of the records of load tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from experiment.records import BackendInfo
from loadtest.records import Generator, Load, Payload, Sample, Taken


def sample(due_s: float, latency_ms: float = 20.0, late_ms: float = 0.0, **changes: Any) -> Sample:
    """An answered request, or with `cause` a failed one."""
    cause = changes.pop("cause", None)
    return Sample(due_s, due_s + late_ms / 1e3, latency_ms, cause is None, cause, **changes)


def samples(count: int, per_s: float = 100.0, **changes: Any) -> list[Sample]:
    """That many answered requests at an even rate, with latencies of 10.0, 10.1, 10.2 ... ms."""
    return [sample(number / per_s, 10 + number / 10, **changes) for number in range(count)]


def load(taken: Sequence[Sample], **changes: Any) -> Load:
    """A load at an even rate on a backend elsewhere that left these samples."""
    generator: dict[str, Any] = {"late_p99_ms": None, "late_max_ms": 0.0, "cpu_percent": 20.0}
    generator |= {key: changes.pop(key) for key in list(changes) if key in generator}
    seconds = changes.pop("seconds", max((each.due_s + each.latency_ms / 1e3 for each in taken), default=1.0))
    values: dict[str, Any] = {
        "kind": "rate",
        "target": BackendInfo("GPU", address="tf-gpu:8500"),
        "payload": Payload("image", (b"x" * 100, b"x" * 300), ("cat.jpg", "dog.jpg")),
        "arrivals": "even",
        "offered_per_s": 100.0,
        "planned_s": 10.0,
        "environment": {"cpu_count": 2},
        "taken": Taken(
            samples=taken,
            started_at=1_780_000_000.25,
            seconds=seconds,
            generator=Generator(in_flight_max=3, **generator),
            stopped=changes.pop("stopped", None),
            messages=changes.pop("messages", {}),
        ),
    }
    return Load(**values | changes)
