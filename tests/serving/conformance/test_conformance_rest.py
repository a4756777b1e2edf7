"""What TensorFlow Serving's own Python test suite and its documentation ask of the REST API."""

from __future__ import annotations

import base64
import gzip
import json
import math
import socket
import zlib
from http.client import HTTPConnection
from urllib.parse import quote, urlsplit

import pytest
import requests

from tests.support.models.servables import servable
from tests.support.processes.model_server import model_list, model_server, one_model

MODELS = (
    *("half_plus_two", "half_plus_two_tf2", "half_plus_three", "mixed_batches", "named", "echo"),
    "constants",
)
ODD_NAMES = ("größe", "大小", "debug/half", "a:b", "a+b", "a%20b", "my model", "q?x#y")
ODD_LABEL = "stabil/größte:1"
ECHOED = (
    "float32",
    "float64",
    "float16",
    "bool",
    "string",
    *(f"{u}int{n}" for u in ("", "u") for n in (8, 16, 32, 64)),
)
LABELLED = (
    "model_version_policy { specific { versions: 123 versions: 124 } } "
    "version_labels { key: 'stable' value: 123 }"
    f"version_labels {{ key: '{ODD_LABEL}' value: 124 }}"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    directory = tmp_path_factory.mktemp("config")
    labelled = one_model("two_versions", servable("two_versions"), LABELLED)
    models, monitoring = directory / "models.config", directory / "monitoring.config"
    odd = (one_model(name, servable("half_plus_two")) for name in ODD_NAMES)
    models.write_text(model_list(*(one_model(name, servable(name)) for name in MODELS), *odd, labelled))
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


@pytest.mark.parametrize(("signature", "y"), [("serving_default", 1.0), ("custom_signature_key", 2.0)])
def test_an_answer_that_does_not_depend_on_the_input_is_one_value(server, signature, y):
    response = server.predict("constants", signature=signature, output_filter=["y"])
    assert list(response.outputs["y"].float_val) == [y]
    assert (response.model_spec.signature_name, response.model_spec.version.value) == (signature, 123)
    asked = {"signature_name": signature}
    columns = server.post("constants:predict", {**asked, "inputs": [1.0, 2.0]})
    assert answered(columns) == {"outputs": y}
    rows = server.post("constants:predict", {**asked, "instances": [1.0, 2.0]})
    assert rows.status_code == 400
    assert "Output 'y' is one value, not one for each instance. Ask with 'inputs'" in rows.json()["error"]


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


def post_text(server, path: str, body: str | bytes, **headers: str) -> requests.Response:
    url = f"{server.rest_url}/v1/models/{path}"
    return requests.post(url, data=body, headers=headers, timeout=30)


def test_what_json_has_no_word_for_is_written_as_pythons_json_reads_it(server):
    body = '{"signature_name": "float32", "inputs": [NaN, Infinity, -Infinity, 2.48]}'
    assert "[NaN, Infinity, -Infinity, 2.48]" in post_text(server, "echo:predict", body).text


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("float32", "[2.48,0.1,3.0,-0.0,1e-45,3.4028235e+38,0.12345679]"),
        ("float64", "[2.48,0.1,3.0,5e-324,1.7976931348623157e+308]"),
        ("float16", "[2.5,3.0,65504.0,0.099975586]"),
        ("int64", "[3,-9223372036854775808]"),
        ("uint64", "[3,18446744073709551615]"),
        ("bool", "[true,false]"),
    ],
)
def test_a_number_is_written_with_the_fewest_digits_that_give_it_back(server, name, written):
    body = f'{{"signature_name": "{name}", "inputs": {written}}}'
    assert post_text(server, "echo:predict", body).text == f'{{"outputs":{written}}}'


def test_predict_classify_and_regress_write_a_float_without_the_digits_of_a_double(server):
    assert '"predictions":[2.48]' in server.post("half_plus_two:predict", {"instances": [0.96]}).text
    named = server.post("named:predict", {"instances": [{"name": "cat", "size": 1.24}]}).text
    assert '"twice":2.48' in named
    examples = [{"x": 0.96}, {"x": math.nan}]
    for method, results in (("classify", '[[["", 2.48]], [["", NaN]]]'), ("regress", "[2.48, NaN]")):
        body = json.dumps({"signature_name": f"{method}_x_to_y", "examples": examples})
        answer = post_text(server, f"half_plus_two:{method}", body)
        assert answer.text == f'{{"results": {results}}}'


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("bool", [True, False]),
        ("int64", [-(2**63), 2**63 - 1]),
        ("uint8", [0, 255]),
        ("uint64", [2**64 - 1]),
        ("uint64", [2**63, 1]),
        ("uint64", [1, 2**63 + 1]),
        ("uint64", [[2**63], [0]]),
        ("uint32", [0, 2**32 - 1]),
        ("int32", [-(2**31), 2**31 - 1]),
        ("uint16", [0, 2**16 - 1]),
        ("int16", [-(2**15), 2**15 - 1]),
        ("int8", [-128, 127]),
        ("float64", [0.1, 1e300]),
        ("float16", [0.5, 65504.0]),
        *((name, []) for name in ECHOED),
        *((name, [[], []]) for name in ("int64", "float32", "string")),
        ("string", ["é", ""]),
        ("int32", [[1, 2], [3, 4]]),
        ("float32", 2.5),
    ],
)
def test_every_type_that_json_can_write_comes_back(server, name, values):
    body = {"signature_name": name, "inputs": values}
    assert answered(server.post("echo:predict", body)) == {"outputs": values}


WHOLE = {
    **{f"int{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)},
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_number_outside_its_type_is_refused_with_the_limits(server, name):
    least, most = WHOLE[name]
    for values in ([least - 1, 0], [0, most + 1], [most + 1, least], [10**30]):
        response = server.post("echo:predict", {"signature_name": name, "inputs": values})
        assert response.status_code == 400
        assert f"outside {least} to {most}." in response.json()["error"]


@pytest.mark.parametrize(
    ("name", "values", "why"),
    [
        ("int64", "[1.0]", "it holds 1.0, which is not a whole number."),
        ("int64", "[1, true]", "it holds true, which is not a whole number."),
        ("int64", '[1, "2"]', 'it holds "2", which is not a whole number.'),
        ("uint64", "[9223372036854775808, 0.5]", "it holds 0.5, which is not a whole number."),
        ("int32", "[NaN]", "it holds NaN, which is not a whole number."),
        ("int32", "[null]", "it holds null, which is not a whole number."),
        ("int8", '[{"a": 1}]', "it holds an object, which is not a whole number."),
        ("float32", "[1.5, true]", "it holds true, which is not a number."),
        ("float32", '[1.5, "2"]', 'it holds "2", which is not a number.'),
        ("float32", "[1e39]", "it holds 1e+39, outside -3.4028e+38 to 3.4028e+38."),
        ("float16", "[70000]", "it holds 70000, outside -65504 to 65504."),
        ("float32", "[16777217]", "it holds 16777217, which a float32 can't hold exactly"),
        ("float64", "[9007199254740993]", "it holds 9007199254740993, which a float64 can't hold exactly"),
        ("float64", "[1e400]", "JSON Parse error: the number 1e400 is too big"),
        ("bool", "[true, 1]", "it holds 1, which is neither true nor false."),
        ("bool", '["true"]', 'it holds "true", which is neither true nor false.'),
        ("string", '["a", 1]', "it holds 1, which is neither a string nor"),
        ("string", '["\\ud83d"]', "it holds half of a surrogate pair"),
        ("int64", "[[1], [2, 3]]", "its lists differ in length or depth."),
        ("int64", "[[1], 2]", "its lists differ in length or depth."),
        ("float32", "[1, [2]]", "its lists differ in length or depth."),
    ],
)
def test_values_of_another_kind_are_refused_and_the_first_one_named(server, name, values, why):
    response = post_text(server, "echo:predict", f'{{"signature_name": "{name}", "inputs": {values}}}')
    assert response.status_code == 400
    assert why in response.json()["error"]


@pytest.mark.parametrize("name", ["float32", "int64", "string"])
@pytest.mark.parametrize("depth", [33, 40, 70, 900, 1100, 100_000])
def test_lists_that_are_nested_too_deeply_are_the_clients_fault(server, name, depth):
    lists = "[" * depth + "1" + "]" * depth
    response = post_text(server, "echo:predict", f'{{"signature_name": "{name}", "inputs": {lists}}}')
    assert response.status_code == 400
    assert "nested" in response.json()["error"]


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ('{"instances": [1.0], "instances": [2.0]}', "instances"),
        ('{"instances": [{"x": 1.0, "x": 2.0}]}', "x"),
        ('{"inputs": {"x": [1.0], "x": [2.0]}}', "x"),
        ('{"instances": [NaN], "signature_name": "a", "signature_name": "b"}', "signature_name"),
        (r'{"instances": [1.0], "\u0069nstances": [2.0]}', "instances"),
        (r'{"instances": [{"x": 1.0, "\u0078" : 2.0}]}', "x"),
        (r'{"inputs": {"x": [1.0], "\u0078": [2.0]}}', "x"),
    ],
)
def test_a_key_that_stands_twice_is_refused_for_parsers_differ_in_which_one_counts(server, body, key):
    response = post_text(server, "half_plus_two:predict", body)
    assert response.status_code == 400
    assert f"The key {key!r} appears twice" in response.json()["error"]


def test_a_key_may_be_written_with_escapes(server):
    body = r'{"signature\u005fname": "serving_default", "\u0069nputs": {"\u0078": [2.0]}}'
    assert answered(post_text(server, "half_plus_two:predict", body)) == {"outputs": [3.0]}


@pytest.mark.parametrize(
    ("body", "status"),
    [(r'{"inputs": {"\ud83d": [1.0]}}', 400), (r'{"\ud83d": 1, "inputs": [[1.0]]}', 200)],
)
def test_a_key_that_is_half_of_a_pair_is_like_other_keys_that_nobody_knows(server, body, status):
    assert post_text(server, "half_plus_two:predict", body).status_code == status


def test_an_input_may_bear_the_name_of_a_key(server):
    body = {"signature_name": "string", "instances": ["instances", "inputs", "signature_name"]}
    assert answered(server.post("echo:predict", body)) == {"predictions": body["instances"]}


@pytest.mark.parametrize(
    ("text", "data"),
    [
        (base64.encodebytes(b"x" * 100).decode(), b"x" * 100),
        (base64.encodebytes(b"x" * 100).decode().replace("\n", "\r\n"), b"x" * 100),
        (" YW\tJj ", b"abc"),
        ("YWJjZA==", b"abcd"),
        ("YWJjZA", b"abcd"),
        ("YWJjZA=\n=", b"abcd"),
        ("YWJjZGU", b"abcde"),
        ("", b""),
    ],
)
def test_base64_may_have_line_breaks_and_no_padding(server, text, data):
    row = {"name": {"b64": text}, "size": 1}
    (answer,) = answered(server.post("named:predict", {"instances": [row]}))["predictions"]
    assert base64.b64decode(answer["name_bytes"]["b64"]) == data


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("-_8=", "URL-safe"),
        ("YWJjZA=", "damaged base64"),
        ("A", "damaged base64"),
        ("YW=Jj", "damaged base64"),
        ("YWJjé", "damaged base64"),
        ("data:image/png;base64,YWJj", "damaged base64"),
    ],
)
def test_other_base64_is_refused_with_the_reason(server, text, why):
    response = server.post("echo:predict", {"signature_name": "string", "inputs": [{"b64": text}]})
    assert response.status_code == 400
    assert why in response.json()["error"]


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
    assert post_gzip(server, bomb[:-8]).status_code == 413


def post_gzip(server, data: bytes, encoding: str = "gzip") -> requests.Response:
    return post_text(server, "half_plus_two:predict", data, **{"Content-Encoding": encoding})


BODY = json.dumps({"instances": [2.0]}).encode()
# The workers collect the tests in different seconds and must name them alike: no time in the gzip.
ONE = gzip.compress(BODY, mtime=0)
HALVES = gzip.compress(BODY[:10], mtime=0) + gzip.compress(BODY[10:], mtime=0)


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip"])
@pytest.mark.parametrize("data", [ONE, HALVES, HALVES + bytes(512)])
def test_gzip_may_have_several_members_and_zeros_behind_them(server, encoding, data):
    assert answered(post_gzip(server, data, encoding)) == {"predictions": [3.0]}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (ONE[:-9], "cut off"),
        (ONE[:-8], "cut off"),
        (ONE[:-1], "cut off"),
        (HALVES[:-8], "cut off"),
        (ONE[:-8] + bytes(8), "is not the gzip that its header says"),
        (ONE + b"more", "is not the gzip that its header says"),
        (zlib.compress(BODY), "is not the gzip that its header says"),
        (gzip.compress(b"", mtime=0) * 10_001 + ONE, "over 10000 gzip members"),
    ],
)
def test_gzip_that_is_cut_or_damaged_is_refused(server, data, why):
    response = post_gzip(server, data)
    assert response.status_code == 400
    assert why in response.json()["error"]


@pytest.mark.parametrize("encoding", ["deflate", "br", "zstd", "compress", "gzip, gzip"])
def test_another_content_encoding_is_415_and_says_which_are_taken(server, encoding):
    response = post_gzip(server, zlib.compress(BODY), encoding)
    assert response.status_code == 415
    assert "gzip (or x-gzip)" in response.json()["error"]
    assert response.headers["Accept-Encoding"] == "gzip"


# Methods and names


def test_an_answer_to_head_has_no_body_that_would_be_taken_for_the_next_answer(server):
    address = urlsplit(server.rest_url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        for method in ("HEAD", "GET"):
            last = "Connection: close\r\n" if method == "GET" else ""
            connection.sendall(
                f"{method} /v1/models/half_plus_two HTTP/1.1\r\nHost: a\r\n{last}\r\n".encode()
            )
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, rest = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert rest.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("number", ["1760000000000000000", "9223372036854775807"])
def test_every_version_that_a_directory_may_have_can_be_asked_for(server, number):
    """Times in nanoseconds have 19 digits."""
    response = server.get(f"half_plus_two/versions/{number}")
    assert response.status_code == 404
    assert f"Could not find version {number} of" in response.json()["error"]


@pytest.mark.parametrize("number", ["9223372036854775808", "1" * 5000])
def test_a_version_over_64_bits_is_refused(server, number):
    response = server.get(f"half_plus_two/versions/{number}")
    assert response.status_code == 400
    assert "the highest possible one is 9223372036854775807" in response.json()["error"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_model_of_any_name_is_asked_by_its_name_percent_encoded(server, name):
    path = quote(name, safe="")
    assert answered(server.post(f"{path}:predict", {"instances": [2.0]})) == {"predictions": [3.0]}
    assert answered(server.get(path))["model_version_status"][0]["state"] == "AVAILABLE"
    assert answered(server.get(f"{path}/versions/123/metadata"))["model_spec"]["name"] == name
    regress = {"signature_name": "regress_x_to_y", "examples": [{"x": 2.0}]}
    assert answered(server.post(f"{path}:regress", regress)) == {"results": [3.0]}


def test_a_label_may_have_any_name_too(server):
    path = f"two_versions/labels/{quote(ODD_LABEL, safe='')}:predict"
    assert answered(server.post(path, {"instances": [2.0]})) == {"predictions": [4.0]}


def test_the_colon_of_the_action_may_be_percent_encoded(server):
    assert answered(server.post("half_plus_two%3Apredict", {"instances": [2.0]})) == {"predictions": [3.0]}


def test_a_path_that_is_not_utf_8_names_no_model(server):
    response = server.get("gr%F6%DFe")
    assert (response.status_code, "Could not find any versions" in response.text) == (404, True)


def test_the_whole_address_may_stand_in_the_request_line(server):
    """As proxies send it."""
    address = urlsplit(server.rest_url)
    connection = HTTPConnection(address.hostname, address.port, timeout=10)
    connection.request("GET", f"{server.rest_url}/v1/models/debug%2Fhalf")
    assert connection.getresponse().status == 200
    connection.close()


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
