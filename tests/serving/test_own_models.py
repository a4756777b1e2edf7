"""SavedModels of users: shapes and short messages, odd signatures, errors that quote their input.

A request is answered wherever the runtime can, and refused before it costs memory.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import grpc
import numpy as np
import pytest
import requests

# First: it lets the messages load without TensorFlow.
from experiment.protocol import predict_pb2, tensor_pb2, types_pb2  # isort: skip
from tests.support.models.servables import servable
from tests.support.processes.model_server import (
    ModelServer,
    model_list,
    model_server,
    numbers,
    one_model,
    spec,
)
from tests.support.processes.serving_client import Client, array, floats, predict_request, refused, strings
from tests.support.processes.serving_process import picture, start_server

INVALID = grpc.StatusCode.INVALID_ARGUMENT
MODELS = ("scalar_placeholder", "convolved", "no_inputs", "named", "half_plus_two", "rank_1")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    config = tmp_path_factory.mktemp("config") / "models.config"
    config.write_text(model_list(*(one_model(name, servable(name)) for name in MODELS)))
    with model_server(f"--model_config_file={config}") as server:
        yield server


def y(server: ModelServer, model: str, values: np.ndarray) -> list:
    (output,) = server.predict(model, inputs={"x": floats(values)}).outputs.values()
    return array(output).tolist()


@pytest.mark.parametrize("values", [2.0, [2.0], [2.0, 4.0], [[2.0], [4.0]], [[[2.0, 4.0]]]])
def test_a_placeholder_of_shape_nothing_takes_every_shape(server, values):
    """TensorFlow: "If the shape has 0 dimensions, the shape is unconstrained."."""
    wanted = (np.array(values) / 2 + 2).tolist()
    assert y(server, "scalar_placeholder", np.array(values)) == wanted
    asked = server.post("scalar_placeholder:predict", {"inputs": {"x": values}})
    assert asked.json() == {"outputs": wanted}


def test_other_sizes_than_the_declared_ones_are_answered_where_the_graph_can(server):
    for shape in ((1, 8, 8, 1), (2, 5, 7, 1), (3, 3, 3, 1)):
        assert y(server, "convolved", np.ones(shape)) == pytest.approx([1] * shape[0])


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        ((1, 8, 8, 2), "[1,8,8,2] instead of [?,8,8,1]. "),  # and the graph's own words
        ((1, 0, 8, 1), "[1,0,8,1] instead of [?,8,8,1]."),
        ((1,), "[1] instead of [?,8,8,1]."),
        ((8, 8), "[8,8] instead of [?,8,8,1]."),
        ((1, 8, 8, 1, 1), "[1,8,8,1,1] instead of [?,8,8,1]."),
    ],
)
def test_what_the_graph_can_not_compute_is_refused_and_the_server_lives(server, shape, why):
    """A convolution ends its process when it gets another number of dimensions."""
    with refused(INVALID, f"Input 'x' has the wrong shape: {why}"):
        y(server, "convolved", np.ones(shape))
    assert y(server, "convolved", np.ones((1, 8, 8, 1))) == pytest.approx([1])


def test_a_signature_without_inputs_is_asked_with_none_and_told_so(server):
    path = "no_inputs:predict"
    assert server.post(path, {"signature_name": "state", "inputs": {}}).json() == {"outputs": 42.0}
    for body in ({"inputs": [1]}, {"instances": [1]}):
        asked = server.post(path, {"signature_name": "state", **body})
        assert (asked.status_code, "takes no inputs" in asked.json()["error"]) == (400, True)
    several = server.post(path, {"signature_name": "sums", "inputs": [1]})
    assert "has several inputs" in several.json()["error"]


def message(dtype: int, *shape: int, **values) -> tensor_pb2.TensorProto:
    dims = {"dim": [{"size": size} for size in shape]}
    return tensor_pb2.TensorProto(dtype=dtype, tensor_shape=dims, **values)


def peak_bytes(server: ModelServer) -> int:
    """The most memory that the process ever had."""
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


STRING, FLOAT = types_pb2.DT_STRING, types_pb2.DT_FLOAT
SHORT = {
    "strings that were not sent": ("named", {"name": message(STRING, 33_554_332, string_val=[b""])}),
    "numbers for a string": ("named", {"name": message(FLOAT, 67_000_000, float_val=[1])}),
    "numbers that were not sent": ("rank_1", {"x": message(FLOAT, 67_000_000, float_val=[1])}),
    "two numbers, the second of them for all": (
        "rank_1",
        {"x": message(FLOAT, 16_000_000, float_val=[1, 2])},
    ),
    "rows that were not sent": ("half_plus_two", {"x": message(FLOAT, 16_000_000, 1, float_val=[1])}),
    "too many dimensions": ("rank_1", {"x": message(FLOAT, 4000, 4000, float_val=[1])}),
    "sizes whose product is over 64 bits": ("rank_1", {"x": message(FLOAT, *[2**62] * 9)}),
    "an input that the model does not have": ("rank_1", {"z": message(FLOAT, 16_000_000, float_val=[1, 2])}),
}


@pytest.mark.parametrize("what", SHORT)
def test_a_short_message_that_stands_for_gigabytes_is_refused_and_costs_no_memory(server, what):
    model, inputs = SHORT[what]
    inputs = {**inputs, "size": numbers(1)} if model == "named" else inputs
    request = predict_pb2.PredictRequest(model_spec=spec(model), inputs=inputs)
    assert len(request.SerializeToString()) < 200
    before = peak_bytes(server)
    with refused(INVALID, "nput"):
        server.client.prediction.Predict(request, timeout=60)
    assert peak_bytes(server) < before + 50 * 1024**2


def test_one_value_for_a_whole_tensor_is_repeated_as_tensorflow_repeats_it(server):
    inputs = {"x": message(FLOAT, 2, 8, 8, 1, float_val=[3])}
    (output,) = server.predict("convolved", inputs=inputs).outputs.values()
    assert array(output).tolist() == pytest.approx([3, 3])


def test_more_images_than_their_pixels_have_room_for_are_refused(default_server):
    """Of 111 images the default model makes 64 MiB of pixels; a picture of one pixel has 70 bytes."""
    client = Client(default_server.grpc_address)
    tiny = picture(size=(1, 1))
    with refused(INVALID, "112 images are too many at once", "at most 111 are taken"):
        client.predict(*[tiny] * 112)
    assert client.outputs(tiny, tiny)["scores"].shape == (2, 5)


# A model with signatures of its own

EXPORT = """
import sys, tensorflow as tf

def predict(images):
    size = lambda image: tf.shape(tf.io.decode_image(image, channels=3, expand_animations=False))
    sizes = tf.map_fn(size, images, fn_output_signature=tf.TensorSpec([3], tf.int32))
    return {"classes": tf.strings.as_string(sizes), "scores": tf.cast(sizes, tf.float32)}

def parse(examples):
    return tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([1], tf.float32)})

def add(a, b):
    return {"sum": a + b}

def function(body, *specs):
    return tf.function(body, input_signature=[tf.TensorSpec(*spec) for spec in specs])

model = tf.Module()
model.predict = function(predict, ([None], tf.string, "images"))
model.parse = function(parse, ([None], tf.string, "examples"))
model.add = function(add, ([None, 2], tf.float32, "a"), ([], tf.float32, "b"))
signatures = {"predict_images": model.predict, "parse": model.parse, "add": model.add}
tf.saved_model.save(model, sys.argv[1], signatures=signatures)
"""


@pytest.fixture(scope="module")
def foreign_server(tmp_path_factory):
    base = tmp_path_factory.mktemp("model")
    subprocess.run([sys.executable, "-c", EXPORT, str(base / "1")], check=True, capture_output=True)
    with start_server(model_dir=base) as started:
        yield started


@pytest.fixture(scope="module")
def foreign_client(foreign_server):
    return Client(foreign_server.grpc_address)


def test_a_model_without_the_steps_to_split_is_served_in_one_and_has_no_decode_time(foreign_client):
    response, call = foreign_client.prediction.Predict.with_call(
        predict_request(picture(size=(64, 48))), timeout=30
    )
    assert list(response.outputs["classes"].string_val) == [b"48", b"64", b"3"]
    assert [key for key, _ in call.trailing_metadata()] == ["pixelcost-queue-ms", "pixelcost-inference-ms"]


def test_an_undecodable_image_is_the_clients_fault_in_such_a_model_too(foreign_client):
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "Unknown image file format"):
        foreign_client.predict(b"text")


def test_an_error_that_quotes_bytes_of_the_input_is_still_the_clients_fault(foreign_client):
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "Could not parse example input"):
        foreign_client.predict(signature="parse", inputs={"examples": strings(b"\xff\xfe\xfd")})


def test_several_inputs_and_a_scalar_are_asked_by_name(foreign_client, foreign_server):
    inputs = {"a": floats(np.array([[1, 2]])), "b": floats(np.array(3))}
    assert foreign_client.outputs(signature="add", inputs=inputs)["sum"].tolist() == [[4, 5]]
    body = {"signature_name": "add", "inputs": {"a": [[1, 2]], "b": 3}}
    assert requests.post(f"{foreign_server.rest_url}:predict", json=body, timeout=30).json() == {
        "outputs": [[4, 5]]
    }


def test_without_a_name_several_inputs_are_refused(foreign_server):
    body = {"signature_name": "add", "instances": [[1, 2]]}
    answer = requests.post(f"{foreign_server.rest_url}:predict", json=body, timeout=30)
    assert (answer.status_code, "needs its name: a, b" in answer.json()["error"]) == (400, True)


def test_a_model_without_a_default_signature_says_which_it_has(foreign_client):
    with refused(grpc.StatusCode.FAILED_PRECONDITION, '"serving_default" not found', "add, parse, predict"):
        foreign_client.predict(picture(), signature="")


def test_what_can_not_be_warmed_up_is_logged(foreign_server):
    assert "Not warmed up: parse: Could not parse example input" in foreign_server.log()
