"""Decoding measured apart, on a server that speaks the protocol and tells no stages."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import closing
from dataclasses import replace
from statistics import median

import grpc
import pytest

from experiment.backends.addresses import over_rest
from experiment.backends.base import RequestFailed
from experiment.backends.connect import connect
from experiment.backends.probe import probe
from experiment.export.report_csv import report_csv
from experiment.export.report_json import report_dict
from experiment.figures import figures
from experiment.images.read import read_image
from experiment.images.variants import make_variants
from experiment.measure.run import measure
from experiment.measure.schedule import DECODE_REPEATS, planned_requests, schedule, splits_decode
from experiment.protocol import predict_pb2, types_pb2
from experiment.records import BackendInfo, Plan
from tests.support.processes.app_process import CAT
from tests.support.records import answered, backend, report, variant
from tests.support.scripted_server import good_answer, grpc_server, like_a_stock_server

SMALL, LARGE = variant(256, data=b"small"), variant(512, data=b"large")
PATIENCE_S = 60.0  # other work may share the machine
PREDICT_S, DECODE_S = 0.012, 0.004
SPLITS = BackendInfo(
    "TF", protocol="fake", address="nowhere", state="ready", decode_signature="decode_images"
)


def stock_server(seen: list[tuple[str, tuple[str, ...]]] | None = None, decode_output: str = "checksum"):
    """Answers predict_images and decode_images, each after its own time, and tells no stages."""

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        asked = predict_pb2.PredictRequest.FromString(request)
        name = asked.model_spec.signature_name
        if seen is not None:
            seen.append((name, tuple(asked.output_filter)))
        if name == "decode_images":
            time.sleep(DECODE_S)
            return decoded(64 * 64 * 3 if not asked.output_filter else 1)
        time.sleep(PREDICT_S)
        return good_answer()

    return grpc_server(answer, decode_outputs=("pixels", decode_output))


def decoded(values: int) -> bytes:
    response = predict_pb2.PredictResponse()
    response.outputs["any"].dtype = types_pb2.DT_FLOAT
    response.outputs["any"].float_val.extend([1.0] * values)
    return response.SerializeToString()


def run_on(address: str, plan: Plan):
    info = probe(BackendInfo("TF", address=address), PATIENCE_S)
    with_backend = connect(info)
    try:
        measurements = list(measure(plan, [LARGE, SMALL], [with_backend]))
    finally:
        with_backend.close()
    made = report(
        plan=plan,
        backends=(info,),
        variants=(LARGE, SMALL),
        measurements=measurements,
        requests_planned=planned_requests(plan, 2, [info]),
    )
    return measurements, made


def test_a_stock_server_with_the_signature_shows_what_decoding_takes():
    seen: list = []
    with stock_server(seen) as address:
        measurements, made = run_on(address, Plan(warmups=2, repeats=6, seed=3))
    assert made.requests_done == made.requests_planned == len(measurements) == 2 * (8 + 7)
    for cell in made.cells:
        assert cell.count == 6  # decoding never counts as a sample
        assert len(cell.decode_request_samples_ms) == 6
        decoding = [each for each in measurements if each.asked_for == "decode" and not each.is_warmup]
        own = [each.latency_ms for each in decoding if each.variant_id == cell.variant_id]
        assert cell.decode_request_ms == pytest.approx(median(own), abs=0.002)
        assert cell.p50_ms > PREDICT_S * 1e3
        assert cell.decode_request_ms > DECODE_S * 1e3
        assert cell.server_ms == {}
        assert cell.decode_response_bytes < 100
        assert cell.top[0].label == "tabby"
    assert Counter(seen)["decode_images", ("checksum",)] >= 14


def test_without_a_small_output_the_pixels_come_back_and_the_report_says_how_many_bytes():
    with stock_server(decode_output="other") as address:
        _, made = run_on(address, Plan(warmups=0, repeats=3))
    assert made.backends[0].decode_output is None
    assert all(cell.decode_response_bytes > 64 * 64 * 3 * 4 for cell in made.cells)


def test_decoding_alone_stands_among_the_other_requests_of_its_block():
    plan = Plan(warmups=3, repeats=4, seed=5)
    requests = list(schedule(plan, [LARGE, SMALL], "TF", splits_decode=True))
    warm = [(each.variant.id, each.asked_for) for each in requests if each.is_warmup]
    assert Counter(warm) == Counter(
        {(each.id, kind): n for each in (LARGE, SMALL) for kind, n in (("predict", 3), ("decode", 1))}
    )
    counted = [each for each in requests if not each.is_warmup]
    blocks = [counted[start : start + 4] for start in range(0, len(counted), 4)]
    assert all(len({(each.variant.id, each.asked_for) for each in block}) == 4 for block in blocks)
    assert len({tuple((each.variant.id, each.asked_for) for each in block) for block in blocks}) > 1


def test_a_long_run_asks_for_decoding_no_more_than_enough():
    plan = Plan(warmups=0, repeats=DECODE_REPEATS + 44)
    asked = Counter(each.asked_for for each in schedule(plan, [LARGE], "TF", splits_decode=True))
    assert asked == {"predict": DECODE_REPEATS + 44, "decode": DECODE_REPEATS}
    assert planned_requests(plan, 1, [SPLITS]) == sum(asked.values())


def test_the_order_of_a_run_that_is_not_split_is_what_it_always_was():
    plan = Plan(warmups=0, repeats=30, seed=9)
    assert {each.asked_for for each in schedule(plan, [LARGE, SMALL], "TF")} == {"predict"}


@pytest.mark.parametrize(
    ("info", "wanted", "is_split"),
    [
        (SPLITS, None, True),
        (SPLITS, False, False),
        (backend(), True, False),  # no such signature
        (backend(runtime="OpenVINO 2026", decode_signature="decode_images"), None, False),  # tells stages
        (backend(runtime="OpenVINO 2026", decode_signature="decode_images"), True, True),
        (over_rest(SPLITS, "nowhere:8501"), True, False),
    ],
)
def test_decoding_is_asked_apart_where_it_can_be_and_the_server_says_nothing_itself(info, wanted, is_split):
    assert splits_decode(Plan(split_decode=wanted), info) is is_split


def test_a_signature_that_takes_something_else_is_not_asked():
    with grpc_server(lambda *_: good_answer(), decode_input="floats") as address:
        assert probe(BackendInfo("TF", address=address), PATIENCE_S).decode_signature is None


def test_where_the_time_goes_shows_the_split_and_calls_it_measured_apart():
    measurements = answered([8.0, 9.0, 9.5], SMALL.id, "TF")
    measurements += [replace(each, latency_ms=3.0, asked_for="decode") for each in measurements]
    made = report_dict(report(backends=(SPLITS,), variants=(SMALL,), measurements=measurements))
    figure = figures(made)["where_time_goes"]
    bars = {each["name"]: each["x"][0] for each in figure["data"] if each["type"] == "bar"}
    apart, rest = bars["send and decode (measured apart)"], bars["rest of the request: model"]
    assert (apart, rest) == (3.0, 6.0)
    assert "whole request" not in bars
    assert "decode_request_ms" in report_csv(made).splitlines()[0]


def test_a_split_that_makes_no_sense_is_not_drawn():
    """The pixels came back, and their way took longer than the whole prediction."""
    made = report_dict(report(variants=(SMALL,)))
    cell = made["cells"][0] | {
        "p50_ms": 5.0,
        "min_ms": 5.0,
        "max_ms": 5.0,
        "count": 1,
        "decode_request_ms": 7.0,
    }
    figure = figures(made | {"cells": [cell]})["where_time_goes"]
    assert [each["name"] for each in figure["data"] if each["type"] == "bar"][-1] == "whole request"


def test_decoding_that_fails_costs_no_sample_of_the_prediction():
    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        if predict_pb2.PredictRequest.FromString(request).model_spec.signature_name == "decode_images":
            context.abort(grpc.StatusCode.INTERNAL, "no decoder today")
        return good_answer()

    with grpc_server(answer, decode_outputs=("pixels",)) as address:
        _, made = run_on(address, Plan(warmups=0, repeats=6))
    assert [(cell.count, cell.failures, cell.decode_request_ms) for cell in made.cells] == [(6, 0, None)] * 2
    assert made.requests_failed == 12
    assert any("no decoder today" in warning.message for warning in made.warnings)


def test_over_rest_decoding_alone_is_refused_in_words():
    rest = connect(BackendInfo("TF over REST", protocol="rest", address="127.0.0.1:1"))
    with pytest.raises(RequestFailed, match="use gRPC for that"):
        rest.decode(SMALL, 1.0)
    rest.close()


def test_a_real_model_behind_a_server_that_tells_nothing_is_split(default_server):
    """The exported default model has the signature and its small output."""
    source = read_image(CAT.read_bytes(), "cat.png")
    plan = Plan(sizes_px=(128,), formats=("jpeg",), warmups=1, repeats=6, seed=1)
    variants = make_variants(source, plan)
    with like_a_stock_server(default_server.grpc_address) as address:
        info = probe(BackendInfo("TF", address=address), PATIENCE_S)
        assert (info.runtime, info.decode_output) == (None, "checksum")
        with closing(connect(info)) as stock:
            measurements = list(measure(plan, variants, [stock]))
    made = report(plan=plan, backends=(info,), variants=variants, measurements=measurements)
    assert made.requests_failed == 0
    for cell in made.cells:
        assert cell.server_ms == {}
        assert (cell.count, len(cell.decode_request_samples_ms)) == (6, 6)
        assert cell.decode_request_ms > 0
        assert cell.decode_response_bytes < 200
