"""Sends spans to a collector by OTLP. The only file that imports OpenTelemetry; traces.py loads it on demand.

Recording a span only puts it into a bounded queue. A thread takes it from there every DRAIN_EVERY_S and makes
OpenTelemetry's object of it, which a further thread sends. So the thread whose work is told spends about a
microsecond, and a collector that hangs or is gone costs spans, nothing else.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from typing import Final

from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from common import traces

DRAIN_EVERY_S: Final = 0.2
MOST_WAITING: Final = 20_000  # the oldest go first
KINDS: Final = {"internal": SpanKind.INTERNAL, "server": SpanKind.SERVER, "client": SpanKind.CLIENT}
SCOPE: Final = InstrumentationScope("pixelcost")
PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


class Exporter:
    """A Sink with OpenTelemetry's SDK behind it, which reads the OTEL_ variables by itself."""

    def __init__(self, environ: Mapping[str, str], service_name: str):
        is_named = "OTEL_SERVICE_NAME" in environ or "service.name=" in environ.get(
            "OTEL_RESOURCE_ATTRIBUTES", ""
        )
        # Not shut down at exit: that waits for the collector.
        provider = TracerProvider(
            resource=Resource.create({} if is_named else {SERVICE_NAME: service_name}), shutdown_on_exit=False
        )
        self._resource, self._sampler = provider.resource, provider.sampler
        self._processor = BatchSpanProcessor(_exporter(environ))
        self._waiting: deque[traces.Span] = deque(maxlen=MOST_WAITING)
        self._stop = threading.Event()
        threading.Thread(target=self._keep_making, name="spans", daemon=True).start()

    def is_sampled(self, trace_id: int, name: str) -> bool:
        """As OTEL_TRACES_SAMPLER says."""
        return bool(self._sampler.should_sample(None, trace_id, name).decision.is_sampled())

    def record(self, span: traces.Span) -> None:
        """Note a span for later."""
        self._waiting.append(span)

    def flush(self, timeout_s: float) -> None:
        """Send what is left; gives up after `timeout_s`, as whoever waits is about to end."""
        self._stop.set()
        last = threading.Thread(target=self._send_all, name="last spans", daemon=True)
        last.start()
        last.join(timeout_s)

    def _send_all(self) -> None:
        self._make()
        self._processor.force_flush()

    def _keep_making(self) -> None:
        while not self._stop.wait(DRAIN_EVERY_S):
            self._make()

    def _make(self) -> None:
        while self._waiting:
            try:
                span = self._waiting.popleft()
            except IndexError:  # the other thread took it
                return
            self._processor.on_end(self._readable(span))

    def _readable(self, span: traces.Span) -> ReadableSpan:
        failed = span.failure is not None
        return ReadableSpan(
            span.name,
            _context(span.context),
            None if span.parent is None else _context(span.parent),
            self._resource,
            span.attributes,
            [Event(event.name, event.attributes, _ns(event.at_s)) for event in span.events],
            kind=KINDS[span.kind],
            instrumentation_scope=SCOPE,
            status=Status(StatusCode.ERROR, span.failure) if failed else Status(StatusCode.UNSET),
            start_time=_ns(span.start_s),
            end_time=max(_ns(span.start_s), _ns(span.end_s)),
        )


def _exporter(environ: Mapping[str, str]) -> SpanExporter:
    """By HTTP with protobuf, or by gRPC, as the variables say; both read the address from the environment."""
    protocol = next((environ[name] for name in PROTOCOLS if environ.get(name)), "http/protobuf")
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as by_grpc  # noqa: PLC0415

        return by_grpc.OTLPSpanExporter()
    if protocol != "http/protobuf":
        raise ValueError(f"{protocol} is not a protocol of OTLP that Pixelcost has: http/protobuf or grpc")
    from opentelemetry.exporter.otlp.proto.http import trace_exporter as by_http  # noqa: PLC0415

    return by_http.OTLPSpanExporter()


def _context(context: traces.SpanContext) -> SpanContext:
    return SpanContext(context.trace_id, context.span_id, False, TraceFlags(TraceFlags.SAMPLED))


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
