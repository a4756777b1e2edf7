"""Writes the demo network as TFLite, with a signature."""

from __future__ import annotations

import tensorflow as tf

from models.demo import SIDE_PX, DemoModel
from models.layers import PIXELS, PROBABILITIES


def tflite_bytes() -> bytes:
    """`serving_default`: `pixels` float32 [n, 192, 192, 3] to `probabilities` float32 [n, 306]."""
    model = DemoModel()
    spec = tf.TensorSpec([None, SIDE_PX, SIDE_PX, 3], tf.float32, PIXELS)

    def classify(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        return {PROBABILITIES: model.classify_pixels(pixels)[PROBABILITIES]}

    stored = tf.Module()
    stored.variables_of_the_network = model.variables
    function = tf.function(classify, input_signature=[spec]).get_concrete_function()
    converted: bytes = tf.lite.TFLiteConverter.from_concrete_functions([function], stored).convert()
    return converted
