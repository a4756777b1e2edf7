"""KEDA's scaler `redis-streams` as a pure function, and what it makes of the life of a queue.

The rule is that of pkg/scalers/redis_streams_scaler.go as after keda#6481: which command is asked, and which
value is compared. Then that of the HorizontalPodAutoscaler for an average value, ceil(value / target), and
KEDA's own step between zero and one.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

Mode = Literal["streamLength", "lag", "pending"]


@dataclass(frozen=True, slots=True)
class Trigger:
    """The trigger's metadata and the ScaledObject around it."""

    consumer_group: str = ""  # without one XLEN is asked
    stream_length: int = 5
    lag_count: int | None = None
    pending_entries_count: int = 5
    activation_lag_count: int = 0  # in every mode: active above it
    min_replicas: int = 0
    max_replicas: int = 10
    cooldown_s: float = 300.0

    @property
    def mode(self) -> Mode:
        """Which of the three is asked."""
        if not self.consumer_group:
            return "streamLength"
        return "lag" if self.lag_count is not None else "pending"

    @property
    def target(self) -> int:
        """Of the mode's value, for each replica."""
        if self.mode == "streamLength":
            return self.stream_length
        return self.lag_count if self.lag_count is not None else self.pending_entries_count


@dataclass(frozen=True, slots=True)
class Stream:
    """What Redis answers of a stream at one moment."""

    length: int  # XLEN
    pending: int  # XPENDING
    lag: int | None  # XINFO GROUPS; None: Redis can't tell, as entries were deleted before they were read
    has_group: bool = True

    @property
    def running(self) -> int:
        """Jobs in the hands of workers: claimed and there."""
        return self.pending


def value(trigger: Trigger, stream: Stream) -> int:
    """What the scaler reads."""
    if trigger.mode == "streamLength" or (trigger.mode == "lag" and not stream.has_group):
        return stream.length
    if trigger.mode == "lag":
        return stream.lag or 0
    return stream.pending


def is_active(trigger: Trigger, stream: Stream) -> bool:
    """Whether it wants any worker at all."""
    return value(trigger, stream) > trigger.activation_lag_count


@dataclass(frozen=True, slots=True)
class Scale:
    """The scaler's state between two polls."""

    replicas: int
    active_at_s: float = -math.inf  # when it last was active


def polled(trigger: Trigger, before: Scale, stream: Stream, now_s: float) -> Scale:
    """The scale after one poll."""
    if is_active(trigger, stream):
        wanted = math.ceil(value(trigger, stream) / trigger.target)
        return Scale(min(max(wanted, 1, trigger.min_replicas), trigger.max_replicas), now_s)
    if now_s - before.active_at_s >= trigger.cooldown_s:
        return Scale(trigger.min_replicas, before.active_at_s)
    return Scale(max(min(before.replicas, 1), trigger.min_replicas), before.active_at_s)


Act = Literal["enqueue", "claim", "finish", "die"]


@dataclass
class Model:
    """A queue as this project's workers use it: the end of a job deletes its entry; death changes nothing."""

    waiting: list[int] = field(default_factory=list)
    running: list[int] = field(default_factory=list)
    entries: int = 0

    def act(self, act: Act) -> None:
        if act == "enqueue":
            self.waiting.append(self.entries)
            self.entries += 1
        elif act == "claim" and self.waiting:
            self.running.append(self.waiting.pop(0))
        elif act == "finish" and self.running:
            self.running.pop(0)

    def seen(self) -> Stream:
        return Stream(len(self.waiting) + len(self.running), len(self.running), len(self.waiting))


def schedule(seed: int, steps: int = 100) -> list[Act]:
    """A random life: bursts, quiet times, long jobs, workers that die with jobs in hand."""
    dice = random.Random(seed)
    weights = [dice.random() ** 2 + 0.02 for _ in range(4)]
    first: list[Act] = ["enqueue"]
    return first + dice.choices(["enqueue", "claim", "finish", "die"], weights, k=steps - 1)


def replay(acts: Iterable[Act]) -> Iterator[Stream]:
    """What is seen after each act."""
    queue = Model()
    for act in acts:
        queue.act(act)
        yield queue.seen()


@dataclass(frozen=True, slots=True)
class Replayed:
    """How a trigger did over many polls."""

    polls: int = 0
    asleep_with_work: int = 0  # polls at which jobs waited or ran and the trigger was not active
    zero_while_running: int = 0  # polls at which a job ran and the value read was 0
    asleep_with_one: int = (
        0  # polls at which exactly one job waited, none ran, and the trigger was not active
    )


def judged(trigger: Trigger, seen: Sequence[Stream]) -> Replayed:
    """Counts of what should never happen."""
    quiet = [stream for stream in seen if not is_active(trigger, stream)]
    return Replayed(
        polls=len(seen),
        asleep_with_work=sum(stream.length > 0 for stream in quiet),
        zero_while_running=sum(stream.running > 0 and value(trigger, stream) == 0 for stream in seen),
        asleep_with_one=sum(stream.length == 1 and stream.running == 0 for stream in quiet),
    )


TRIGGERS = {
    "streamLength": Trigger(),
    "lag": Trigger("serving", lag_count=5),
    "pending": Trigger("serving"),
    "streamLength, activationLagCount 1": Trigger(activation_lag_count=1),
}


def bench(histories: int = 1000) -> Iterator[str]:
    """The lines to print."""
    seen = [stream for seed in range(histories) for stream in replay(schedule(seed))]
    yield f"{histories:,} random histories, {len(seen):,} polls"
    for name, trigger in TRIGGERS.items():
        found = judged(trigger, seen)
        yield (
            f"{name}: {found.asleep_with_one:,} polls asleep with one job waiting, "
            f"{found.zero_while_running:,} read 0 while one ran, {found.asleep_with_work:,} asleep with work"
        )
