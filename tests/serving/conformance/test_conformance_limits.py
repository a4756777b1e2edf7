"""A server that is overloaded, badly asked or asked over TLS."""

from __future__ import annotations

import shutil
import socket
import subprocess
from contextlib import ExitStack, suppress
from pathlib import Path

import grpc
import pytest
import requests

from experiment.protocol import predict_pb2
from tests.support.models.servables import servable
from tests.support.processes.model_server import ModelServer, eventually, model_server, numbers, spec
from tests.support.processes.serving_client import Client, refused, strings

SLOW = "slow"


@pytest.fixture(scope="module")
def server():
    """Computes one request, lets one wait, and refuses the next. REST answers are due in 0.3 s."""
    flags = ("--concurrency=1", "--queue_limit=1", "--rest_api_timeout_in_ms=300")
    with model_server(f"--model_name={SLOW}", f"--model_base_path={servable(SLOW)}", *flags) as server:
        yield server


def ask(server: ModelServer, seconds: float) -> grpc.Future:
    request = predict_pb2.PredictRequest(model_spec=spec(SLOW), inputs={"seconds": numbers(seconds)})
    return server.client.prediction.Predict.future(request, timeout=20)


def test_who_does_not_fit_into_the_queue_is_refused_with_a_hint_when_to_come_again(server):
    calls = [ask(server, 0.5) for _ in range(3)]
    codes = [call.code() for call in calls]
    assert sorted(code.name for code in codes) == ["OK", "OK", "RESOURCE_EXHAUSTED"]
    (call,) = [call for call in calls if call.code() != grpc.StatusCode.OK]
    assert int(dict(call.trailing_metadata())["grpc-retry-pushback-ms"]) > 0


def test_a_rest_request_that_would_be_answered_too_late_is_told_so(server):
    running, response = ask(server, 2.0), None
    while response is None or response.ok:  # until the request over gRPC is there first
        assert not running.done()
        response = server.post(f"{SLOW}:predict", {"instances": [0.0]})
    assert response.status_code in {429, 504}, response.text
    assert "deadline" in response.json()["error"]
    assert running.code() == grpc.StatusCode.OK
    assert server.post(f"{SLOW}:predict", {"instances": [0.0]}).json() == {"predictions": [0.0]}


def used(server: ModelServer) -> tuple[int, int]:
    """Threads and descriptors of the process."""
    proc = Path("/proc") / str(server.process.pid)
    return len(list((proc / "task").iterdir())), len(list((proc / "fd").iterdir()))


def annoy(server: ModelServer) -> None:
    """Ten requests of which each is wrong in its own way."""
    client = Client(server.address)
    for method in ("Predict", "Classify", "Regress", "MultiInference", "GetModelMetadata"):
        with suppress(grpc.RpcError):
            client.channel.unary_unary(f"/tensorflow.serving.PredictionService/{method}")(b"\xff", timeout=10)
    client.channel.close()
    for asked in ({"model": "nix"}, {"version": 7}, {"inputs": {"seconds": strings(b"a")}}):
        with suppress(grpc.RpcError):
            server.predict(**{"model": SLOW, **asked})
    requests.post(f"{server.rest_url}/v1/models/{SLOW}:predict", data=b"{", timeout=10)
    with socket.create_connection(("127.0.0.1", int(server.rest_url.rpartition(":")[2]))) as half_open:
        half_open.sendall(b"POST /v1/models/slow:predict HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")


def test_five_hundred_wrong_requests_leave_no_thread_and_no_descriptor_behind(server):
    for _ in range(5):  # until everything that is started once is there
        annoy(server)
    threads, descriptors = used(server)
    for _ in range(50):
        annoy(server)
    eventually(lambda: used(server)[0] <= threads + 1, server)
    eventually(lambda: used(server)[1] <= descriptors, server)
    assert ask(server, 0.0).code() == grpc.StatusCode.OK


def test_hundreds_of_connections_that_say_nothing_keep_nobody_waiting(server):
    _, descriptors = used(server)
    with ExitStack() as silent:
        for address in (server.address, server.rest_url.removeprefix("http://")):
            host, _, port = address.rpartition(":")
            for _ in range(300):
                connection = silent.enter_context(socket.create_connection((host, int(port)), timeout=10))
                connection.sendall(b"P")  # of PRI, with which HTTP/2 begins, or of POST
        eventually(lambda: used(server)[1] >= descriptors + 600, server)
        assert ask(server, 0.0).code() == grpc.StatusCode.OK
        assert server.post(f"{SLOW}:predict", {"instances": [0.0]}).json() == {"predictions": [0.0]}
    eventually(lambda: used(server)[1] <= descriptors + 1, server)


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_grpc_over_tls_is_answered_and_plain_grpc_is_not(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    config = tmp_path / "ssl.config"
    lines = {"server_key": key, "server_cert": certificate}
    config.write_text("".join(f'{name}: "{escaped(path.read_text())}"\n' for name, path in lines.items()))
    flags = (f"--ssl_config_file={config}", f"--model_base_path={servable('rank_1')}")
    credentials = grpc.ssl_channel_credentials(certificate.read_bytes())
    with model_server(*flags, credentials=credentials) as server:
        assert server.y("default") == [3.0]
        plain = Client(server.address)
        with refused(grpc.StatusCode.UNAVAILABLE):
            plain.predict(b"", timeout_s=10)
        plain.channel.close()


def escaped(text: str) -> str:
    return text.replace("\n", "\\n")
