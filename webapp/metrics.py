"""What Prometheus sees at /metrics, in the OpenMetrics format."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder

from experiment.errors import FAILURE_CODES

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
END_STATES: Final = ("done", "cancelled", "failed")
Values = Mapping[str, float] | Mapping[tuple[str, ...], float]  # by label value, or values of several labels
LATENCY_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 60)

log = logging.getLogger(__name__)


class Metrics:
    """The app's own registry, so that two apps in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        counter = partial(Counter, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry)
        self._requests = counter(
            "pixelcost_http_requests", "HTTP requests answered.", ("method", "route", "status")
        )
        self._request_seconds = histogram(
            "pixelcost_http_request_seconds", "Time to answer, event streams left out.", ("route",)
        )
        self._finished = counter("pixelcost_runs_finished", "Runs that ended, by how.", ("state",))
        self._refused = counter("pixelcost_refused", "Requests refused, by reason.", ("code",))
        self._latency = histogram(
            "pixelcost_measured_latency_seconds",
            "Latency of the answered requests to each backend, warm-ups left out.",
            ("backend",),
            buckets=LATENCY_BUCKETS_S,
        )
        self._failures = counter(
            "pixelcost_measured_failures", "Failed requests to each backend, by cause.", ("backend", "code")
        )
        # What alerts look at begins at 0: an increase from nothing to 1 is none to Prometheus.
        for state in END_STATES:
            self._finished.labels(state)
        self._refused.labels("too_many_runs")

    def watch(self, name: str, help_: str, values: Callable[[], Values], *labels: str) -> None:
        """Show a gauge; `values` is called when it is read. Without labels, its one key is "".

        If it raises, the gauge is left out and the log says so once: the others are needed most just then.
        """
        self.registry.register(_Watched(partial(GaugeMetricFamily, name, help_, labels=labels), values))

    def watch_total(self, name: str, help_: str, values: Callable[[], Values], *labels: str) -> None:
        """As watch(), for what only grows."""
        self.registry.register(_Watched(partial(CounterMetricFamily, name, help_, labels=labels), values))

    def expect(self, backends: Iterable[str]) -> None:
        """A run is going to ask these: what counts their failures begins at 0."""
        for backend in backends:
            self._latency.labels(backend)
            for code in FAILURE_CODES:
                self._failures.labels(backend, code)

    def answered(self, method: str, route: str, status: int, seconds: float | None) -> None:
        """One HTTP request; `seconds` is None for streams."""
        self._requests.labels(method, route, str(status)).inc()
        if seconds is not None:
            self._request_seconds.labels(route).observe(seconds)

    def refused(self, code: str) -> None:
        """One request was refused."""
        self._refused.labels(code).inc()

    def finished(self, state: str) -> None:
        """One run ended."""
        self._finished.labels(state).inc()

    def measured(self, measurement: Mapping[str, Any]) -> None:
        """One request to a backend, as a measurement's dict."""
        backend, failure = measurement["backend_name"], measurement["failure"]
        if failure is not None:
            self._failures.labels(backend, failure["code"]).inc()
        elif not measurement["is_warmup"] and measurement.get("asked_for") != "decode":
            self._latency.labels(backend).observe(measurement["latency_ms"] / 1e3)

    def text(self, accept: str) -> tuple[bytes, str]:
        """All metrics and their content type; OpenMetrics unless the reader only knows the old format."""
        knows_only_text = "text/plain" in accept and "openmetrics" not in accept
        encode, content_type = choose_encoder(accept if knows_only_text else OPENMETRICS)
        return encode(self.registry), content_type


class _Watched:
    """A metric that asks for its values."""

    def __init__(self, family: Callable[[], Any], values: Callable[[], Values]):
        self._family, self._values = family, values
        self._is_well = True

    def collect(self) -> list[Any]:
        """Called by the registry."""
        family = self._family()
        try:
            for of_labels, number in self._values().items():
                given = (of_labels,) if isinstance(of_labels, str) else of_labels
                family.add_metric([value for value in given if value], number)
            self._is_well = True
        except Exception:
            if self._is_well:  # logged once, as it is asked for every few seconds
                log.exception("%s can't be read, and is left out of /metrics", family.name)
            self._is_well = False
            return []
        return [family]

    def describe(self) -> list[Any]:
        """Called at registration, when there are no values yet."""
        return [self._family()]
