"""What TensorFlow Serving's own Python test suite and its documentation ask of the REST API."""

from __future__ import annotations

import gzip
import json

import pytest
import requests

from tests.model_server import model_list, model_server, one_model
from tests.servables import servable

MODELS = ("half_plus_two", "half_plus_two_tf2", "half_plus_three", "mixed_batches", "named", "echo")
LABELLED = (
    "model_version_policy { specific { versions: 123 versions: 124 } } "
    "version_labels { key: 'stable' value: 123 }"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    directory = tmp_path_factory.mktemp("config")
    labelled = one_model("two_versions", servable("two_versions"), LABELLED)
    models, monitoring = directory / "models.config", directory / "monitoring.config"
    models.write_text(model_list(*(one_model(name, servable(name)) for name in MODELS), labelled))
    monitoring.write_text('prometheus_config { enable: true, path: "/monitoring/prometheus/metrics" }')
    flags = (f"--model_config_file={models}", f"--monitoring_config_file={monitoring}")
    with model_server(*flags, "--rest_api_timeout_in_ms=5000") as server:
        yield server


def answered(response: requests.Response) -> object:
    assert response.status_code == 200, response.text
    return response.json()


# Predict


@pytest.mark.parametrize("model", ["half_plus_two", "half_plus_two_tf2"])
def test_rows_and_columns_of_half_plus_two(server, model):
    path = f"{model}:predict"
    assert answered(server.post(path, {"instances": [2.0, 3.0, 4.0]})) == {"predictions": [3.0, 3.5, 4.0]}
    assert answered(server.post(path, {"inputs": [2.0, 3.0, 4.0]})) == {"outputs": [3.0, 3.5, 4.0]}
    assert answered(server.post(path, {"inputs": {"x": [[2], [4]]}})) == {"outputs": [[3.0], [4.0]]}


def test_the_example_of_the_documentation(server):
    body = {"instances": [1.0, 2.0, 5.0]}
    assert answered(server.post("half_plus_three:predict", body)) == {"predictions": [3.5, 4.0, 5.5]}


@pytest.mark.parametrize(
    ("path", "y"), [("", 4.0), ("/versions/123", 3.0), ("/versions/124", 4.0), ("/labels/stable", 3.0)]
)
def test_version_and_label_stand_in_the_path(server, path, y):
    body = {"signature_name": "serving_default", "instances": [2.0]}
    assert answered(server.post(f"two_versions{path}:predict", body)) == {"predictions": [y]}


def test_several_outputs_are_named_and_bytes_are_base64(server):
    rows = [{"name": "cat", "size": 1}, {"name": {"b64": "ZG9n"}, "size": 2.5}]
    first, second = answered(server.post("named:predict", {"instances": rows}))["predictions"]
    assert first == {"name": "cat", "name_bytes": {"b64": "Y2F0"}, "twice": 2.0}
    assert second == {"name": "dog", "name_bytes": {"b64": "ZG9n"}, "twice": 5.0}
    columns = {"name": ["cat", "dog"], "size": [1, 2.5]}
    outputs = answered(server.post("named:predict", {"inputs": columns}))["outputs"]
    assert (outputs["name"], outputs["twice"]) == (["cat", "dog"], [2.0, 5.0])


def test_columns_may_differ_in_length_and_rows_may_not(server):
    body = {"inputs": {"a": [1, 2], "b": [3, 4, 5]}}
    assert answered(server.post("mixed_batches:predict", body)) == {
        "outputs": {"twice_a": [2.0, 4.0], "sum_b": [12.0]}
    }
    refused = server.post("mixed_batches:predict", {"instances": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]})
    assert refused.status_code == 400
    assert "batch size" in refused.json()["error"]


def test_what_json_has_no_word_for_is_written_as_pythons_json_reads_it(server):
    body = '{"signature_name": "float32", "inputs": [NaN, Infinity, -Infinity, 1e-3]}'
    response = requests.post(f"{server.rest_url}/v1/models/echo:predict", data=body, timeout=10)
    assert "[NaN, Infinity, -Infinity, " in json.dumps(answered(response)["outputs"])


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("bool", [True, False]),
        ("int64", [-(2**63), 2**63 - 1]),
        ("uint8", [0, 255]),
        ("uint64", [2**64 - 1]),
        ("float64", [0.1, 1e300]),
        ("string", ["é", ""]),
        ("int32", [[1, 2], [3, 4]]),
        ("float32", 2.5),
    ],
)
def test_every_type_that_json_can_write_comes_back(server, name, values):
    body = {"signature_name": name, "inputs": values}
    assert answered(server.post("echo:predict", body)) == {"outputs": values}


@pytest.mark.parametrize("name", ["bfloat16", "complex64"])
def test_a_type_that_json_can_not_write_is_refused_by_name(server, name):
    response = server.post("echo:predict", {"signature_name": name, "inputs": [1.0]})
    assert response.status_code == 400
    assert "Input 'x' can't be read as DT_" in response.json()["error"]


def test_a_body_may_be_compressed(server):
    body = json.dumps({"instances": [2.0]}).encode()
    assert answered(post_gzip(server, gzip.compress(body))) == {"predictions": [3.0]}
    assert post_gzip(server, body).status_code == 400
    bomb = gzip.compress(b" " * 100 * 1024**2)
    assert post_gzip(server, bomb).status_code == 413


def post_gzip(server, data: bytes) -> requests.Response:
    url = f"{server.rest_url}/v1/models/half_plus_two:predict"
    return requests.post(url, data=data, headers={"Content-Encoding": "gzip"}, timeout=30)


# Classify and regress


@pytest.mark.parametrize("model", ["half_plus_two", "half_plus_two_tf2"])
def test_classify_and_regress_take_examples(server, model):
    examples = [{"x": 2.0}, {"x": 3.0}]
    body = {"signature_name": "classify_x_to_y", "examples": examples}
    assert answered(server.post(f"{model}:classify", body)) == {"results": [[["", 3.0]], [["", 3.5]]]}
    body = {"signature_name": "regress_x_to_y", "examples": examples}
    assert answered(server.post(f"{model}:regress", body)) == {"results": [3.0, 3.5]}


def test_the_context_counts_for_each_example(server):
    body = {"signature_name": "regress_x2_to_y3", "context": {"x2": 4.0}, "examples": [{"x": 1.0}] * 2}
    assert answered(server.post("half_plus_two:regress", body)) == {"results": [5.0, 5.0]}


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        ("half_plus_two:predict", {"instances": [1.0], "inputs": [1.0]}, 400, "inputs"),
        ("half_plus_two:predict", {}, 400, "Missing 'inputs' or 'instances' key"),
        ("half_plus_two:predict", {"instances": ["a"]}, 400, "can't be read as DT_FLOAT"),
        ("half_plus_two:predict", {"signature_name": "nix", "instances": [1]}, 400, 'key "nix" not found'),
        ("half_plus_two:classify", {"examples": [{"x": 2.0}]}, 400, "Expected classification signature"),
        ("half_plus_two:regress", {"instances": [1.0]}, 400, "'examples'"),
        (
            "half_plus_two:regress",
            {"signature_name": "regress_x_to_y", "examples": []},
            400,
            "Input is empty.",
        ),
        ("half:predict", {"instances": [1.0]}, 404, "Servable not found for request: Latest(half)"),
        ("half_plus_two/versions/7:predict", {"instances": [1.0]}, 404, "Specific(half_plus_two, 7)"),
        ("half_plus_two/labels/nix:predict", {"instances": [1.0]}, 400, "version label: nix"),
        ("half:regress", {"examples": [{"x": 1.0}]}, 404, "Servable not found for request: Latest(half)"),
        (
            "half_plus_two/versions/x:predict",
            {"instances": [1.0]},
            400,
            "Malformed request: POST /v1/models/",
        ),
        ("half_plus_two:explode", {}, 400, "Malformed request: POST /v1/models/half_plus_two:explode"),
    ],
)
def test_a_wrong_request_is_refused_in_tensorflow_servings_words(server, path, body, status, text):
    response = server.post(path, body)
    assert (response.status_code, response.headers["Content-Type"]) == (status, "application/json")
    assert text in response.json()["error"]


# Status and metadata


def test_the_status_is_tensorflow_servings(server):
    version = {"version": "123", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    assert answered(server.get("half_plus_two")) == {"model_version_status": [version]}
    assert answered(server.get("half_plus_two/versions/123")) == {"model_version_status": [version]}
    assert answered(server.get("two_versions/labels/stable")) == {"model_version_status": [version]}
    both = answered(server.get("two_versions"))["model_version_status"]
    assert [each["version"] for each in both] == ["124", "123"]


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("half", 404, "Could not find any versions of model half"),
        ("half_plus_two/versions/7", 404, "Could not find version 7 of model half_plus_two"),
        ("half/metadata", 404, "Servable not found for request: Latest(half)"),
    ],
)
def test_the_status_of_what_is_not_there_is_404(server, path, status, text):
    response = server.get(path)
    assert response.status_code == status
    assert text in response.json()["error"]


def tensor(name: str, dtype: str, *sizes: int) -> dict[str, object]:
    """As the metadata shows one."""
    dimensions = [{"size": str(size), "name": ""} for size in sizes]
    return {"dtype": dtype, "tensor_shape": {"dim": dimensions, "unknown_rank": False}, "name": name}


def test_the_metadata_is_tensorflow_servings(server):
    metadata = answered(server.get("half_plus_two/metadata"))
    assert metadata["model_spec"] == {"name": "half_plus_two", "signature_name": "", "version": "123"}
    signatures = metadata["metadata"]["signature_def"]["signature_def"]
    default = {key: value for key, value in signatures["serving_default"].items() if key != "defaults"}
    assert default == {
        "inputs": {"x": tensor("x:0", "DT_FLOAT", -1, 1)},
        "outputs": {"y": tensor("y:0", "DT_FLOAT", -1, 1)},
        "method_name": "tensorflow/serving/predict",
    }
    assert answered(server.get("half_plus_two/versions/123/metadata")) == metadata
    regress = signatures["regress_x_to_y"]
    assert regress["inputs"] == {"inputs": tensor("tf_example:0", "DT_STRING", -1)}
    assert regress["method_name"] == "tensorflow/serving/regress"


def test_prometheus_finds_its_page_with_requests_of_both_protocols(server):
    server.predict("half_plus_two")
    answered(server.post("half_plus_two:predict", {"instances": [2.0]}))
    page = requests.get(f"{server.rest_url}/monitoring/prometheus/metrics", timeout=10)
    assert page.status_code == 200
    assert "# TYPE :tensorflow:serving:request_count counter" in page.text
    for entry in ("GRPC", "REST"):
        labels = f'{{model_name="half_plus_two",API="Predict",entrypoint="{entry}"}}'
        assert f":tensorflow:serving:request_latency_count{labels} " in page.text
    assert ":tensorflow:core:graph_runs{} " in page.text
    assert ':tensorflow:cc:saved_model:load_attempt_count{model_path="' in page.text
