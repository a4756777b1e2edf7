"""What TensorFlow Serving's own Python test suite asks of a server, over gRPC, by the same models."""

from __future__ import annotations

import socket
from dataclasses import replace

import grpc
import numpy as np
import pytest

from experiment.protocol import get_model_metadata_pb2, types_pb2
from tests.support.models.servables import servable
from tests.support.processes.model_server import model_list, model_server, numbers, one_model
from tests.support.processes.serving_client import Client, array, floats, refused, strings

MODELS = (
    *("half_plus_two", "half_plus_three", "half_plus_two_tf2", "mixed_batches", "named", "functions"),
    *("sequential", "mirrored"),
)
LABELLED = (
    "model_version_policy { all {} } version_labels { key: 'stable' value: 123 } "
    "version_labels { key: 'canary' value: 124 }"
)
INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
HALF_PLUS_TWOS = ("half_plus_two", "half_plus_two_tf2")


@pytest.fixture(scope="module")
def socket_path(tmp_path_factory):
    return tmp_path_factory.mktemp("socket") / "grpc"


@pytest.fixture(scope="module")
def server(tmp_path_factory, socket_path):
    """All models in one server, told by a configuration file."""
    config = tmp_path_factory.mktemp("config") / "models.config"
    labelled = one_model("two_versions", servable("two_versions"), LABELLED)
    config.write_text(model_list(*(one_model(name, servable(name)) for name in MODELS), labelled))
    flags = (
        f"--model_config_file={config}",
        f"--grpc_socket_path={socket_path}",
        "--rest_api_timeout_in_ms=5000",
        "--grpc_channel_arguments=grpc.max_connection_age_ms=2000,grpc.lb_policy_name=grpclb",
        "--enable_batching=false",
        "--grpc_max_threads=16",
    )
    with model_server(*flags) as server:
        yield server


# Predict


@pytest.mark.parametrize("model", HALF_PLUS_TWOS)
def test_half_plus_two_is_predicted_and_the_answer_says_by_what(server, model):
    response = server.predict(model, [2.0])
    assert list(response.outputs["y"].float_val) == [3.0]
    spec = response.model_spec
    assert (spec.name, spec.signature_name, spec.version.value) == (model, "serving_default", 123)


def test_a_column_is_answered_in_its_shape(server):
    outputs = server.predict("half_plus_two", inputs={"x": floats(np.array([[2.0], [4.0]]))}).outputs
    assert array(outputs["y"]).tolist() == [[3.0], [4.0]]


def test_the_filter_chooses_outputs(server):
    inputs = {"a": numbers(1, 2), "b": numbers(3)}
    outputs = server.predict("mixed_batches", inputs=inputs, output_filter=["sum_b"]).outputs
    assert {name: list(proto.float_val) for name, proto in outputs.items()} == {"sum_b": [3.0]}


def test_inputs_and_outputs_may_have_batch_sizes_of_their_own(server):
    outputs = server.predict("mixed_batches", inputs={"a": numbers(1, 2), "b": numbers(3, 4, 5)}).outputs
    assert list(outputs["twice_a"].float_val) == [2, 4]
    assert list(outputs["sum_b"].float_val) == [12]


def test_each_function_is_a_signature(server):
    assert list(server.predict("functions", signature="add").outputs["sum"].float_val) == [3]
    assert list(server.predict("functions", signature="multiply").outputs["product"].float_val) == [6]
    with refused(PRECONDITION, 'Serving signature key "serving_default" not found.'):
        server.predict("functions")


@pytest.mark.parametrize("model", ["sequential", "mirrored"])
def test_a_keras_model_is_served(server, model):
    (output,) = server.predict(model, inputs={"x": floats(np.array([[1.0, 2.0]]))}).outputs.values()
    assert array(output).tolist() == [[4.0]]


@pytest.mark.parametrize(
    ("asked", "code", "text"),
    [
        ({"model": "nix"}, NOT_FOUND, "Servable not found for request: Latest(nix)"),
        ({"version": 7}, NOT_FOUND, "Servable not found for request: Specific(half_plus_two, 7)"),
        ({"label": "nix"}, INVALID, "Unrecognized servable version label: nix"),
        ({"model": ""}, INVALID, "Missing ModelSpec"),
        ({"signature": "nix"}, PRECONDITION, 'Serving signature key "nix" not found.'),
        ({"inputs": {"z": numbers(1)}}, INVALID, "input tensor alias not found in signature: z"),
        (
            {"inputs": {"x": numbers(1), "z": numbers(1)}},
            INVALID,
            "input size does not match signature: 2!=1",
        ),
        ({"inputs": {"x": strings(b"a")}}, INVALID, "'x' has the wrong type: DT_STRING"),
        (
            {"model": "sequential", "inputs": {"x": floats(np.zeros((1, 3)))}},
            INVALID,
            "'x' has the wrong shape: [1,3] instead of [?,2]",
        ),
        ({"output_filter": ["nix"]}, INVALID, "output tensor alias not found in signature: nix"),
        ({"output_filter": ["y", "y"]}, INVALID, "duplicate output tensor alias: y"),
    ],
)
def test_a_wrong_request_is_refused_in_tensorflow_servings_words(server, asked, code, text):
    with refused(code, text):
        server.predict(**{"model": "half_plus_two", **asked})


@pytest.mark.parametrize("letter", ["a", "模", "😀"])
def test_a_refusal_that_quotes_a_long_name_still_comes_with_its_own_code(server, letter):
    """gRPC's client makes RESOURCE_EXHAUSTED of over 8 kB, now and then: hence several tries."""
    for _ in range(20):
        with refused(INVALID, "Unrecognized servable version label: " + 300 * letter):
            server.predict("half_plus_two", label=5000 * letter)


def test_bytes_that_are_no_message_are_the_clients_fault(server):
    for method in ("Predict", "Classify", "Regress", "MultiInference", "GetModelMetadata"):
        send = server.client.channel.unary_unary(f"/tensorflow.serving.PredictionService/{method}")
        with refused(INVALID, method):
            send(b"\xff\xff\xff", timeout=10)


# Classify, regress, multi-inference


@pytest.mark.parametrize("model", HALF_PLUS_TWOS)
def test_half_plus_two_classifies(server, model):
    response = server.classify(model, {"x": 2.0}, {"x": 4.0}, signature="classify_x_to_y")
    classes = [list(each.classes) for each in response.result.classifications]
    assert [(one.label, one.score) for (one,) in classes] == [("", 3.0), ("", 4.0)]
    spec = response.model_spec
    assert (spec.name, spec.signature_name, spec.version.value) == (model, "classify_x_to_y", 123)


@pytest.mark.parametrize("model", HALF_PLUS_TWOS)
def test_half_plus_two_regresses(server, model):
    response = server.regress(model, {"x": 2.0}, signature="regress_x_to_y")
    assert [each.value for each in response.result.regressions] == [3.0]
    assert response.model_spec.version.value == 123


def test_a_feature_with_a_default_may_be_left_out(server):
    response = server.regress("half_plus_two", {"x": 0.0}, signature="regress_x2_to_y3")
    assert [each.value for each in response.result.regressions] == [3.0]


@pytest.mark.parametrize("model", HALF_PLUS_TWOS)
def test_several_inferences_of_one_input_are_answered_in_order(server, model):
    tasks = {"regress_x_to_y": "regress", "classify_x_to_y": "classify"}
    first, second = server.multi(model, tasks).results
    assert first.regression_result.regressions[0].value == 3.0
    assert second.classification_result.classifications[0].classes[0].score == 3.0
    assert [each.model_spec.signature_name for each in (first, second)] == list(tasks)


@pytest.mark.parametrize(
    ("kind", "signature", "examples", "text"),
    [
        (
            "classify",
            "",
            [{"x": 2.0}],
            "Expected classification signature method_name to be tensorflow/serving/classify. "
            "Was: tensorflow/serving/predict",
        ),
        (
            "regress",
            "classify_x_to_y",
            [{"x": 2.0}],
            "Expected regression signature method_name to be tensorflow/serving/regress. "
            "Was: tensorflow/serving/classify",
        ),
        ("classify", "nix", [{"x": 2.0}], "No signature was found with the name: nix"),
        ("regress", "regress_x_to_y", [], "Input is empty."),
        ("regress", "regress_x_to_y", [{"z": 2.0}], "Feature: x"),
    ],
)
def test_a_wrong_inference_is_refused_in_tensorflow_servings_words(server, kind, signature, examples, text):
    with refused(INVALID, text):
        getattr(server, kind)("half_plus_two", *examples, signature=signature)


def test_an_unknown_model_is_not_found_by_any_method(server):
    for method in (server.classify, server.regress):
        with refused(NOT_FOUND, "Servable not found for request: Latest(nix)"):
            method("nix", {"x": 2.0})
    with refused(NOT_FOUND, "Servable not found for request: Latest(nix)"):
        server.multi("nix", {"regress_x_to_y": "regress"})
    with refused(NOT_FOUND, "Servable not found for request: Latest(nix)"):
        server.metadata("nix")


# Versions, status, metadata


@pytest.mark.parametrize(
    ("asked", "version", "y"),
    [
        ({}, 124, 4.0),
        ({"version": 123}, 123, 3.0),
        ({"version": 124}, 124, 4.0),
        ({"label": "stable"}, 123, 3.0),
        ({"label": "canary"}, 124, 4.0),
    ],
)
def test_the_version_or_label_chooses_and_without_one_the_highest_answers(server, asked, version, y):
    response = server.predict("two_versions", **asked)
    assert response.model_spec.version.value == version
    assert list(response.outputs["y"].float_val) == [y]


def test_the_status_lists_every_version_or_the_one_asked_for(server):
    assert server.status("two_versions") == {124: "AVAILABLE", 123: "AVAILABLE"}
    assert server.status("two_versions", version=123) == {123: "AVAILABLE"}
    assert server.status("two_versions", label="stable") == {123: "AVAILABLE"}


@pytest.mark.parametrize(
    ("asked", "code", "text"),
    [
        ({"model": "nix"}, NOT_FOUND, "Could not find any versions of model nix"),
        ({"version": 7}, NOT_FOUND, "Could not find version 7 of model half_plus_two"),
        ({"label": "nix"}, INVALID, "Unrecognized servable version label: nix"),
        ({"model": ""}, INVALID, "Missing ModelSpec"),
    ],
)
def test_the_status_of_what_is_not_there_is_refused(server, asked, code, text):
    with refused(code, text):
        server.status(**{"model": "half_plus_two", **asked})


def test_the_metadata_holds_the_signatures_as_the_model_has_them(server):
    response = server.metadata("half_plus_two")
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    default = signatures.signature_def["serving_default"]
    assert (response.model_spec.name, response.model_spec.version.value) == ("half_plus_two", 123)
    assert default.method_name == "tensorflow/serving/predict"
    assert (default.inputs["x"].name, default.inputs["x"].dtype) == ("x:0", types_pb2.DT_FLOAT)
    assert signatures.signature_def["regress_x_to_y"].method_name == "tensorflow/serving/regress"
    assert len(signatures.signature_def) == 6


def test_other_metadata_than_signatures_is_refused(server):
    with refused(INVALID, "Metadata field nix is not supported"):
        server.metadata("half_plus_two", "nix")


# Ways to the server


def test_a_unix_socket_answers_the_same(server, socket_path):
    over_socket = replace(server, client=Client(f"unix:{socket_path}"))
    assert over_socket.y("half_plus_two") == [3.0]
    over_socket.client.channel.close()


def test_methods_that_the_server_has_not_are_unimplemented(server):
    methods = (
        "serving.SessionService/SessionRun",
        "serving.PredictionService/Nix",
        "ProfilerService/Profile",
    )
    for method in methods:
        send = server.client.channel.unary_unary(f"/tensorflow.{method}")
        with refused(grpc.StatusCode.UNIMPLEMENTED):
            send(b"", timeout=10)


def test_a_client_that_sends_nothing_disturbs_nobody(server):
    host, port = server.address.split(":")
    with socket.create_connection((host, int(port))):
        assert server.y("half_plus_two") == [3.0]
