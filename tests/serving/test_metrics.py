"""The Prometheus page: names and units that dashboards rely on, read by Prometheus's own parser."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client.parser import text_string_to_metric_families

from serving.metrics import GRPC, REST, Metrics
from serving.series import LIMIT, OTHER, Counter


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """(name, label values in the order of their names) -> value. The parser ends counters in _total."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.page())
        for sample in family.samples
    }


def test_requests_are_counted_by_model_and_status():
    metrics = Metrics()
    for status in ("OK", "OK", "RESOURCE_EXHAUSTED"):
        metrics.answered("half", "Predict", GRPC, status, 0.002)
    found = samples(metrics)
    assert found[":tensorflow:serving:request_count_total", "half", "OK"] == 2
    assert found[":tensorflow:serving:request_count_total", "half", "RESOURCE_EXHAUSTED"] == 1
    assert "# TYPE :tensorflow:serving:request_count counter\n" in metrics.page()


def test_the_latency_of_good_answers_is_in_microseconds_with_tensorflow_servings_bounds():
    metrics = Metrics()
    metrics.answered("half", "Predict", REST, "OK", 20e-6)
    metrics.answered("half", "Predict", REST, "NOT_FOUND", 1)
    found = samples(metrics)
    labels = ("Predict", REST)
    name = ":tensorflow:serving:request_latency"
    assert found[f"{name}_sum", *labels, "half"] == pytest.approx(20)
    buckets = {key[3]: value for key, value in found.items() if key[0] == f"{name}_bucket"}
    assert [buckets[bound] for bound in ("10", "18", "32.4", "+Inf")] == [0, 0, 1, 1]


def test_a_value_on_a_bound_counts_as_within_it():
    metrics = Metrics()
    metrics.batch("half", 4)
    found = samples(metrics)
    assert (
        found["pixelcost_batch_size_bucket", "2", "half"],
        found["pixelcost_batch_size_bucket", "4", "half"],
    ) == (
        0,
        1,
    )
    assert found[":tensorflow:core:graph_runs_total",] == 1


def test_stages_loads_and_gauges_are_shown():
    metrics = Metrics()
    metrics.stages("half", {"queue": 1.0, "inference": 20.0})
    metrics.loaded("/models/half/1", 0.5)
    metrics.load_failed("/models/half/2")
    metrics.watch("pixelcost_waiting", "Requests that wait.", "model_name", lambda: {"half": 3})
    found = samples(metrics)
    assert found["pixelcost_stage_seconds_sum", "half", "inference"] == pytest.approx(0.02)
    assert found[":tensorflow:cc:saved_model:load_latency_total", "/models/half/1"] == 500_000
    assert found[":tensorflow:cc:saved_model:load_attempt_count_total", "/models/half/2", "fail"] == 1
    assert found["pixelcost_waiting", "half"] == 3
    assert found["process_cpu_seconds_total",] > 0


def test_the_latency_of_the_runtime_holds_decoding_as_tensorflow_servings_does():
    metrics = Metrics()
    metrics.stages("half", {"queue": 1.0, "decode": 3.0, "inference": 20.0})
    found = samples(metrics)
    assert found[":tensorflow:serving:runtime_latency_sum", "half"] == pytest.approx(23_000)
    assert found[":tensorflow:serving:runtime_latency_count", "half"] == 1


def test_names_with_quotes_and_line_ends_stay_one_label():
    metrics = Metrics()
    metrics.answered('a"b\\c\nd', "Predict", GRPC, "NOT_FOUND", 0)
    assert samples(metrics)[":tensorflow:serving:request_count_total", 'a"b\\c\nd', "NOT_FOUND"] == 1


def test_made_up_model_names_do_not_fill_the_memory():
    counter = Counter("c", "text", ("model",))
    for number in range(LIMIT + 50):
        counter.add((f"model{number}",))
    lines = list(counter.lines())
    assert len(lines) == 2 + LIMIT + 1
    assert lines[-1] == f'c{{model="{OTHER}"}} 50'


def test_no_request_is_lost_between_threads():
    metrics = Metrics()
    with ThreadPoolExecutor(8) as pool:
        for _ in range(8):
            pool.submit(lambda: [metrics.answered("m", "Predict", GRPC, "OK", 0.001) for _ in range(2000)])
    found = samples(metrics)
    assert found[":tensorflow:serving:request_count_total", "m", "OK"] == 16_000
    assert found[":tensorflow:serving:request_latency_count", "Predict", GRPC, "m"] == 16_000
