"""What Prometheus sees at /metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder

from experiment.queue.connection import QueueUnavailable
from experiment.queue.records import QueueDepth

OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Metrics:
    """The gateway's own registry, so that two apps in one process do not mix."""

    def __init__(self, depth: Callable[[], QueueDepth], waiting: Callable[[], int]):
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "pixelcost_gateway_http_requests",
            "HTTP requests answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "pixelcost_gateway_http_request_seconds",
            "Time to answer, event streams left out.",
            ("route",),
            registry=self.registry,
        )
        self._refused = Counter(
            "pixelcost_gateway_refused", "Requests refused, by reason.", ("code",), registry=self.registry
        )
        self.registry.register(_Queue(depth, waiting))

    def answered(self, method: str, route: str, status: int, seconds: float | None) -> None:
        """One HTTP request; `seconds` is None for streams."""
        self._requests.labels(method, route, str(status)).inc()
        if seconds is not None:
            self._seconds.labels(route).observe(seconds)

    def refused(self, code: str) -> None:
        """One request was refused."""
        self._refused.labels(code).inc()

    def text(self, accept: str) -> tuple[bytes, str]:
        """All metrics and their content type; OpenMetrics unless the reader only knows the old format."""
        knows_only_text = "text/plain" in accept and "openmetrics" not in accept
        encode, content_type = choose_encoder(accept if knows_only_text else OPENMETRICS)
        return encode(self.registry), content_type


class _Queue:
    """Gauges of the queue, asked for when they are read; without Redis only that it is away."""

    def __init__(self, depth: Callable[[], QueueDepth], waiting: Callable[[], int]):
        self._depth = depth
        self._waiting = waiting

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Called by the registry."""
        yield _gauge("waiting_requests", "Requests that wait for the end of a job.", self._waiting())
        try:
            depth = self._depth()
        except QueueUnavailable:
            yield _gauge("redis_up", "Whether Redis answers.", 0)
            return
        yield _gauge("redis_up", "Whether Redis answers.", 1)
        yield _gauge("queue_jobs", "Jobs that wait or run.", depth.jobs)
        yield _gauge("queue_running", "Jobs that a worker has claimed.", depth.running)
        yield _gauge("queue_oldest_seconds", "Age of the oldest job; 0: there is none.", depth.oldest_s or 0)
        yield _gauge("queue_dead", "Jobs that were given up and wait for a person.", depth.dead)

    def describe(self) -> list[GaugeMetricFamily]:
        """Called at registration; Redis is not asked yet."""
        return []


def _gauge(name: str, help_: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"pixelcost_gateway_{name}", help_, value=value)
