"""What every kind of run in the timing process shares: commands in, events out, and measuring in between."""

from __future__ import annotations

import io
import json
import os
import threading
from contextlib import ExitStack, closing
from typing import IO, Any

from experiment.backends.connect import connect
from experiment.codec import to_dict
from experiment.measure.heartbeat import Heartbeat
from experiment.measure.run import measure
from experiment.records import BackendInfo, Plan, Variant


class Commands(threading.Thread):
    """Listens for "go" and "cancel". When the parent is gone, this process goes too."""

    def __init__(self, pipe: io.FileIO):
        super().__init__(daemon=True)
        self._pipe = pipe
        self.go = threading.Event()
        self.read = threading.Event()
        self.cancel = threading.Event()

    def run(self) -> None:
        """Read commands until the end of input."""
        for line in self._pipe:
            if line.strip() == b"cancel":
                self.cancel.set()
            if line.strip() in {b"go", b"cancel"}:
                self.go.set()
            if line.strip() == b"read":
                self.read.set()
        os._exit(1)  # nobody is left to read the results


class Events:
    """Writes events to the parent."""

    def __init__(self, pipe: IO[bytes]):
        self._pipe = pipe

    def send(self, event: str, data: bytes = b"", **fields: Any) -> None:
        """One JSON line, then `data` as it is."""
        self._pipe.write(json.dumps({"event": event, **fields}).encode() + b"\n" + data)
        self._pipe.flush()


def measure_on(
    events: Events, commands: Commands, plan: Plan, variants: list[Variant], infos: list[BackendInfo]
) -> Heartbeat:
    """Send every measurement on as it is taken. Returns what the heartbeat saw."""
    with ExitStack() as stack:
        backends = [stack.enter_context(closing(connect(info))) for info in infos]
        heartbeat = stack.enter_context(Heartbeat())
        for measurement in measure(plan, variants, backends, commands.cancel):
            events.send("measurement", measurement=to_dict(measurement))
    return heartbeat
