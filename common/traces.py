"""Traces: which span a request belongs to, and the spans that this process has to tell.

Nothing here imports OpenTelemetry. start() loads otlp.py, which sends spans to a collector, only if the
environment asks for it (OTEL_EXPORTER_OTLP_ENDPOINT); else nothing is recorded. A span is a note of what has
happened: it is made when its end is known, and turned into OpenTelemetry's by another thread. The context
crosses processes as the header `traceparent` of W3C's Trace Context.
"""

from __future__ import annotations

import logging
import re
import secrets
import threading
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from hashlib import blake2b
from importlib import import_module
from types import TracebackType
from typing import Final, Literal, Protocol

from common.installed import as_typed

Kind = Literal["internal", "server", "client"]
Attributes = Mapping[str, str | int | float | bool]
HEADER: Final = "traceparent"
_HEADER_FORM: Final = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
NOT_INSTALLED: Final = (
    "Traces are off: OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed. "
    "Install requirements/tracing.txt (make tracing), or unset the variable."
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SpanContext:
    """A span's place: its trace and itself. All are sampled; one that is not has no context."""

    trace_id: int  # 128 bits
    span_id: int  # 64 bits

    @property
    def traceparent(self) -> str:
        """The header."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-01"

    def child(self) -> SpanContext:
        """A new span of the same trace."""
        return SpanContext(self.trace_id, _new_id(8))

    def request(self, backend: str, started_at: float) -> SpanContext:
        """The span of the request that a lane began then.

        It follows from what a measurement holds, so that the process that measures sends no ids back: a
        backend gets one request at a time.
        """
        key = self.trace_id.to_bytes(16, "big") + self.span_id.to_bytes(8, "big")
        digest = blake2b(f"{started_at!r} {backend}".encode(), digest_size=8, key=key).digest()
        return SpanContext(self.trace_id, int.from_bytes(digest, "big") or 1)


@dataclass(frozen=True, slots=True)
class Event:
    """Something at one moment of a span."""

    name: str
    at_s: float  # since the epoch
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """What happened from `start_s` to `end_s`, in seconds since the epoch."""

    name: str
    context: SpanContext
    parent: SpanContext | None
    start_s: float
    end_s: float
    kind: Kind = "internal"
    attributes: Attributes = field(default_factory=dict)
    failure: str | None = None  # None: it went well
    events: tuple[Event, ...] = ()


class Sink(Protocol):
    """Where spans go. Its methods may be called from any thread and never block."""

    def is_sampled(self, trace_id: int, name: str) -> bool:
        """Whether a trace that begins here is to be told."""

    def record(self, span: Span) -> None:
        """One span."""

    def flush(self, timeout_s: float) -> None:
        """Send what is left, within that time."""


@dataclass(slots=True)
class _Process:
    """What all threads share."""

    sink: Sink | None = None  # None: traces are off
    run: SpanContext | None = None  # the run that this process measures: a timing process has one


_process = _Process()
_current: ContextVar[SpanContext | None] = ContextVar("current span", default=None)
_of_thread = threading.local()


def start(environ: Mapping[str, str], service_name: str) -> None:
    """Record spans from now on, if the environment asks for it. Call it after any fork."""
    if _process.sink is not None or not is_wanted(environ):
        return
    try:
        _process.sink = import_module("common.otlp").Exporter(environ, service_name)
    except ImportError:
        log.warning(as_typed(NOT_INSTALLED))
    except Exception as error:  # a wrong variable of OpenTelemetry's: what is traced must work all the same
        log.warning("Traces are off: OpenTelemetry refuses its settings (%s).", error)


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Whether the standard variables of OpenTelemetry name a collector, and none turns traces off."""
    names = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    is_off = environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return any(environ.get(name) for name in names) and not is_off and _exporter(environ) == "otlp"


def _exporter(environ: Mapping[str, str]) -> str:
    return environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() or "otlp"


def is_on() -> bool:
    """Whether spans are recorded. Decided by start(), before anything is served."""
    return _process.sink is not None


def stop(timeout_s: float = 2.0) -> None:
    """Send what is left, within that time, and record no more."""
    sink, _process.sink = _process.sink, None
    if sink is not None:
        sink.flush(timeout_s)


def current() -> SpanContext | None:
    """The span in which this thread works; None: none, or it is not sampled."""
    return _current.get()


def record(span: Span) -> None:
    """Tell a span that has ended."""
    if _process.sink is not None:
        _process.sink.record(span)


def parsed(header: str | None) -> tuple[SpanContext | None, bool]:
    """The context in a header, and whether its sender wants the trace told; a bad header is none."""
    match = _HEADER_FORM.fullmatch((header or "").strip()[:200])
    if match is None or not int(match[1], 16) or not int(match[2], 16):
        return None, False
    return SpanContext(int(match[1], 16), int(match[2], 16)), bool(int(match[3], 16) & 1)


class Work:
    """A span around a `with` block that answers a request, which may have the header `traceparent`.

    A caller's decision to sample is followed; without a caller the sampler decides. `failure` and
    `attributes` may be set until the block ends.
    """

    def __init__(self, name: str, header: str | None, kind: Kind = "server"):
        self.name, self.kind = name, kind
        self.attributes: dict[str, str | int | float | bool] = {}
        self.failure: str | None = None
        self.parent, is_sampled = parsed(header)
        self.context: SpanContext | None = None
        if _process.sink is None:
            return
        if self.parent is None:
            root = SpanContext(_new_id(16), _new_id(8))
            self.context = root if _process.sink.is_sampled(root.trace_id, name) else None
        elif is_sampled:
            self.context = self.parent.child()

    def __enter__(self) -> Work:
        self._before = _current.set(self.context)
        self._start_s = time.time()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        _current.reset(self._before)
        if self.context is None:
            return
        failure = self.failure or (None if error is None else str(error) or type(error).__name__)
        record(
            Span(
                self.name,
                self.context,
                self.parent,
                self._start_s,
                time.time(),
                self.kind,
                self.attributes,
                failure,
            )
        )


def follow(header: str | None) -> None:
    """This process measures for the run with that context; None: nobody traces it."""
    _process.run = parsed(header)[0]


def announce_request(backend: str, started_at: float) -> None:
    """The next request of this thread is the one that a lane begins now. Call it before the clock starts."""
    if _process.run is not None:
        _of_thread.header = _process.run.request(backend, started_at).traceparent


def outgoing() -> str | None:
    """The header for the request that this thread sends; None: send none."""
    return None if _process.run is None else getattr(_of_thread, "header", None)


def stages(began: float, stage_ms: Mapping[str, float], attributes: Attributes) -> None:
    """Tell the stages of a request, which followed each other from `began` on (time.perf_counter())."""
    parent = current()
    if parent is None:
        return
    start_s = time.time() - (time.perf_counter() - began)
    for name, ms in stage_ms.items():
        end_s = start_s + ms / 1e3
        record(Span(name, parent.child(), parent, start_s, end_s, attributes=attributes))
        start_s = end_s


def _new_id(size_bytes: int) -> int:
    return int.from_bytes(secrets.token_bytes(size_bytes), "big") or 1
