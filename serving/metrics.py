"""What Prometheus sees of the server: TensorFlow Serving's names where it has one, then ours.

Names, labels and units: https://github.com/tensorflow/serving/issues/1959 and /462 show its page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from serving.series import Counter, Gauge, Histogram, Shown

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
GRPC, REST = "GRPC", "REST"  # entry points
OK = "OK"

# From 10 us on, each 1.8 times the one before, as TensorFlow Serving's own, up to 258 s.
LATENCY_BOUNDS_US = tuple(10 * 1.8**step for step in range(30))
STAGE_BOUNDS_S = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
BATCH_BOUNDS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """Counts what happened. Its methods may be called from any thread and take about a microsecond."""

    def __init__(self) -> None:
        self._requests = Counter(
            ":tensorflow:serving:request_count",
            "Requests by model and status. RESOURCE_EXHAUSTED: refused because too many waited.",
            ("model_name", "status"),
        )
        self._latency_us = Histogram(
            ":tensorflow:serving:request_latency",
            "Microseconds from the request to its answer, of those answered OK.",
            ("model_name", "API", "entrypoint"),
            LATENCY_BOUNDS_US,
        )
        self._runs = Counter(":tensorflow:core:graph_runs", "Runs of a model, each with a batch of requests.")
        self._loads = Counter(
            ":tensorflow:cc:saved_model:load_attempt_count",
            "Attempts to load a version.",
            ("model_path", "status"),
        )
        self._load_us = Counter(
            ":tensorflow:cc:saved_model:load_latency",
            "Microseconds that loading took, warming included.",
            ("model_path",),
        )
        self._stage_s = Histogram(
            "pixelcost_stage_seconds",
            "Seconds that each stage of a request took: queue, decode, inference.",
            ("model_name", "stage"),
            STAGE_BOUNDS_S,
        )
        self._batches = Histogram(
            "pixelcost_batch_size", "Requests that were computed in one run.", ("model_name",), BATCH_BOUNDS
        )
        self._gauges: list[Gauge] = []
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)

    def answered(self, model: str, api: str, entrypoint: str, status: str, seconds: float) -> None:
        """A request got its answer. `api`: Predict, Classify, …; `status`: a gRPC status name."""
        self._requests.add((model, status))
        if status == OK:
            self._latency_us.observe((model, api, entrypoint), seconds * 1e6)

    def stages(self, model: str, stage_ms: Mapping[str, float]) -> None:
        """Where the time of one request went."""
        for stage, ms in stage_ms.items():
            self._stage_s.observe((model, stage), ms / 1e3)

    def batch(self, model: str, size: int) -> None:
        """A model ran once, with this many requests."""
        self._runs.add(())
        self._batches.observe((model,), size)

    def loaded(self, model_path: str, seconds: float) -> None:
        """A version was loaded from this directory."""
        self._loads.add((model_path, "success"))
        self._load_us.add((model_path,), seconds * 1e6)

    def load_failed(self, model_path: str) -> None:
        """A version could not be loaded."""
        self._loads.add((model_path, "fail"))

    def watch(self, name: str, text: str, label: str, values: Callable[[], Mapping[str, float]]) -> None:
        """Show a gauge, like the queue's length by model, whose values are asked for when it is read."""
        self._gauges.append(Gauge(name, text, label, values))

    def page(self) -> str:
        """All of it in the text format, with CPU time, memory and descriptors of the process."""
        counters: tuple[Shown, ...] = (self._requests, self._runs, self._loads, self._load_us)
        metrics = (*counters, self._latency_us, self._stage_s, self._batches, *self._gauges)
        lines = [line for metric in metrics for line in metric.lines()]
        return "\n".join(lines) + "\n" + generate_latest(self._process).decode()
