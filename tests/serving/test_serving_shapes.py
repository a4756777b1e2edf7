"""What a request says of its tensors: taken wherever the runtime can, refused before it costs memory."""

from __future__ import annotations

from pathlib import Path

import grpc
import numpy as np
import pytest

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
from tests.support.processes.serving_client import Client, array, floats, refused
from tests.support.processes.serving_process import picture

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
