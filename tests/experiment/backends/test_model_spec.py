"""What a model takes is read from its metadata, before any picture or number is sent to it."""

from __future__ import annotations

import json

import pytest
from google.protobuf import json_format

from experiment.backends.base import RequestFailed
from experiment.backends.model_spec import InputSpec, input_spec, the_input
from experiment.backends.probe import probe
from experiment.protocol import get_model_metadata_pb2
from experiment.records import BackendInfo
from tests.support.hostile_server import GRPC_METADATA, hostile_grpc_server
from tests.support.models.servables import servable
from tests.support.processes.model_server import model_list, model_server, one_model
from tests.support.scripted_server import rest_server

FLOAT, STRING, INT = 1, 7, 3


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """One embedded server with models of several kinds."""
    names = ("digits", "half_plus_two_tf2", "mixed_batches", "convolved", "constants")
    config = tmp_path_factory.mktemp("models") / "models.config"
    config.write_text(model_list(*(one_model(name, servable(name)) for name in names)))
    with model_server(f"--model_config_file={config}") as server:
        yield server


def info_of(server, protocol: str, model: str, **more) -> BackendInfo:
    address = server.address if protocol == "grpc" else server.rest_url.removeprefix("http://")
    return BackendInfo("1 CPU", protocol, address, model, **more)


def signature_map(**inputs: dict[str, tuple[int, list[int]]]):
    """Signature -> input -> its type and shape."""
    found = get_model_metadata_pb2.SignatureDefMap()
    for signature, rows in inputs.items():
        found.signature_def[signature].method_name = "tensorflow/serving/predict"
        for name, (dtype, shape) in rows.items():
            tensor = found.signature_def[signature].inputs[name]
            tensor.dtype = dtype
            for size in shape:
                tensor.tensor_shape.dim.add().size = size
    return found


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
@pytest.mark.parametrize(
    ("model", "found", "words"),
    [
        (
            "digits",
            InputSpec("predict_images", "images", "DT_FLOAT", (None, 784)),
            "784 numbers (float)",
        ),
        (
            "half_plus_two_tf2",
            InputSpec("serving_default", "x", "DT_FLOAT", (None, 1)),
            "one number (float)",
        ),
        (
            "convolved",
            InputSpec("serving_default", "x", "DT_FLOAT", (None, 8, 8, 1)),
            "8 x 8 x 1 numbers (float)",
        ),
        ("constants", InputSpec("serving_default", "x", "DT_FLOAT", None), "numbers (float)"),
    ],
)
def test_a_model_of_numbers_says_their_type_and_shape_over_both_protocols(
    servers, protocol, model, found, words
):
    spec = input_spec(info_of(servers, protocol, model), timeout_s=5)
    assert (spec, spec.words, spec.takes_numbers) == (found, words, True)


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_a_model_of_pictures_takes_strings(default_server, protocol):
    rest = default_server.rest_url.removeprefix("http://").partition("/")[0]
    address = default_server.grpc_address if protocol == "grpc" else rest
    spec = input_spec(BackendInfo("1 CPU", protocol, address), timeout_s=5)
    assert (spec.signature, spec.name, spec.dtype) == ("predict_images", "images", "DT_STRING")
    assert not spec.takes_numbers


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_a_model_that_is_not_there_or_has_two_inputs_is_a_failure_with_a_sentence(servers, protocol):
    with pytest.raises(RequestFailed) as missing:
        input_spec(info_of(servers, protocol, "no_such"), timeout_s=5)
    assert missing.value.failure.code == "not_found"
    two = info_of(servers, protocol, "mixed_batches")
    with pytest.raises(RequestFailed, match=r"several inputs or none: a, b\. Set") as several:
        input_spec(two, timeout_s=5)
    assert several.value.failure.code == "bad_request"
    named = info_of(servers, protocol, "mixed_batches", input_key="b")
    assert input_spec(named, timeout_s=5).name == "b"


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_a_server_that_is_down_is_a_failure_too(protocol):
    with pytest.raises(RequestFailed, match="No answer from 1 CPU at ") as caught:
        input_spec(BackendInfo("1 CPU", protocol, "127.0.0.1:1"), timeout_s=1)
    assert caught.value.failure.code == "unreachable"


@pytest.mark.parametrize("way", GRPC_METADATA)
def test_odd_metadata_over_grpc_never_raises_anything_else(way):
    with hostile_grpc_server() as (address, _):
        try:
            spec = input_spec(BackendInfo("1 CPU", "grpc", address, way), timeout_s=5)
        except RequestFailed as failed:
            assert failed.failure.message
        else:
            assert spec.dtype == "type number 9999, which does not exist,"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"metadata": 1}',
        b'{"metadata": {"signature_def": []}}',
        b'{"metadata": {"signature_def": {"signature_def": [1]}}}',
        b'{"metadata": {"signature_def": {"signature_def": {"a": {"inputs": {"x": {"dtype": {}}}}}}}}',
        b'{"metadata": {"signature_def": {"signature_def": {}}}}',
        b"\xff\xfe",
    ],
)
def test_odd_metadata_over_rest_never_raises_anything_else(body):
    with rest_server(200, body) as (address, _), pytest.raises(RequestFailed) as caught:
        input_spec(BackendInfo("1 CPU", "rest", address), timeout_s=5)
    assert caught.value.failure.code in {"bad_answer", "not_found"}


def test_metadata_is_read_as_a_stock_server_writes_it():
    sent = signature_map(predict_images={"images": (FLOAT, [-1, 784])})
    written = json_format.MessageToDict(sent, preserving_proto_field_name=True)
    assert written["signature_def"]["predict_images"]["inputs"]["images"]["tensor_shape"]["dim"][0] == {
        "size": "-1"
    }
    body = {"model_spec": {"name": "inception", "version": "1"}, "metadata": {"signature_def": written}}
    with rest_server(200, json.dumps(body).encode()) as (address, _):
        spec = input_spec(BackendInfo("1 CPU", "rest", address), timeout_s=5)
    assert spec == InputSpec("predict_images", "images", "DT_FLOAT", (None, 784))


def test_the_configured_signature_comes_first_then_the_default_one_and_never_one_of_examples():
    sent = signature_map(
        serving_default={"x": (FLOAT, [-1, 3])},
        another={"y": (INT, [3])},
        examples={"inputs": (STRING, [-1])},
    )
    sent.signature_def["examples"].method_name = "tensorflow/serving/classify"
    info = BackendInfo("1 CPU", signature="another")
    assert the_input(info, sent.signature_def) == InputSpec("another", "y", "DT_INT32", (3,))
    assert the_input(BackendInfo("1 CPU"), sent.signature_def).signature == "serving_default"
    del sent.signature_def["another"], sent.signature_def["serving_default"]
    with pytest.raises(RequestFailed, match="no signature for Predict"):
        the_input(BackendInfo("1 CPU"), sent.signature_def)


def test_the_batch_is_no_part_of_an_example():
    def spec(*shape: int | None) -> InputSpec:
        return InputSpec("s", "x", "DT_FLOAT", shape)

    assert spec(None, 784).example_shape == spec(1, 784).example_shape == spec(784).example_shape == (784,)
    assert (spec(None).words, spec(None, None, 3).words) == ("one number (float)", "n x 3 numbers (float)")


OF_784 = (
    "This model takes 784 numbers (float), not pictures, so no photo is sent to it. "
    "`python -m loadtest rate --numbers` measures it under load."
)


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_a_probe_names_a_model_of_numbers_as_such_over_both_protocols(servers, protocol):
    found = probe(info_of(servers, protocol, "digits"))
    assert (found.state, found.detail, found.version) == ("wrong_signature", OF_784, 1)
    assert not found.takes_photos


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_a_model_of_numbers_under_another_signature_is_named_too_and_pixels_can_be_converted(
    servers, protocol
):
    found = probe(info_of(servers, protocol, "convolved"))
    assert found.detail.startswith("This model takes 8 x 8 x 1 numbers (float), not pictures")
    assert "`python -m models convert` makes a model that takes JPEG and PNG." in found.detail
    two = probe(info_of(servers, protocol, "mixed_batches"))  # of which no input can be chosen
    assert two.detail.startswith("The model has no signature predict_images.")


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_a_model_of_pictures_asked_by_a_wrong_signature_is_told_the_right_one(default_server, protocol):
    rest = default_server.rest_url.removeprefix("http://").partition("/")[0]
    address = default_server.grpc_address if protocol == "grpc" else rest
    found = probe(BackendInfo("1 CPU", protocol, address, signature="no_such"))
    assert found.state == "wrong_signature"
    assert found.detail.startswith("The model has no signature no_such. Set MODEL_SIGNATURE_NAME to one it")
    assert "predict_images" in found.detail
