"""Recording: the samples of one load as they come, and how well the load was generated."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from experiment.report.statistics import SAMPLES_FOR_P99, percentile_from
from loadtest.records import Generator, Payload, Sample, Taken
from loadtest.send.sender import Sender, SendFailed

CANCELLED = "The load was stopped by hand."


@dataclass(frozen=True)
class Watch:
    """What somebody else does while a load goes on."""

    cancel: threading.Event = field(default_factory=threading.Event)  # set from any thread
    on_sample: Callable[[Sample], None] = lambda sample: None  # in the event loop: it must be quick
    # Called with every sample: a sentence ends the load.
    why_stop: Callable[[Sample], str | None] = lambda sample: None


class Recording:
    """Samples on the clock of the load. `stopped` is a sentence once the load has to end."""

    def __init__(self, watch: Watch):
        self._watch = watch
        self._samples: list[Sample] = []
        self.messages: dict[str, str] = {}
        self.stopped: str | None = None

    def start(self, lead_s: float) -> None:
        """Set the clock: its 0 is `lead_s` from now."""
        self._cpu_s = time.process_time()
        self._zero = time.perf_counter() + lead_s
        self._started_at = time.time() + lead_s

    def now_s(self) -> float:
        """Seconds since the start of the load."""
        return time.perf_counter() - self._zero

    def is_over(self) -> bool:
        """Whether no further request may be sent."""
        if self.stopped is None and self._watch.cancel.is_set():
            self.stopped = CANCELLED
        return self.stopped is not None

    def add(self, sample: Sample) -> None:
        """Keep a sample, and tell who watches."""
        self._samples.append(sample)
        self._watch.on_sample(sample)
        if self.stopped is None:
            self.stopped = self._watch.why_stop(sample)

    def taken(self, is_scheduled: bool) -> Taken:
        """Everything so far. `is_scheduled`: requests had a time to be late for."""
        seconds = max(self.now_s(), 1e-9)
        late_ms = [(sample.sent_s - sample.due_s) * 1e3 for sample in self._samples] if is_scheduled else []
        generator = Generator(
            late_p99_ms=percentile_from(SAMPLES_FOR_P99, late_ms, 99),
            late_max_ms=max(late_ms, default=0.0),
            cpu_percent=100 * (time.process_time() - self._cpu_s) / seconds,
            in_flight_max=max((sample.in_flight for sample in self._samples), default=0),
        )
        ordered = sorted(self._samples, key=lambda sample: sample.due_s)
        return Taken(ordered, self._started_at, seconds, generator, self.stopped, self.messages)


async def exchange(
    sender: Sender,
    payload: Payload,
    number: int,
    due_s: float,
    sent_s: float,
    in_flight: int,
    timeout_s: float,
    recording: Recording,
) -> Sample:
    """Send the payload's next body and wait; whatever comes of it is a sample."""
    body = number % len(payload.bodies)
    try:
        answer = await sender.send(payload.bodies[body], timeout_s)
    except SendFailed as failed:
        latency_ms = (recording.now_s() - due_s) * 1e3
        recording.messages.setdefault(failed.cause, failed.message)
        return Sample(
            due_s, sent_s, latency_ms, False, failed.cause, body, in_flight=in_flight, peer=failed.peer
        )
    latency_ms = (recording.now_s() - due_s) * 1e3
    right = None
    if payload.expected and answer.labels is not None:
        expected = payload.expected[body]
        if None not in expected and len(answer.labels) == len(expected):  # else unknown, not wrong
            right = sum(map(str.__eq__, answer.labels, expected))
    stages_ms, peer, answer_bytes = answer.stages_ms, answer.peer, answer.size_bytes
    return Sample(
        due_s, sent_s, latency_ms, True, None, body, right, stages_ms, in_flight, peer, answer_bytes
    )
