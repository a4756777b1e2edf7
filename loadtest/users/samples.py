"""The raw samples of a Locust run: written by the users' process, read by the command while it runs.

A file of JSON lines. The first says when the load began (`{"started_at": ...}`), then every request is a list
[sent_s, latency_ms, body, cause, answer_bytes, in_flight, cpu_s]. So whatever ends the process loses little.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, NamedTuple

from experiment.records import Failure
from loadtest.records import Generator, Sample, Taken


class Begun(NamedTuple):
    """A request that is not answered yet."""

    sent_s: float
    in_flight: int


class SampleWriter:
    """The samples of one process, on the clock of the load. All its users share it."""

    def __init__(self, path: Path):
        self._file = path.open("w", encoding="utf-8")
        self._zero = time.perf_counter()
        self._in_flight = 0
        self._causes: set[str] = set()
        self._write({"started_at": time.time()})

    def begin(self) -> Begun:
        """A request begins now."""
        self._in_flight += 1
        return Begun(time.perf_counter() - self._zero, self._in_flight)

    def end(self, begun: Begun, latency_ms: float, body: int, result: int | Failure) -> None:
        """Its answer of so many bytes is read, or it has failed. `body`: which one of the payload it sent."""
        self._in_flight -= 1
        cause, answer_bytes = None, None
        if isinstance(result, Failure):
            cause = result.code
            if cause not in self._causes:
                self._causes.add(cause)
                self._write({"cause": cause, "message": result.message})
        else:
            answer_bytes = result
        cpu_s = round(time.process_time(), 6)
        sent_s, latency_ms = round(begun.sent_s, 6), round(latency_ms, 3)
        self._write([sent_s, latency_ms, body, cause, answer_bytes, begun.in_flight, cpu_s])

    def stop(self, why: str) -> None:
        """The load ends early."""
        self._write({"stopped": why})

    def flush(self) -> None:
        """So that a reader sees everything."""
        self._file.flush()

    def close(self) -> None:
        """Nothing more will come."""
        self._file.close()

    def _write(self, line: Any) -> None:
        self._file.write(json.dumps(line) + "\n")


class SampleReader:
    """Reads the file as it grows."""

    def __init__(self, path: Path):
        self._path = path
        self._offset = 0
        self._started_at: float | None = None
        self._messages: dict[str, str] = {}
        self._cpu: list[tuple[float, float]] = []  # (end of a request, CPU time by then), both in seconds
        self._samples: list[Sample] = []
        self._stopped: str | None = None

    def new(self) -> list[Sample]:
        """The samples that came since the last call. A line that is not whole yet waits."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            whole = file.read().rpartition(b"\n")[0]
        self._offset += len(whole) + 1 if whole else 0
        before = len(self._samples)
        for line in whole.splitlines():
            self._read(json.loads(line))
        return self._samples[before:]

    def taken(self, stopped: str | None = None) -> Taken:
        """Everything that was read. `stopped`: why it ended early, if the users' process did not know."""
        ordered = sorted(self._samples, key=lambda sample: sample.sent_s)
        generator = Generator(
            late_p99_ms=None,
            late_max_ms=0.0,
            cpu_percent=self._cpu_percent(),
            in_flight_max=max((sample.in_flight for sample in ordered), default=0),
        )
        seconds = max((end_s for end_s, _ in self._cpu), default=1e-9)
        started_at = time.time() if self._started_at is None else self._started_at
        return Taken(ordered, started_at, seconds, generator, self._stopped or stopped, self._messages)

    def _read(self, line: Any) -> None:
        if isinstance(line, dict):
            self._started_at = line.get("started_at", self._started_at)
            self._stopped = line.get("stopped", self._stopped)
            if "cause" in line:
                self._messages[line["cause"]] = line["message"]
            return
        sent_s, latency_ms, body, cause, answer_bytes, in_flight, cpu_s = line
        self._cpu.append((sent_s + latency_ms / 1e3, cpu_s))
        self._samples.append(
            Sample(
                due_s=sent_s,
                sent_s=sent_s,
                latency_ms=latency_ms,
                ok=cause is None,
                cause=cause,
                body=body,
                in_flight=in_flight,
                answer_bytes=answer_bytes,
            )
        )

    def _cpu_percent(self) -> float:
        """Of one core, from the first answer to the last; 0 if there was no time between them."""
        if not self._cpu or max(self._cpu)[0] <= min(self._cpu)[0]:
            return 0.0
        (first_s, first_cpu_s), (last_s, last_cpu_s) = min(self._cpu), max(self._cpu)
        return 100 * (last_cpu_s - first_cpu_s) / (last_s - first_s)
