"""The nouns of a load test, with their units. Read this file first.

    A payload is sent to a target at the times of a schedule, every request leaves one sample, and everything
    shown is computed from those samples.

The conventions of experiment/records.py hold here too. Times that end in `_s` and belong to a request count
from the start of the load.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from experiment.records import BackendInfo, Validity

SCHEMA_VERSION = "1.0"

Kind = Literal["rate", "burst", "ladder", "capacity", "users"]
Arrivals = Literal["even", "poisson", "intervals", "steps", "burst", "closed"]
PayloadKind = Literal["image", "numbers"]


@dataclass(frozen=True, slots=True)
class Payload:
    """Request messages that are sent in turn, the first again after the last, all of one kind and batch."""

    kind: PayloadKind
    # Serialised Predict messages, or JSON for REST; empty in a load that was read back from a file.
    bodies: tuple[bytes, ...] = field(repr=False)
    names: tuple[str, ...]  # of each body, for people: "512 px JPEG", "cat.jpg"
    batch: int = 1  # images, or rows of numbers, in each request
    # Of each body, the label that each of its images should get; None: not known. Empty: none is known.
    expected: tuple[tuple[str | None, ...], ...] = ()
    stored_bytes: tuple[int, ...] = ()  # sizes of the bodies, where these were not kept

    @property
    def sizes_bytes(self) -> tuple[int, ...]:
        """The size of every body."""
        return self.stored_bytes or tuple(map(len, self.bodies))

    @property
    def median_bytes(self) -> int:
        """The size of the body in the middle."""
        return sorted(self.sizes_bytes)[len(self.sizes_bytes) // 2]


class Sample(NamedTuple):
    """One request. A tuple: a run holds up to a million of them."""

    due_s: float  # by the schedule; in a closed loop, when it was sent
    sent_s: float
    latency_ms: float  # from `due_s` to the end of the answer, or until it was known that none comes
    ok: bool
    cause: str | None = None  # of a failure, one of errors.FAILURE_CODES
    body: int = 0  # which body of the payload
    right: int | None = None  # images of this request with the expected label; None: none was expected
    stages_ms: Mapping[str, float] | None = None  # as the server reports them; None: it does not
    in_flight: int = 1  # requests without an answer when this one was sent, itself included
    peer: str | None = None  # address of the replica that it went to; None: there is only one
    answer_bytes: int | None = None  # size of the answer; None: none came


@dataclass(frozen=True, slots=True)
class Generator:
    """How well the load was generated."""

    late_p99_ms: float | None  # sent later than due; None: below 662 requests, or a closed loop
    late_max_ms: float
    cpu_percent: float  # of one core, of this process
    in_flight_max: int


@dataclass(frozen=True, slots=True)
class Taken:
    """What one load left behind, also if it ended early."""

    samples: Sequence[Sample]  # in the order they were due
    started_at: float  # seconds since the epoch
    seconds: float  # from the start to the last answer, or to the end of the schedule if that is later
    generator: Generator
    stopped: str | None = None  # a sentence: why it ended before its schedule; None: it did not
    messages: Mapping[str, str] = field(default_factory=dict)  # cause -> the first message of that failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A load test as it was asked for, and what it measured."""

    kind: Kind
    target: BackendInfo
    payload: Payload
    arrivals: Arrivals
    offered_per_s: float | None  # mean rate of the schedule; None: a closed loop or a burst
    planned_s: float | None  # length of the schedule; None: a burst
    in_flight: int | None = None  # of a closed loop
    seed: int = 0
    timeout_s: float = 60.0
    taken: Taken
    environment: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of one load. Failed requests count in every rate; latencies are those of answered ones."""

    count: int  # requests that were sent
    failures: int
    achieved_per_s: float | None  # answered requests over `Taken.seconds`
    goodput_per_s: float | None  # right images over the same time; None: it is not known which are right
    p50_ms: float | None  # a percentile is None below the number of samples that it needs
    p90_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    causes: Mapping[str, int] = field(default_factory=dict)  # of failures
    validity: Validity = "VALID"
    reasons: tuple[str, ...] = ()  # one sentence each: why, and what to do
