"""LiteRT: files with and without signatures, fixed batch sizes, quantised numbers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from serving.errors import InvalidArgument, LoadFailed
from tests.support.models.runtime_models import ONE_THREAD, require

require("litert")
from serving.models.servable import Servable  # noqa: E402
from serving.runtimes.litert import load  # noqa: E402

# The old way to convert, without a signature, gives tensors named after the placeholders.
EXPORT = """
import sys, numpy as np, tensorflow as tf
folder = sys.argv[1]

def write(name, converter):
    open(f"{folder}/{name}.tflite", "wb").write(converter.convert())

def module(body, **specs):
    made = tf.Module()
    inputs = [tf.TensorSpec(*spec, name=name) for name, spec in specs.items()]
    made.f = tf.function(body, input_signature=inputs)
    return made

def of(made):
    return tf.lite.TFLiteConverter.from_concrete_functions([made.f.get_concrete_function()], made)

with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    x = tf.compat.v1.placeholder(tf.float32, [1], name="x")
    y = tf.add(x * 0.5, 2.0, name="y")
    write("half_plus_two", tf.compat.v1.lite.TFLiteConverter.from_session(session, [x], [y]))

write("signed", of(module(lambda x: {"y": x / 2.0 + 2.0}, x=([None], tf.float32))))
write("fixed", of(module(lambda x: {"y": tf.reshape(x, [2, 3])}, x=([1, 6], tf.float32))))
write("rank_2", of(module(lambda x: {"y": x / 2.0 + 2.0}, x=([None, 1], tf.float32))))
write("strings", of(module(lambda t: {"u": tf.identity(t)}, t=([None], tf.string))))

matrix = module(lambda x: {"y": x @ np.eye(4, dtype=np.float32)}, x=([1, 4], tf.float32))
quantised = of(matrix)
quantised.optimizations = [tf.lite.Optimize.DEFAULT]
quantised.representative_dataset = lambda: ([np.float32([[0, 85, 170, 255]])] for _ in range(4))
quantised.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
quantised.inference_input_type = quantised.inference_output_type = tf.uint8
write("quantised", quantised)
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """A folder with the small models, converted by real TensorFlow in a process of its own."""
    folder = tmp_path_factory.mktemp("tflite")
    done = subprocess.run(
        [sys.executable, "-c", EXPORT, str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


def described(model) -> dict[str, tuple[dict[str, str], dict[str, str]]]:
    return {
        name: ({k: str(v) for k, v in each.inputs.items()}, {k: str(v) for k, v in each.outputs.items()})
        for name, each in model.signatures.items()
    }


@pytest.mark.parametrize("name", ["half_plus_two", "signed"])
def test_half_plus_two_has_x_and_y_with_and_without_a_signature(files, name):
    model = load(files / f"{name}.tflite", ONE_THREAD)
    assert described(model) == {"serving_default": ({"x": "DT_FLOAT [?]"}, {"y": "DT_FLOAT [?]"})}
    for values in ([1, 2, 5], [4], [0, 0, 0, 8]):
        answer = model.infer("serving_default", {"x": np.array(values, np.float32)})
        assert answer["y"].tolist() == [value / 2 + 2 for value in values]


def test_a_batch_size_that_the_graph_fixes_stands_in_the_signature(files):
    model = load(files / "fixed.tflite", ONE_THREAD)
    assert described(model)["serving_default"] == ({"x": "DT_FLOAT [1,6]"}, {"y": "DT_FLOAT [2,3]"})
    assert model.infer("serving_default", {"x": np.ones((1, 6), np.float32)})["y"].shape == (2, 3)


def ask(model, shape):
    """As the service does, with ones."""
    inputs = {"x": np.ones(shape, np.float32)}
    servable = Servable(model)
    servable.signatures["serving_default"].check_inputs(inputs)
    return servable.infer("serving_default", inputs).outputs["y"]


def test_an_input_is_resized_to_what_was_sent(files):
    model = load(files / "rank_2.tflite", ONE_THREAD)
    for shape in ([1], [3], [2, 1], [1, 4], [5, 2]):
        assert ask(model, shape).tolist() == np.full(shape, 2.5).tolist()


@pytest.mark.parametrize("shape", [[2, 6], [1, 5], [0, 6], [1, 0], [1, 6, 1], [1, 2, 3]])
def test_what_the_file_can_not_compute_is_refused_and_spoils_nothing(files, shape):
    model = load(files / "fixed.tflite", ONE_THREAD)
    with pytest.raises(InvalidArgument, match="Input 'x'"):
        ask(model, shape)
    assert ask(model, [1, 6]).tolist() == [[1, 1, 1]] * 2


def test_quantised_numbers_are_served_as_they_are(files):
    model = load(files / "quantised.tflite", ONE_THREAD)
    assert described(model)["serving_default"] == ({"x": "DT_UINT8 [?,4]"}, {"y": "DT_UINT8 [?,4]"})
    sent = np.array([[0, 85, 170, 255], [255, 0, 0, 1]], np.uint8)
    answer = model.infer("serving_default", {"x": sent})["y"]
    assert answer.dtype == np.uint8
    assert model.about.precision == "int8"
    assert np.abs(answer.astype(int) - sent).max() <= 1


def test_strings_are_refused_when_the_model_is_loaded(files):
    with pytest.raises(LoadFailed, match="'t' holds strings"):
        load(files / "strings.tflite", ONE_THREAD)


def test_another_flatbuffer_is_no_tflite_model(tmp_path):
    (tmp_path / "model.tflite").write_bytes(b"\x18\0\0\0ARRO" + bytes(200))
    with pytest.raises(LoadFailed, match="It is not a TFLite model"):
        load(tmp_path / "model.tflite", ONE_THREAD)
