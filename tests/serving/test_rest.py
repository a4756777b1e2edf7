"""The REST API of a real server with the default model, and that it agrees with gRPC."""

from __future__ import annotations

import base64
import math

import numpy as np
import pytest
import requests

from tests.support.processes.serving_client import Client
from tests.support.processes.serving_process import MODEL, picture


@pytest.fixture(scope="module")
def client(default_server):
    return Client(default_server.grpc_address)


@pytest.fixture(scope="module")
def url(default_server):
    return default_server.rest_url


def b64(data: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(data).decode()}


def predict(url: str, path: str = "", **body: object) -> requests.Response:
    return requests.post(f"{url}{path}:predict", json=body, timeout=30)


PICTURES = (picture("PNG"), picture("JPEG", (90, 40)))
ROWS = [b64(data) for data in PICTURES]


@pytest.mark.parametrize("instances", [ROWS, [{"images": row} for row in ROWS]], ids=["plain", "named"])
def test_rows_are_answered_like_grpc(client, url, instances):
    expected = client.outputs(*PICTURES)
    answer = predict(url, signature_name="predict_images", instances=instances)
    predictions = answer.json()["predictions"]
    assert [row["classes"] for row in predictions] == [
        [label.decode() for label in row] for row in expected["classes"]
    ]
    for alias in ("scores", "probabilities"):
        assert np.array([row[alias] for row in predictions]) == pytest.approx(expected[alias], abs=1e-6)


@pytest.mark.parametrize("inputs", [ROWS, {"images": ROWS}], ids=["plain", "named"])
def test_columns_are_answered_like_grpc(client, url, inputs):
    expected = client.outputs(*PICTURES)
    outputs = predict(url, inputs=inputs).json()["outputs"]
    assert outputs.keys() == {"classes", "scores", "probabilities"}
    assert np.array(outputs["scores"]) == pytest.approx(expected["scores"], abs=1e-6)
    assert outputs["classes"][1][0] == expected["classes"][1][0].decode()


def test_several_outputs_come_with_their_names_in_each_row(client, url):
    (row,) = predict(url, signature_name="decode_images", instances=ROWS[:1]).json()["predictions"]
    pixels = client.outputs(PICTURES[0], signature="decode_images")["pixels"]
    assert np.array([row["pixels"]]) == pytest.approx(pixels, abs=1e-3)
    assert row["checksum"] == pytest.approx(pixels.mean(), rel=1e-4)


def test_numbers_are_taken_as_nested_lists(client, url):
    pixels = client.outputs(PICTURES[0], signature="decode_images")["pixels"].round()
    answer = predict(url, signature_name="classify_pixels", inputs=pixels.astype(int).tolist())
    assert math.fsum(answer.json()["outputs"]["probabilities"][0]) == pytest.approx(1, abs=1e-4)


def test_stage_times_come_in_the_server_timing_header(url):
    header = predict(url, instances=ROWS[:1]).headers["Server-Timing"]
    times = dict(part.split(";dur=") for part in header.split(", "))
    assert times.keys() == {"queue", "decode", "inference"}
    assert float(times["inference"]) > 0


@pytest.mark.parametrize("path", ["", "/versions/1"])
def test_the_version_may_stand_in_the_path(url, path):
    assert predict(url, path, instances=ROWS[:1]).status_code == 200


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("", "JSON Parse error"),
        ("{", "JSON Parse error"),
        ("[" * 100_000, "JSON Parse error"),
        ("[1]", "JSON object"),
        ("{}", "Missing 'inputs' or 'instances' key"),
        ('{"inputs": 1, "instances": 1}', "Send one of them"),
        ('{"instances": []}', "at least one value"),
        ('{"instances": {"images": 1}}', "must be a list"),
        ('{"instances": [1]}', "Input 'images'"),
        ('{"instances": [{"images": "a"}, "b"]}', "instances[1] must be an object with the keys images"),
        ('{"instances": [{"image": "a"}]}', "instances[0] must be an object with the keys images"),
        ('{"instances": ["no image"]}', "images[0] can't be decoded: Unknown image file format"),
        ('{"instances": [{"b64": "%%%"}]}', "damaged base64"),
        ('{"instances": [["a"], ["b", "c"]]}', "differ in length"),
        ('{"instances": [["a"], ["b"]]}', "wrong shape: [2,1] instead of [?]"),
        ('{"inputs": {"images": ["a"], "more": 1}}', "Sent extra: {more}."),
        ('{"inputs": {}}', "Missing but required: {images}."),
        ('{"signature_name": 100, "instances": [1]}', "must be a string"),
        ('{"signature_name": "nix", "instances": [1]}', 'Serving signature key "nix" not found.'),
        ('{"signature_name": "classify_pixels", "inputs": [["a"]]}', "can't be read as DT_FLOAT"),
        ('{"signature_name": "classify_pixels", "inputs": [[1], [1, 2]]}', "can't be read as DT_FLOAT"),
    ],
)
def test_a_wrong_body_is_400_with_the_reason(url, body, text):
    answer = requests.post(f"{url}:predict", data=body, timeout=30)
    assert answer.status_code == 400
    assert text in answer.json()["error"]


@pytest.mark.parametrize(
    ("model", "status", "text"),
    [
        ("nix", 404, "Servable not found for request: Latest(nix)"),
        (f"{MODEL}/versions/7", 404, f"Specific({MODEL}, 7)"),
        (f"{MODEL}/labels/stable", 400, "Unrecognized servable version label: stable"),
    ],
)
def test_an_unknown_model_or_version_is_told_like_tensorflow_serving_tells_it(url, model, status, text):
    other = url.replace(MODEL, model)
    answer = predict(other, instances=ROWS)
    assert answer.status_code == status
    assert text in answer.json()["error"]


@pytest.mark.parametrize("path", ["/", "/v1/models", f"/v1/models/{MODEL}:explode", "/v1/models/a/b/c"])
def test_any_other_path_is_a_malformed_request(url, path):
    answer = requests.get(url.partition("/v1")[0] + path, timeout=10)
    assert answer.status_code == 400
    assert answer.json() == {"error": f"Malformed request: GET {path}"}


def test_a_body_over_the_limit_is_413_and_the_next_one_answered(url):
    answer = requests.post(f"{url}:predict", data=b"x" * 90 * 1024**2, timeout=60)
    assert answer.status_code == 413
    assert "the limit is" in answer.json()["error"]
    assert predict(url, instances=ROWS[:1]).status_code == 200


@pytest.mark.parametrize("path", ["", "/versions/1"])
def test_the_status_is_that_of_tensorflow_serving(url, path):
    (status,) = requests.get(url + path, timeout=10).json()["model_version_status"]
    assert status == {
        "version": "1",
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }


def test_the_metadata_holds_every_signature(url):
    answer = requests.get(f"{url}/metadata", timeout=10).json()
    signature = answer["metadata"]["signature_def"]["signature_def"]["predict_images"]
    assert answer["model_spec"] == {"name": MODEL, "signature_name": "", "version": "1"}
    assert signature["inputs"]["images"]["dtype"] == "DT_STRING"
    assert signature["inputs"]["images"]["tensor_shape"]["dim"] == [{"size": "-1", "name": ""}]
    assert signature["outputs"].keys() == {"classes", "scores", "probabilities"}
