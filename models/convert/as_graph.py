"""Models that TensorFlow computes: written as a SavedModel with the contract's signatures in its graph."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2

from models.convert import encoded
from models.formats.kinds import Found
from models.formats.saved_model import look_into
from models.image_model import ImageModel
from models.interface.ends import Ends, choose
from models.interface.labels import find_labels, label_count
from models.interface.pixels import work_out
from models.interface.preprocess import Pixels
from models.interface.scores import is_logits, made_up, rows_of
from models.interface.wanted import Say, Wanted
from models.networks import graph_def, keras_file, saved_model, tflite_graph
from models.networks.network import Network
from models.placing import card_of
from models.problems import ModelProblem, first_line
from models.warmup_requests import write_warmup_requests

LOAD: dict[str, Callable[[Found, Wanted], Network]] = {
    "SavedModel": saved_model.load,
    "Keras": keras_file.load,
    "Keras HDF5": keras_file.load,
    "frozen GraphDef": graph_def.load,
    "TFLite": tflite_graph.load,  # when it is asked for
}


def write(found: Found, directory: Path, wanted: Wanted, say: Say) -> dict[str, Any]:
    """A SavedModel into `directory`. Gives the card's sections. Raises ModelProblem."""
    if found.kind.name == "SavedModel" and not look_into(found.path).problems():
        say("it has the signature predict_images already: copied as it is")
        _copy(found.path, directory)
        return card_of(directory)
    network = loaded(found, wanted, say)
    if encoded.takes_images(network, wanted):
        return encoded.write(found, network, directory, wanted, say)
    model, labels = _around(network, wanted, say)
    model.save(directory)
    write_warmup_requests(directory, wanted.name or found.name)
    return {"labels": labels, "pixels": model.pixels_section()}


def _copy(source: Path, directory: Path) -> None:
    """The files without their permissions: a model may lie where nothing can be written."""
    for file in (each for each in source.rglob("*") if each.is_file()):
        copy = directory / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)


def loaded(found: Found, wanted: Wanted, say: Say) -> Network:
    """In TensorFlow. Raises ModelProblem."""
    network = LOAD[found.kind.name](found, wanted)
    say(f"TensorFlow reads it as {'; '.join(map(str, network.signatures))}")
    return network


def as_function(network: Network, ends: Ends) -> tuple[Any, tf.Module]:
    """A tf.function of values [n, ...] as the model wants them to its scores; what owns its variables."""
    sizes = (ends.input.shape or (None,))[1:]
    spec = tf.TensorSpec([None, *sizes], types_pb2.DataType.Value(ends.input.dtype), ends.input.name)
    stored = tf.Module()
    stored.kept = list(network.keep)
    ask = tf.function(lambda values: {ends.output.name: _call(network, ends, values)}, input_signature=[spec])
    return ask, stored


def _around(network: Network, wanted: Wanted, say: Say) -> tuple[ImageModel, list[str]]:
    """Preprocessing before it, softmax and labels behind it."""
    ends = choose(network.signatures, wanted, label_count(wanted, network.hints.labels), say)
    pixels = work_out(ends, wanted, network.hints, say)
    scores = _try(network, ends, pixels)
    softmax = is_logits(scores, pixels, wanted, say)
    labels = find_labels(wanted, network.hints.labels, scores.shape[-1], say)

    def probabilities_of(levels: tf.Tensor) -> tf.Tensor:
        return _probabilities(_call(network, ends, _prepared(levels, pixels)), len(labels), softmax)

    shaping = (pixels.fit, pixels.resize, pixels.crop_fraction)
    return ImageModel(probabilities_of, labels, pixels.side_px, network.keep, *shaping), labels


def _try(network: Network, ends: Ends, pixels: Pixels) -> np.ndarray:
    """Scores [images, classes] for made-up images."""
    try:
        answers = [_call(network, ends, tf.constant(image)).numpy() for image in made_up(pixels, 1)]
    except (tf.errors.OpError, ValueError, TypeError) as problem:
        height, width = pixels.side_px
        raise ModelProblem(
            f"The model does not take {height}x{width} pixels as {pixels.dtype} {pixels.layout}: "
            f"{first_line(problem)} Say what it takes with --size, --layout."
        ) from problem
    return np.concatenate([rows_of(np.asarray(answer), 1, ends.output) for answer in answers])


def _call(network: Network, ends: Ends, values: tf.Tensor) -> tf.Tensor:
    """The scores of values [n, ...]; one by one for a model that takes one at a time."""

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
    """Levels [n, height, width, 3], RGB in 0..255, as the model wants them."""
    mean, std = (tf.constant(each, tf.float32) for each in (pixels.mean, pixels.std))
    values = (levels * pixels.scale - mean) / std
    if pixels.channels == "BGR":
        values = values[..., ::-1]
    if pixels.layout == "NCHW":
        values = tf.transpose(values, (0, 3, 1, 2))
    dtype = tf.as_dtype(pixels.dtype)
    return tf.saturate_cast(tf.round(values), dtype) if dtype.is_integer else tf.cast(values, dtype)


def _probabilities(scores: tf.Tensor, classes: int, softmax: bool) -> tf.Tensor:
    scores = tf.cast(tf.reshape(scores, (-1, classes)), tf.float32)
    return tf.nn.softmax(scores) if softmax else scores
