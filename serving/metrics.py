"""The metrics of the server for Prometheus, with TensorFlow Serving's names if it has them.

Its names, labels and units are shown in https://github.com/tensorflow/serving/issues/1959 and /462.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from serving.series import Counter, Gauge, Histogram

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
GRPC, REST = "GRPC", "REST"  # entry points
OK = "OK"
RUNTIME_STAGES = ("decode", "inference")  # TensorFlow Serving decodes in the graph, so in its runtime

# As in TensorFlow Serving: from 10 us to 258 s, every bound 1.8 times the one before.
LATENCY_BOUNDS_US = tuple(10 * 1.8**step for step in range(30))
STAGE_BOUNDS_S = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
BATCH_BOUNDS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """All metrics. Its methods may be called from any thread, and take about a microsecond."""

    def __init__(self) -> None:
        self._requests = Counter(
            ":tensorflow:serving:request_count",
            "Requests by model and status. RESOURCE_EXHAUSTED: refused because too many waited.",
            ("model_name", "status"),
        )
        self._latency_us = Histogram(
            ":tensorflow:serving:request_latency",
            "Microseconds from request to answer, of requests answered OK.",
            ("model_name", "API", "entrypoint"),
            LATENCY_BOUNDS_US,
        )
        self._runtime_us = Histogram(
            ":tensorflow:serving:runtime_latency",
            "Microseconds in the runtime, decoding included.",
            ("model_name",),
            LATENCY_BOUNDS_US,
        )
        self._runs = Counter(":tensorflow:core:graph_runs", "Runs of a model, with one or more requests.")
        self._loads = Counter(
            ":tensorflow:cc:saved_model:load_attempt_count",
            "Attempts to load a version.",
            ("model_path", "status"),
        )
        self._load_us = Counter(
            ":tensorflow:cc:saved_model:load_latency",
            "Microseconds that loading took, with warm-up.",
            ("model_path",),
        )
        self._stage_s = Histogram(
            "pixelcost_stage_seconds",
            "Seconds that the stages of a request took: queue, decode, inference.",
            ("model_name", "stage"),
            STAGE_BOUNDS_S,
        )
        self._batches = Histogram(
            "pixelcost_batch_size", "Requests in one run.", ("model_name",), BATCH_BOUNDS
        )
        self._gauges: list[Gauge] = []
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)

    def answered(self, model: str, api: str, entrypoint: str, status: str, seconds: float) -> None:
        """Count a request. `api` is Predict, Classify, …; `status` is the name of a gRPC status."""
        self._requests.add((model, status))
        if status == OK:
            self._latency_us.observe((model, api, entrypoint), seconds * 1e6)

    def stages(self, model: str, stage_ms: Mapping[str, float]) -> None:
        """Count the milliseconds that the stages of a request took."""
        for stage, ms in stage_ms.items():
            self._stage_s.observe((model, stage), ms / 1e3)
        self._runtime_us.observe((model,), sum(stage_ms.get(stage, 0.0) for stage in RUNTIME_STAGES) * 1e3)

    def batch(self, model: str, size: int) -> None:
        """Count a run of a model with `size` requests."""
        self._runs.add(())
        self._batches.observe((model,), size)

    def loaded(self, model_path: str, seconds: float) -> None:
        """Count a version that was loaded from this directory."""
        self._loads.add((model_path, "success"))
        self._load_us.add((model_path,), seconds * 1e6)

    def load_failed(self, model_path: str) -> None:
        """Count a version that could not be loaded."""
        self._loads.add((model_path, "fail"))

    def watch(self, name: str, text: str, label: str, values: Callable[[], Mapping[str, float]]) -> None:
        """Add a gauge. Its values are read with the page, by the values of `label`; without one, under ""."""
        self._gauges.append(Gauge(name, text, label, values))

    def page(self) -> str:
        """The Prometheus page, with the CPU time, memory and file descriptors of the process."""
        counters = (self._requests, self._runs, self._loads, self._load_us)
        histograms = (self._latency_us, self._runtime_us, self._stage_s, self._batches)
        metrics: tuple[Counter | Histogram | Gauge, ...] = (*counters, *histograms, *self._gauges)
        lines = [line for metric in metrics for line in metric.lines()]
        return "\n".join(lines) + "\n" + generate_latest(self._process).decode()
