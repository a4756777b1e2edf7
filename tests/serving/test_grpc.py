"""The gRPC API of a real server with the default model, asked by TensorFlow Serving's own stubs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from experiment.protocol import get_model_metadata_pb2, get_model_status_pb2, tensor_pb2, types_pb2
from tests.support.processes.serving_client import Client, floats, predict_request, refused, strings
from tests.support.processes.serving_process import MODEL, picture

CAT = (Path(__file__).resolve().parents[2] / "static" / "samples" / "cat.png").read_bytes()
FORMATS = ("JPEG", "PNG", "GIF", "BMP")
INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture(scope="module")
def client(default_server):
    return Client(default_server.grpc_address)


def test_a_photo_of_a_cat_is_called_a_cat(client):
    outputs = client.outputs(CAT)
    assert outputs["classes"][0][0] in {b"Egyptian cat", b"tabby", b"tiger cat"}
    assert outputs["scores"][0][0] > 0.3


def test_the_answer_names_model_version_and_signature(client):
    spec = client.predict(picture()).model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == (MODEL, 1, "predict_images")


def test_scores_are_the_best_five_probabilities(client):
    outputs = client.outputs(CAT)
    probabilities = outputs["probabilities"][0]
    assert probabilities.sum() == pytest.approx(1, abs=1e-4)
    assert outputs["scores"][0] == pytest.approx(np.sort(probabilities)[::-1][:5])
    assert outputs["classes"].shape == outputs["scores"].shape == (1, 5)


def test_values_stand_in_the_fields_that_clients_read(client):
    outputs = client.predict(picture()).outputs
    assert len(outputs["scores"].float_val) == len(outputs["classes"].string_val) == 5


def test_a_batch_of_all_formats_is_answered_like_its_images_alone(client):
    images = [picture(image_format, (40 + 7 * i, 30)) for i, image_format in enumerate(FORMATS)]
    batch = client.outputs(*images)
    alone = [client.outputs(image)["probabilities"][0] for image in images]
    assert batch["probabilities"] == pytest.approx(np.stack(alone), abs=1e-4)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_pngs_of_every_colour_type_are_read(client, mode):
    assert client.outputs(picture("PNG", mode=mode))["classes"].shape == (1, 5)


def test_the_two_steps_give_what_the_whole_gives(client):
    pixels = client.outputs(CAT, signature="decode_images")["pixels"]
    assert pixels.shape == (1, 224, 224, 3)
    steps = client.outputs(signature="classify_pixels", inputs={"pixels": floats(pixels)})
    assert steps["probabilities"] == pytest.approx(client.outputs(CAT)["probabilities"], abs=1e-5)


def test_no_signature_name_means_serving_default(client):
    answer = client.predict(picture(), signature="")
    assert answer.model_spec.signature_name == "serving_default"


def test_only_the_outputs_of_the_filter_come_back(client):
    assert client.outputs(picture(), output_filter=["scores"]).keys() == {"scores"}


def test_the_version_can_be_asked_for_by_number(client):
    assert client.predict(picture(), version=1).model_spec.version.value == 1


def test_stage_times_come_in_the_trailing_metadata(client):
    _, call = client.prediction.Predict.with_call(predict_request(picture()), timeout=30)
    times = {key: float(value) for key, value in call.trailing_metadata()}
    assert times.keys() == {"pixelcost-queue-ms", "pixelcost-decode-ms", "pixelcost-inference-ms"}
    assert times["pixelcost-decode-ms"] > 0 < times["pixelcost-inference-ms"]


NOT_FOUND = grpc.StatusCode.NOT_FOUND
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


@pytest.mark.parametrize(
    ("asked", "code", "text"),
    [
        ({"model": "nix"}, NOT_FOUND, "Servable not found for request: Latest(nix)"),
        ({"version": 7}, NOT_FOUND, f"Servable not found for request: Specific({MODEL}, 7)"),
        ({"label": "stable"}, INVALID, "Unrecognized servable version label: stable"),
        ({"model": ""}, INVALID, "Missing ModelSpec"),
        ({"signature": "nix"}, PRECONDITION, 'Serving signature key "nix" not found.'),
        ({"inputs": {}}, INVALID, "Missing but required: {images}."),
        (
            {"inputs": {"image": strings(b"x")}},
            INVALID,
            "alias not found in signature: image.",
        ),
        (
            {"inputs": {"images": floats(np.zeros(1))}},
            INVALID,
            "'images' has the wrong type: DT_FLOAT instead",
        ),
        ({"inputs": {"images": strings()}}, INVALID, "'images' is empty"),
        ({"output_filter": ["nix"]}, INVALID, "output tensor alias not found in signature: nix"),
        ({"output_filter": ["scores", "scores"]}, INVALID, "duplicate output tensor alias: scores"),
    ],
)
def test_a_wrong_request_is_refused_by_name(client, asked, code, text):
    with refused(code, text):
        client.predict(picture(), **asked)


@pytest.mark.parametrize("shape", [(224, 224, 3), (1, 224, 224, 4), (0, 224, 224, 3)])
def test_pixels_of_another_shape_are_refused(client, shape):
    with refused(INVALID, "'pixels'", "shape"):
        client.predict(signature="classify_pixels", inputs={"pixels": floats(np.zeros(shape))})


def test_a_tensor_that_would_fill_the_memory_is_refused(client):
    shape = {"dim": [{"size": 10**6}, {"size": 224}, {"size": 224}, {"size": 3}]}
    bomb = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, tensor_shape=shape, float_val=[0.0])
    with refused(INVALID, "'pixels' is too large"):
        client.predict(signature="classify_pixels", inputs={"pixels": bomb})


def test_bytes_that_are_no_message_are_refused(client):
    send_raw = client.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    with refused(INVALID, "not its message"):
        send_raw(b"\xff\xff\xff", timeout=10)


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


BROKEN = {
    "empty": b"",
    "text": b"not an image",
    **{f"half a {name}": half(picture(name)) for name in FORMATS},
    **{f"the start of a {name}": picture(name)[:9] for name in FORMATS},
    "a TIFF": picture("TIFF"),
    "noise in a PNG": picture("PNG")[:60] + b"\0" * 40 + picture("PNG")[100:],
}


@pytest.mark.parametrize("name", BROKEN)
def test_an_undecodable_image_is_the_clients_fault_and_named(client, name):
    with refused(INVALID, "images[0] can't be decoded: "):
        client.predict(BROKEN[name])


def test_the_broken_image_of_a_batch_is_named(client):
    with refused(INVALID, "images[2] can't be decoded: Unknown image file format."):
        client.predict(picture("PNG"), picture("JPEG"), b"text", picture("GIF"))


def test_a_message_of_65_mb_is_refused_and_the_next_one_answered(client):
    with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "larger than max"):
        client.predict(b"x" * 65 * 1024**2)
    assert client.outputs(picture()).keys() == {"classes", "scores", "probabilities"}


def test_a_message_just_under_the_limit_reaches_the_decoder(client):
    with refused(INVALID, "Unknown image file format"):
        client.predict(b"x" * (64 * 1024**2 - 1000))


def test_concurrent_clients_each_get_the_answer_to_their_own_image(client):
    images = [picture(size=(20 + 10 * i, 200 - 10 * i)) for i in range(6)]
    alone = [client.outputs(image)["probabilities"] for image in images]
    with ThreadPoolExecutor(12) as pool:
        together = list(pool.map(lambda i: client.outputs(images[i % 6])["probabilities"], range(24)))
    for index, probabilities in enumerate(together):
        assert probabilities == pytest.approx(alone[index % 6], abs=1e-5)


def test_a_request_that_waits_for_others_reports_it_as_queue_time(client):
    calls = [client.prediction.Predict.future(predict_request(CAT), timeout=60) for _ in range(6)]
    queues = [float(dict(call.trailing_metadata())["pixelcost-queue-ms"]) for call in calls if call.result()]
    spent = [float(dict(call.trailing_metadata())["pixelcost-inference-ms"]) for call in calls]
    assert max(queues) > min(spent)


def test_metadata_holds_every_signature(client):
    request = get_model_metadata_pb2.GetModelMetadataRequest(
        model_spec={"name": MODEL}, metadata_field=["signature_def"]
    )
    response = client.prediction.GetModelMetadata(request, timeout=10)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    predict = signatures.signature_def["predict_images"]
    assert {"predict_images", "decode_images", "classify_pixels"} <= signatures.signature_def.keys()
    assert predict.inputs["images"].dtype == types_pb2.DT_STRING
    assert predict.outputs.keys() == {"classes", "scores", "probabilities"}
    assert response.model_spec.version.value == 1


@pytest.mark.parametrize(
    ("name", "fields", "code"),
    [(MODEL, [], INVALID), (MODEL, ["nix"], INVALID), ("nix", ["signature_def"], NOT_FOUND)],
)
def test_wrong_metadata_requests_are_refused(client, name, fields, code):
    request = get_model_metadata_pb2.GetModelMetadataRequest(model_spec={"name": name}, metadata_field=fields)
    with refused(code):
        client.prediction.GetModelMetadata(request, timeout=10)


def test_the_status_of_a_served_version_is_available(client):
    request = get_model_status_pb2.GetModelStatusRequest(model_spec={"name": MODEL})
    (status,) = client.model.GetModelStatus(request, timeout=10).model_version_status
    assert (status.version, status.state) == (1, get_model_status_pb2.ModelVersionStatus.AVAILABLE)
    assert (status.status.error_code, status.status.error_message) == (0, "")


def test_the_status_of_an_unknown_model_is_not_found(client):
    request = get_model_status_pb2.GetModelStatusRequest(model_spec={"name": "nix"})
    with refused(NOT_FOUND, "Could not find any versions of model nix"):
        client.model.GetModelStatus(request, timeout=10)


@pytest.mark.parametrize("service", ["", "tensorflow.serving.PredictionService"])
def test_a_ready_server_is_healthy(client, service):
    stub = health_pb2_grpc.HealthStub(client.channel)
    answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=10)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
