"""The spans of one run: made of what the web process learns anyway, after it was measured.

The timing process only sends the header `traceparent` with each request. It knows no collector, and no thread
of a trace's runs in it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from common import traces
from common.traces import Event, Span, SpanContext
from webapp.worker.pipe import Message, Result


class RunTrace:
    """One run's. `context` is that of its span; its steps and its requests are children of it."""

    def __init__(self, context: SpanContext, parent: SpanContext):
        self.context = context
        self._parent = parent
        self._began_s = self._step_s = time.time()
        self._made: list[Event] = []  # variants that were made since the last step

    @classmethod
    def begun(cls) -> RunTrace | None:
        """Of a run that the request of this thread begins; None if that is not traced."""
        parent = traces.current()
        return None if parent is None else cls(parent.child(), parent)

    def step(self, name: str, end_s: float | None = None, events: tuple[Event, ...] = ()) -> None:
        """What the run did since the step before has ended."""
        end_s = time.time() if end_s is None else end_s
        traces.record(Span(name, self.context.child(), self.context, self._step_s, end_s, events=events))
        self._step_s = end_s

    def took(self, message: Message) -> None:
        """A message of the timing process."""
        match message:
            case Result("variant", variant):
                self._made.append(Event("variant", time.time(), _about_variant(variant)))
            case Result("measurement", measurement):
                self._end_making()
                self._add_request(measurement)
            case Result("photo", photo):
                for measurement in photo["measurements"]:
                    self._add_request(measurement, {"pixelcost.photo": photo["name"]})

    def ended(self, run_id: str, state: str, failure: str | None) -> None:
        """The run is over."""
        about = {"pixelcost.run": run_id, "pixelcost.state": state}
        end_s = time.time()
        traces.record(
            Span("run", self.context, self._parent, self._began_s, end_s, attributes=about, failure=failure)
        )

    def _end_making(self) -> None:
        """The first request shows that all variants are made."""
        if self._made:
            self.step("prepare variants", self._made[-1].at_s, tuple(self._made))
            self._made = []

    def _add_request(self, measurement: Mapping[str, Any], more: Mapping[str, str] | None = None) -> None:
        latency_ms, failure = measurement["latency_ms"], measurement["failure"]
        if latency_ms is None:  # it was not sent
            return
        backend, started_at = measurement["backend_name"], measurement["started_at"]
        about = {
            "pixelcost.backend": backend,
            "pixelcost.variant": measurement["variant_id"],
            "pixelcost.attempt": measurement["attempt"],
            "pixelcost.is_warmup": measurement["is_warmup"],
            "pixelcost.latency_ms": latency_ms,
        }
        if failure is not None:
            about["error.type"] = failure["code"]
        traces.record(
            Span(
                f"{measurement.get('asked_for', 'predict')} {backend}",
                self.context.request(backend, started_at),
                self.context,
                started_at,
                started_at + latency_ms / 1e3,
                "client",
                {**about, **(more or {})},
                failure and failure["message"],
            )
        )


def _about_variant(variant: Mapping[str, Any]) -> dict[str, str | float]:
    """CPU times, as the report has them; None is left out."""
    keys = ("id", "size_bytes", "decode_ms", "resize_ms", "encode_ms")
    return {f"pixelcost.{key}": variant[key] for key in keys if variant.get(key) is not None}
