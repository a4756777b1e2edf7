"""Writes what is served while benchmarking: python -m bench.support.make_servables KIND DIR

Real TensorFlow writes it. `inception` is Inception v3 with random weights, which computes as long as a
trained one, with the signatures of the default model.
`null` takes the same bytes and computes nothing: the length of each.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import keras
import tensorflow as tf

SIDE_PX = 299
CLASSES = 1000
TOP = 5
IMAGES = tf.TensorSpec([None], tf.string, "images")
PIXELS = tf.TensorSpec([None, SIDE_PX, SIDE_PX, 3], tf.float32, "pixels")
LABELS = [f"class {number}" for number in range(CLASSES)]


def inception(directory: Path) -> None:
    """23.8 million parameters, 5.7 billion multiplications an image."""
    network = keras.applications.InceptionV3(weights=None, classes=CLASSES)

    def decode_images(images: tf.Tensor) -> dict[str, tf.Tensor]:
        square = tf.TensorSpec(PIXELS.shape[1:], tf.float32)
        return {"pixels": tf.map_fn(_decode_one, images, fn_output_signature=square)}

    def classify_pixels(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = network(pixels / 127.5 - 1.0, training=False)
        scores, best = tf.math.top_k(probabilities, TOP)
        classes = tf.gather(tf.constant(LABELS), best)
        return {"classes": classes, "scores": scores, "probabilities": probabilities}

    predict = tf.function(
        lambda images: classify_pixels(decode_images(images)["pixels"]), input_signature=[IMAGES]
    )
    stored = tf.Module()
    stored.variables_of_the_network = [variable.value for variable in network.variables]
    signatures = {
        "serving_default": predict,
        "predict_images": predict,
        "decode_images": tf.function(decode_images, input_signature=[IMAGES]),
        "classify_pixels": tf.function(classify_pixels, input_signature=[PIXELS]),
    }
    tf.saved_model.save(stored, str(directory), signatures=signatures)
    _write_card(directory)


def null(directory: Path) -> None:
    """As little as a graph can do with an image."""
    length = tf.function(lambda images: {"length": tf.strings.length(images)}, input_signature=[IMAGES])
    signatures = {"serving_default": length, "predict_images": length}
    tf.saved_model.save(tf.Module(), str(directory), signatures=signatures)


def _decode_one(image: tf.Tensor) -> tf.Tensor:
    pixels = tf.io.decode_image(image, channels=3, expand_animations=False)
    return tf.image.resize(pixels, [SIDE_PX, SIDE_PX], antialias=True)


def _write_card(directory: Path) -> None:
    pixels = {
        "input": "pixels",
        "output": "probabilities",
        "side_px": [SIDE_PX, SIDE_PX],
        "fit": "squash",
        "resize": "bilinear",
        "antialias": True,
    }
    card = {"name": "inception", "labels": LABELS, "pixels": pixels}
    path = directory / "assets.extra" / "pixelcost.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(card), encoding="utf-8")


if __name__ == "__main__":
    {"inception": inception, "null": null}[sys.argv[1]](Path(sys.argv[2]))
