"""A model server's counters, from its page for Prometheus, before and after some requests.

TensorFlow Serving has the page if it was started with --rest_api_port and --monitoring_config_file. Names and
units: servables/tensorflow/util.cc of tensorflow/serving.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from experiment.backends.http_connection import HttpConnection, NotUnderstood
from experiment.records import BackendInfo
from loadtest.errors import LoadRefused
from loadtest.questions.target import Target, addresses

PATH = "/monitoring/prometheus/metrics"
PAGE_LIMIT_BYTES = 16 * 1024 * 1024
TIMEOUT_S = 5.0
REQUEST = ":tensorflow:serving:request_latency"  # us, from the request to its answer
RUNTIME = ":tensorflow:serving:runtime_latency"  # us, of the model's run; decoding in its graph included
PROCESS_CPU = "process_cpu_seconds_total"
HOW_TO_GET = (
    "Start TensorFlow Serving with --rest_api_port=8501 and --monitoring_config_file=FILE, where FILE says "
    "prometheus_config { enable: true }, and name the page with --metrics http://HOST:8501" + PATH
)


@dataclass(frozen=True, slots=True)
class Counters:
    """Sums since the server started, over all replicas. None: the page does not have them."""

    requests: float | None
    request_ms: float | None
    runs: float | None
    runtime_ms: float | None
    cpu_s: float | None

    def since(self, before: Counters) -> Counters:
        """What was added since `before`."""
        return Counters(
            *(
                None if then is None or now is None else now - then
                for now, then in zip(_values(self), _values(before), strict=True)
            )
        )


def pages_of(target: Target) -> Sequence[str]:
    """Where the page of each replica would be; empty if no REST port is known."""
    if target.metrics_url:
        return (target.metrics_url,)
    return tuple(f"http://{address}{PATH}" for address in addresses(target.over_rest))


def read_counters(target: Target) -> Counters | None:
    """The counters now; None if there is no page, or it can't be read."""
    pages = [_page(url) for url in pages_of(target)]
    if not pages or None in pages:
        return None
    found = [_counters(text, target.info) for text in pages if text is not None]
    columns = zip(*map(_values, found), strict=True)
    return Counters(*(sum(column) if None not in column else None for column in columns))


def check_url(url: str) -> str:
    """The address of a page. Raises LoadRefused."""
    parts = urlsplit(url)
    try:
        is_usable = parts.scheme == "http" and parts.hostname and (parts.port or 80)
    except ValueError:
        is_usable = False
    if not is_usable:
        raise LoadRefused(f"--metrics {url} is not the address of a page, like http://tf:8501{PATH}.")
    return url


def _values(counters: Counters) -> tuple[float | None, ...]:
    return (
        *(counters.requests, counters.request_ms, counters.runs),
        *(counters.runtime_ms, counters.cpu_s),
    )


def _page(url: str) -> str | None:
    parts = urlsplit(url)
    place = parts.netloc if parts.port else f"{parts.netloc}:80"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with closing(HttpConnection(place)) as connection:
            answer = connection.exchange("GET", path, {"Host": place}, TIMEOUT_S, PAGE_LIMIT_BYTES)
    except (OSError, NotUnderstood):
        return None
    return answer.body.decode("utf-8", "replace") if answer.status == 200 else None


def _counters(page: str, info: BackendInfo) -> Counters:
    sums: dict[str, float] = {}
    try:
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                if sample.labels.get("model_name", info.model) == info.model and _is_predict(sample.labels):
                    sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    except ValueError:
        return Counters(None, None, None, None, None)
    if not sums:
        return Counters(None, None, None, None, None)
    # A stock server has no row for a model that was not asked yet. Then its counters stand at 0.
    is_serving = any(name.startswith(":tensorflow:") for name in sums)
    nothing = 0.0 if is_serving else None
    request_us, runtime_us = sums.get(f"{REQUEST}_sum", nothing), sums.get(f"{RUNTIME}_sum", nothing)
    return Counters(
        requests=sums.get(f"{REQUEST}_count", nothing),
        request_ms=None if request_us is None else request_us / 1e3,
        runs=sums.get(f"{RUNTIME}_count", nothing),
        runtime_ms=None if runtime_us is None else runtime_us / 1e3,
        cpu_s=sums.get(PROCESS_CPU),
    )


def _is_predict(labels: dict[str, str]) -> bool:
    """Whether a row counts Predict, in gRPC's or REST's way of writing it, or has no method."""
    return labels.get("API", "predict").lower() == "predict"
