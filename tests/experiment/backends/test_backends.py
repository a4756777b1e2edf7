"""Real requests to real servers that behave well, badly and very badly."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import closing
from dataclasses import replace

import grpc
import pytest

from experiment.backends.base import RequestFailed, short_cause
from experiment.backends.connect import connect, connected
from experiment.backends.probe import probe
from experiment.backends.rest import RestBackend
from experiment.errors import FAILURE_CODES
from experiment.measure.run import measure
from experiment.protocol import types_pb2
from experiment.records import BackendInfo, Plan
from tests.support.deploy.far_away import far_away
from tests.support.records import variant
from tests.support.scripted_server import aborting, always, good_answer, grpc_server, hanging, rest_server

NGINX = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><center><h1>502 Bad Gateway</h1>"

VARIANT = variant(512, "png", size_bytes=2_400_000, data=b"picture")


def ask(address: str, protocol: str = "grpc", timeout_s: float = 5.0):
    backend = connect(BackendInfo(name="1 CPU", protocol=protocol, address=address))
    try:
        return backend.predict(VARIANT, timeout_s)
    finally:
        backend.close()


def failure_of(address: str, protocol: str = "grpc", timeout_s: float = 5.0):
    with pytest.raises(RequestFailed) as caught:
        ask(address, protocol, timeout_s)
    assert caught.value.failure.code in FAILURE_CODES
    return caught.value.failure


def refused_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_grpc_gives_the_top_labels_best_first_with_sizes_and_version():
    with grpc_server(always(good_answer(("tiger cat", "tabby"), (0.2, 0.7)))) as address:
        prediction = ask(address)
    assert [(each.label, round(each.score, 3)) for each in prediction.top] == [
        ("tabby", 0.7),
        ("tiger cat", 0.2),
    ]
    assert prediction.request_bytes > len(VARIANT.data)
    assert prediction.response_bytes > 0
    assert prediction.model_version == 1


def test_grpc_reads_server_stages_from_trailing_metadata():
    def answer(request, context):
        context.set_trailing_metadata((("pixelcost-decode-ms", "2.5"), ("pixelcost-inference-ms", "30")))
        return good_answer()

    with grpc_server(answer) as address:
        assert ask(address).server_ms == {"decode": 2.5, "inference": 30.0}


def test_backends_are_closed_at_the_end_of_the_block_and_when_a_later_one_cannot_be_opened(monkeypatch):
    closed = []
    monkeypatch.setattr(RestBackend, "close", lambda self: closed.append(self.info.name))
    one, other = (BackendInfo(name, "rest", "127.0.0.1:1") for name in ("1 CPU", "8 CPU"))
    with connected([one, other]) as backends:
        assert [backend.info for backend in backends] == [one, other]
        assert closed == []
    assert closed == ["8 CPU", "1 CPU"]
    with pytest.raises(KeyError), connected([one, BackendInfo("odd", protocol="odd")]):
        pass
    assert closed == ["8 CPU", "1 CPU", "1 CPU"]


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (aborting(grpc.StatusCode.INVALID_ARGUMENT, "not an image"), "bad_request", "not an image"),
        (aborting(grpc.StatusCode.NOT_FOUND, "no such model"), "not_found", "no such model"),
        (aborting(grpc.StatusCode.RESOURCE_EXHAUSTED, "queue full"), "overloaded", "queue full"),
        (
            aborting(grpc.StatusCode.RESOURCE_EXHAUSTED, "Received message larger than max (5 vs. 4)"),
            "too_large",
            "use JPEG",
        ),
        (aborting(grpc.StatusCode.INTERNAL, "boom"), "server_error", "boom"),
        (always(b"\xff\xff\xff"), "bad_answer", "not a Predict response"),
        (always(b""), "bad_answer", "without classes and scores"),
        (always(good_answer(scores=(float("nan"), 0.1))), "bad_answer", "nan"),
        (always(good_answer(scores=(8.9, 0.1))), "bad_answer", "softmax"),
        (always(good_answer(classes=("tabby",))), "bad_answer", "1 classes and 2 scores"),
    ],
)
def test_every_way_to_fail_over_grpc_has_its_code_and_sentence(answer, code, words):
    with grpc_server(answer) as address:
        failure = failure_of(address)
    assert failure.code == code
    assert words in failure.message


def test_a_hanging_server_fails_at_the_deadline_and_the_message_names_the_variant():
    with grpc_server(hanging(5)) as address:
        failure = failure_of(address, timeout_s=0.2)
    assert failure.code == "deadline"
    assert failure.message == "1 CPU did not answer within 0.2 s for 512 px PNG (2.4 MB)."


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_nobody_at_the_address_is_unreachable(protocol):
    failure = failure_of(f"127.0.0.1:{refused_port()}", protocol)
    assert failure.code == "unreachable"
    assert "connection refused" in failure.message


REST_ANSWER = json.dumps({"predictions": [{"classes": ["tabby", "lynx"], "scores": [0.7, 0.2]}]}).encode()


@pytest.mark.parametrize(
    ("details", "cause"),
    [
        ("ipv4:1.2.3.4:8500: Failed to connect: Connection refused", "connection refused"),
        ("UNKNOWN: ipv4:1.2.3.4:8500: tcp handshaker shutdown", "no connection in time"),
        ("DNS resolution failed for tf-gpu:8500", "the host name is not known"),
        ("", "no reason given"),
    ],
)
def test_of_a_transports_message_only_what_a_person_can_use_is_kept(details, cause):
    assert short_cause(details) == cause


def test_rest_sends_base64_and_reads_labels_and_server_timing():
    with rest_server(200, REST_ANSWER) as (address, received):
        prediction = ask(address, "rest")
    assert received == [{"signature_name": "predict_images", "instances": [{"b64": "cGljdHVyZQ=="}]}]
    assert prediction.top[0].label == "tabby"
    assert prediction.server_ms == {"queue": 0.5, "decode": 2.25, "inference": 30.0}


@pytest.mark.parametrize(
    ("status", "body", "code", "words"),
    [
        (400, b'{"error": "not an image"}', "bad_request", "not an image"),
        (404, b'{"error": "Servable not found"}', "not_found", "Servable not found"),
        (413, b"<html>", "too_large", "A proxy in front of 1 CPU"),
        (429, b"slow down", "overloaded", "slow down"),
        (500, b"boom", "server_error", "boom"),
        (200, b"not json", "bad_answer", "something other than predictions"),
        (200, b'{"predictions": []}', "bad_answer", "something other than predictions"),
        (200, b'{"predictions": [[0.1, 0.9]]}', "bad_answer", "something other than predictions"),
    ],
)
def test_every_way_to_fail_over_rest_has_its_code_and_sentence(status, body, code, words):
    with rest_server(status, body) as (address, _):
        failure = failure_of(address, "rest")
    assert failure.code == code
    assert words in failure.message


def test_a_proxy_whose_server_is_gone_is_told_as_such_and_its_page_by_its_title():
    with rest_server(502, NGINX) as (address, _):
        seen = probe(BackendInfo("A", "rest", address, "m"), 5.0)
        failure = failure_of(address, "rest")
    assert seen.state == "down"
    assert seen.detail == (
        f"{address} answers HTTP 502, as a proxy does when the server behind it does not "
        "answer. Is that server running?"
    )
    assert failure.message.endswith(": 502 Bad Gateway")


def test_a_rest_answer_that_drips_fails_at_the_deadline_of_the_whole_call():
    with rest_server(200, REST_ANSWER, drip_s=0.1) as (address, _):
        started = time.monotonic()
        assert failure_of(address, "rest", timeout_s=0.5).code == "deadline"
    assert time.monotonic() - started < 0.1 * len(REST_ANSWER) / 2


def info_at(address: str, **changes) -> BackendInfo:
    return BackendInfo(name="GPU", address=address, **changes)


def test_a_probe_finds_a_ready_model_with_its_version():
    with grpc_server(always(b"")) as address:
        found = probe(info_at(address))
    assert (found.state, found.version) == ("ready", 3)
    assert found.detail.startswith("Ready. Round trip ")


TOLD = {
    "runtime": "OpenVINO 2026.4.1",
    "precision": "bf16",
    "isa": "avx2",
    "device_name": None,
    "replicas": 2,
}


def test_a_probe_keeps_what_the_server_tells_about_itself():
    about = json.dumps({**TOLD, "device": "CPU", "device_memory_bytes": None, "cores": [7], "later": 1})
    with grpc_server(always(good_answer()), about=about) as address:
        found = probe(info_at(address))
    assert {name: getattr(found, name) for name in TOLD} == TOLD
    assert (found.state, found.device, found.device_memory_bytes) == ("ready", "CPU", None)
    assert found.cores is None  # those of another machine say nothing about ours


@pytest.mark.parametrize(
    "about",
    [
        None,
        "",
        "not JSON",
        "[1]",
        "null",
        "[" * 5000,
        '{"runtime": 7, "precision": "", "isa": "a\\nb", "device": "TPU", "replicas": true}',
        '{"runtime": ["x"], "device_name": "%s", "device_memory_bytes": -1, "replicas": 1e3}' % ("x" * 201),
    ],
)
def test_what_a_server_tells_in_a_way_that_makes_no_sense_counts_as_not_told(about):
    before = info_at("", runtime="of its last life", replicas=4)
    with grpc_server(always(good_answer()), about=about) as address:
        found = probe(replace(before, address=address))
    assert (found.state, found.device) == ("ready", "unknown")
    assert not any(getattr(found, name) for name in (*TOLD, "device_memory_bytes"))


@pytest.mark.parametrize(
    ("server", "asked", "state", "words"),
    [
        ({"model": "resnet"}, {}, "wrong_model", "no model named inception"),
        ({"state": 20}, {}, "loading", "Loading the model"),
        ({}, {"signature": "serving_default"}, "wrong_signature", "It has: predict_images"),
        ({}, {"input_key": "bytes"}, "wrong_signature", "It has: images"),
        ({"input_dtype": types_pb2.DT_FLOAT}, {}, "wrong_signature", "one number (float), not pictures"),
    ],
)
def test_a_probe_says_what_is_wrong_with_a_server(server, asked, state, words):
    with grpc_server(always(b""), **server) as address:
        found = probe(info_at(address, **asked))
    assert found.state == state
    assert words.removeprefix("It has: ") in found.detail


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_a_probe_of_a_closed_port_is_down_and_names_the_address(protocol):
    port = refused_port()
    found = probe(info_at(f"127.0.0.1:{port}", protocol=protocol), timeout_s=1)
    assert found.state == "down"
    assert f"No answer at 127.0.0.1:{port} (connection refused)" in found.detail


def test_a_probe_over_rest_reads_the_model_status():
    body = json.dumps({"model_version_status": [{"version": "7", "state": "AVAILABLE"}]}).encode()
    with rest_server(200, body) as (address, _):
        found = probe(info_at(address, protocol="rest"))
    assert (found.state, found.version) == ("ready", 7)


def test_an_absent_backend_is_not_asked():
    info = info_at("", state="absent", detail="No GPU on this machine.")
    assert probe(info) is info


def test_in_a_cluster_the_probe_says_which_pods_to_look_at(monkeypatch):
    down = BackendInfo(name="GPU", address=f"127.0.0.1:{refused_port()}")
    assert probe(down).detail.endswith("Is the server running?")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    named = replace(down, address="tf-serving-gpu.invalid:8500")
    assert probe(named).detail.endswith("Is the pod running? kubectl get pods -l app=tf-serving-gpu")


ONE_WAY_S = 0.3  # 600 ms there and back


def test_a_server_600_ms_away_is_ready_and_connecting_to_it_is_part_of_no_latency():
    with grpc_server(always(good_answer())) as near, far_away(near, ONE_WAY_S) as address:
        found = probe(info_at(address))
        assert found.state == "ready", found.detail
        with closing(connect(found)) as backend:
            plan = Plan(warmups=0, repeats=3, timeout_s=20)
            taken = list(measure(plan, [VARIANT], [backend]))
    assert [each.failure for each in taken] == [None] * 3
    latencies_ms = [each.latency_ms for each in taken]
    assert min(latencies_ms) >= 2 * ONE_WAY_S * 1e3
    assert latencies_ms[0] < 1.7 * min(latencies_ms)  # one way there and back; connecting takes another


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_a_backend_connects_before_its_first_request(protocol):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with closing(connect(BackendInfo("1 CPU", protocol=protocol, address=address))) as backend:
            opening = threading.Thread(target=backend.open, args=(10,))
            opening.start()
            listener.accept()[0].close()
            opening.join()


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_that_nobody_is_there_is_found_at_once_though_connecting_may_take_seconds(protocol):
    info = BackendInfo("1 CPU", protocol=protocol, address=f"127.0.0.1:{refused_port()}")
    started = time.monotonic()
    with closing(connect(info)) as backend:
        backend.open(timeout_s=60)
    assert probe(info, timeout_s=60).state == "down"
    assert time.monotonic() - started < 10


def test_a_rest_server_that_hung_up_in_between_is_connected_to_anew_and_asked_once():
    with (
        rest_server(200, REST_ANSWER, hangs_up=True) as (address, received),
        closing(connect(BackendInfo("1 CPU", protocol="rest", address=address))) as backend,
    ):
        for _ in range(3):
            assert backend.predict(VARIANT, 5.0).top[0].label == "tabby"
            time.sleep(0.05)  # its end of the connection arrives
    assert len(received) == 3
