"""A SavedModel that is not ours: no steps to split, odd signatures, errors that quote their input."""

from __future__ import annotations

import subprocess
import sys

import grpc
import numpy as np
import pytest
import requests

from tests.support.processes.serving_client import Client, floats, predict_request, refused, strings
from tests.support.processes.serving_process import picture, start_server

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
def server(tmp_path_factory):
    base = tmp_path_factory.mktemp("model")
    subprocess.run([sys.executable, "-c", EXPORT, str(base / "1")], check=True, capture_output=True)
    with start_server(model_dir=base) as server:
        yield server


@pytest.fixture(scope="module")
def client(server):
    return Client(server.grpc_address)


def test_it_is_served_in_one_step_and_has_no_decode_time(client):
    response, call = client.prediction.Predict.with_call(predict_request(picture(size=(64, 48))), timeout=30)
    assert list(response.outputs["classes"].string_val) == [b"48", b"64", b"3"]
    assert [key for key, _ in call.trailing_metadata()] == ["pixelcost-queue-ms", "pixelcost-inference-ms"]


def test_an_undecodable_image_is_the_clients_fault_here_too(client):
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "Unknown image file format"):
        client.predict(b"text")


def test_an_error_that_quotes_bytes_of_the_input_is_still_the_clients_fault(client):
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "Could not parse example input"):
        client.predict(signature="parse", inputs={"examples": strings(b"\xff\xfe\xfd")})


def test_several_inputs_and_a_scalar_are_asked_by_name(client, server):
    inputs = {"a": floats(np.array([[1, 2]])), "b": floats(np.array(3))}
    assert client.outputs(signature="add", inputs=inputs)["sum"].tolist() == [[4, 5]]
    body = {"signature_name": "add", "inputs": {"a": [[1, 2]], "b": 3}}
    assert requests.post(f"{server.rest_url}:predict", json=body, timeout=30).json() == {"outputs": [[4, 5]]}


def test_without_a_name_several_inputs_are_refused(server):
    body = {"signature_name": "add", "instances": [[1, 2]]}
    answer = requests.post(f"{server.rest_url}:predict", json=body, timeout=30)
    assert (answer.status_code, "needs its name: a, b" in answer.json()["error"]) == (400, True)


def test_a_model_without_a_default_signature_says_which_it_has(client):
    with refused(grpc.StatusCode.FAILED_PRECONDITION, '"serving_default" not found', "add, parse, predict"):
        client.predict(picture(), signature="")


def test_what_can_not_be_warmed_up_is_logged(server):
    assert "Not warmed up: parse: Could not parse example input" in server.log()
