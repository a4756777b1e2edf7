"""Writes a model that TensorFlow can load as a SavedModel, with decoding and labels in its graph."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import types_pb2

from models.convert import encoded
from models.formats.kinds import Found
from models.formats.saved_model_reader import look_into
from models.image_model import ImageModel
from models.interface.ends import Ends, choose
from models.interface.labels import find_labels, label_count
from models.interface.pixels import Pixels, work_out
from models.interface.scores import is_logits, try_scores
from models.interface.wanted import Say, Wanted
from models.networks import keras_file, tensorflow_graphs, tflite_layers
from models.networks.network import Network
from models.placing import card_of
from models.problems import ModelProblem
from models.warmup_requests import write_warmup_requests

LOAD: dict[str, Callable[[Found, Wanted], Network]] = {
    "SavedModel": tensorflow_graphs.load_saved_model,
    "Keras": keras_file.load,
    "Keras HDF5": keras_file.load,
    "frozen GraphDef": tensorflow_graphs.load_graph_def,
    "TFLite": tflite_layers.load,  # only for --to
}


def write(found: Found, directory: Path, wanted: Wanted, say: Say) -> dict[str, Any]:
    """Write a SavedModel into `directory` and return the card's sections. Raises ModelProblem."""
    if found.kind.name == "SavedModel" and not look_into(found.path).problems():
        say("it has the signature predict_images already: copied as it is")
        # Files without their permissions: a model may lie where nothing can be written.
        for file in (path for path in found.path.rglob("*") if path.is_file()):
            copy = directory / file.relative_to(found.path)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        return card_of(directory)
    network = loaded(found, wanted, say)
    if encoded.takes_images(network, wanted):
        return encoded.write(found, network, directory, wanted, say)
    model, labels = _around(network, wanted, say)
    model.save(directory)
    write_warmup_requests(directory, wanted.name or found.name)
    return {"labels": labels, "pixels": model.pixels_section()}


def loaded(found: Found, wanted: Wanted, say: Say) -> Network:
    """The model in TensorFlow. Raises ModelProblem."""
    network = LOAD[found.kind.name](found, wanted)
    say(f"TensorFlow reads it as {'; '.join(map(str, network.signatures))}")
    return network


def as_function(network: Network, ends: Ends) -> tuple[Any, tf.Module]:
    """A tf.function from values [n, ...], as the model takes them, to scores; the owner of its variables."""
    sizes = (ends.input.shape or (None,))[1:]
    spec = tf.TensorSpec([None, *sizes], types_pb2.DataType.Value(ends.input.dtype), ends.input.name)
    stored = tf.Module()
    stored.kept = list(network.keep)
    ask = tf.function(lambda values: {ends.output.name: _call(network, ends, values)}, input_signature=[spec])
    return ask, stored


def _around(network: Network, wanted: Wanted, say: Say) -> tuple[ImageModel, list[str]]:
    """The network with preprocessing in front, softmax and labels behind; the labels."""
    ends = choose(network.signatures, wanted, label_count(wanted, network.hints.labels), say)
    pixels = work_out(ends, wanted, network.hints, say)
    refusals = (tf.errors.OpError, ValueError, TypeError)
    scores = try_scores(lambda image: _call(network, ends, tf.constant(image)), ends, pixels, refusals)
    softmax = is_logits(scores, pixels, wanted, say)
    labels = find_labels(wanted, network.hints.labels, scores.shape[-1], say)

    def probabilities_of(levels: tf.Tensor) -> tf.Tensor:
        answer = _call(network, ends, _prepared(levels, pixels))
        scores = tf.cast(tf.reshape(answer, (-1, len(labels))), tf.float32)
        return tf.nn.softmax(scores) if softmax else scores

    shaping = (pixels.fit, pixels.resize, pixels.crop_fraction)
    return ImageModel(probabilities_of, labels, pixels.side_px, network.keep, *shaping), labels


def _call(network: Network, ends: Ends, values: tf.Tensor) -> tf.Tensor:
    """Scores for values [n, ...]; one by one if the model takes batches of one only."""

    def ask(some: tf.Tensor) -> tf.Tensor:
        return network.call(ends.signature.name, {ends.input.name: some})[ends.output.name]

    batch = ends.input.shape[0] if ends.input.shape else None
    if batch is None:
        return ask(values)
    if batch != 1:
        raise ModelProblem(
            f"The model takes batches of {batch} only. Export it for any batch size, or for 1."
        )
    dtype = tf.as_dtype(types_pb2.DataType.Value(ends.output.dtype))
    return tf.map_fn(lambda one: ask(one[tf.newaxis]), values, fn_output_signature=dtype)


def _prepared(levels: tf.Tensor, pixels: Pixels) -> tf.Tensor:
    """Levels [n, height, width, 3], RGB in 0..255, in the model's value range, order, layout and type."""
    mean, std = tf.constant(pixels.mean, tf.float32), tf.constant(pixels.std, tf.float32)
    values = (levels * pixels.scale - mean) / std
    if pixels.channels == "BGR":
        values = values[..., ::-1]
    if pixels.layout == "NCHW":
        values = tf.transpose(values, (0, 3, 1, 2))
    dtype = tf.as_dtype(pixels.dtype)
    return tf.saturate_cast(tf.round(values), dtype) if dtype.is_integer else tf.cast(values, dtype)
