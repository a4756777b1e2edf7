"""Exports models of the catalogue and asks Keras the same.

    python -m tests.support.models.keras_golden DIR NAME...

Prints a line of JSON for each. The weights are random, with the last layer scaled so that the scores spread:
else all 1000 would be close to 0.001 and any preprocessing would agree. They go through a file like those
that Keras publishes.
"""

from __future__ import annotations

import gc
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import h5py
import keras
import numpy as np
import tensorflow as tf
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group
from PIL import Image

from models.catalogue.keras_export import Weights, export_keras
from models.catalogue.table import Row, row

SPREAD = 2.0  # standard deviation of the logits: the best of 1000 then has a score of some percent


def colourful(image_format: str) -> bytes:
    """Red rises to the right, green downwards, and blue is noise of large dots."""
    down, right = np.mgrid[0:200, 0:320]
    dots = np.random.default_rng(3).integers(0, 256, (10, 16)).repeat(20, 0).repeat(20, 1)
    levels = np.stack([right * 255 // 319, down * 255 // 199, dots], axis=-1).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, image_format)
    return buffer.getvalue()


PICTURES = {name: colourful(name) for name in ("JPEG", "PNG")}


def main(folder: Path, names: list[str]) -> None:
    """One line for each model."""
    for name in names:
        keras.utils.set_random_seed(7)
        print(json.dumps({"name": name, **golden(row(name), folder)}), flush=True)
        keras.backend.clear_session()
        gc.collect()


def golden(model: Row, folder: Path) -> dict[str, Any]:
    """How far the export is from Keras, at most, and how far it would be with the colours the wrong way."""
    module, _, function = model.application.partition(".")
    side = (model.side_px, model.side_px)
    network = getattr(keras.applications, function)(weights=None)
    assert network.input_shape[1:3] in {side, (None, None)}
    preprocess = getattr(keras.applications, module).preprocess_input

    def asked(pixels: np.ndarray) -> np.ndarray:
        return network.predict(preprocess(pixels[None].copy()), verbose=0)[0]

    pixels = {name: decoded(image, side) for name, image in PICTURES.items()}
    wake(network, preprocess(np.stack([pixels["PNG"], pixels["PNG"][::-1, ::-1, ::-1]])))
    spread_out(network, preprocess(pixels["PNG"][None].copy()))
    file = folder / model.file_name
    with h5py.File(file, "w") as weights:
        save_weights_to_hdf5_group(weights, network)
    exported = tf.saved_model.load(str(export_keras(model, folder / model.name, Weights(file)).directory))
    expected = {name: asked(image) for name, image in pixels.items()}
    answers = {name: answer(exported, image) for name, image in PICTURES.items()}
    mirrored = asked(pixels["PNG"][..., ::-1])
    return {
        "difference": max(apart(answers[name]["probabilities"], expected[name]) for name in PICTURES),
        "difference_of_wrong_colours": apart(mirrored, expected["PNG"]),
        "best": [int(expected[name].argmax()) for name in PICTURES],
        "classes": [answers[name]["classes"][0].decode() for name in PICTURES],
        "scores_are_sorted": all(bool(np.all(np.diff(answer["scores"]) <= 0)) for answer in answers.values()),
        "parameters": network.count_params(),
        "size_mb": file.stat().st_size / 1e6,
    }


def decoded(image: bytes, side: tuple[int, int]) -> np.ndarray:
    return tf.image.resize(tf.io.decode_image(image, 3), side, antialias=True).numpy()


def wake(network: keras.Model, pixels: np.ndarray) -> None:
    """Take the batch norms' statistics from some pixels: without them deep networks answer all alike."""
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    network(pixels, training=True)


def spread_out(network: keras.Model, pixels: np.ndarray) -> None:
    """Scale the weights before the softmax, more than once: at first all may be in one class."""
    last = [weight for weight in network.weights if weight.shape[-1] == 1000 and len(weight.shape) > 1][-1]
    for _ in range(3):
        logits = np.log(np.maximum(network.predict(pixels, verbose=0).astype(np.float64), 1e-30))
        last.assign(last * (SPREAD / logits.std()))


def answer(exported: Any, image: bytes) -> dict[str, np.ndarray]:
    found = exported.signatures["predict_images"](images=tf.constant([image]))
    return {name: value.numpy()[0] for name, value in found.items()}


def apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).max())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
