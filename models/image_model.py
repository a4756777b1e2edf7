"""Saves a classifier of pixels as a SavedModel with the signatures that Pixelcost asks.

It gets decoding in front and labels behind: `decode_images` (images to pixels), `classify_pixels` (pixels to
classes, scores and probabilities), and both in one as `predict_images` and `serving_default`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

TOP = 5
CROP_FRACTION = 0.875  # "central_crop" keeps this part of both sides, "central_square" of the shorter one


class ImageModel:
    """`probabilities_of` takes pixels [n, height, width, 3], RGB in 0..255, and gives [n, labels]."""

    def __init__(
        self,
        probabilities_of: Callable[[tf.Tensor], tf.Tensor],
        labels: Sequence[str],
        sides_px: tuple[int, int],
        variables: Sequence[Any],
        fit: str = "squash",
        resize: str = "bilinear",
        crop_fraction: float = CROP_FRACTION,
    ):
        self._probabilities_of = probabilities_of
        self._labels = labels
        self._sides_px = sides_px
        self._fit, self._resize, self._crop_fraction = fit, resize, crop_fraction
        self.variables = variables

    def decode_images(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Encoded JPEG, PNG, GIF or BMP bytes [n] to `pixels` [n, height, width, 3], squashed or cropped.

        `checksum` [n] is their mean. A client that requests only that (`output_filter`) has every image
        decoded and resized without sending the pixels back.
        """
        one = tf.TensorSpec([*self._sides_px, 3], tf.float32)
        pixels = tf.map_fn(self._decode_one, images, fn_output_signature=one)
        return {"pixels": pixels, "checksum": tf.reduce_mean(pixels, [1, 2, 3])}

    def classify_pixels(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        """`classes` and `scores` [n, 5], best first; `probabilities` [n, labels] in the labels' order."""
        return labelled(self._probabilities_of(pixels), self._labels)

    def save(self, directory: Path) -> None:
        """Write it as a SavedModel into an empty directory."""
        images = tf.TensorSpec([None], tf.string, "images")
        pixels = tf.TensorSpec([None, *self._sides_px, 3], tf.float32, "pixels")
        decode = tf.function(self.decode_images, input_signature=[images])
        classify = tf.function(self.classify_pixels, input_signature=[pixels])
        # Calls the two above, so that the network is traced once.
        predict = tf.function(lambda images: classify(decode(images)["pixels"]), input_signature=[images])
        stored = tf.Module()  # a SavedModel keeps the functions and the variables that they use
        stored.variables_of_the_network = list(self.variables)
        signatures = {
            "serving_default": predict,
            "predict_images": predict,
            "decode_images": decode,
            "classify_pixels": classify,
        }
        # Without gradients, which only training needs, saving takes half the time.
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(stored, str(directory), signatures=signatures, options=options)

    def pixels_section(self) -> dict[str, Any]:
        """The card's section "pixels": other runtimes decode outside the graph, the way it says."""
        return {
            "input": "pixels",
            "output": "probabilities",
            "side_px": list(self._sides_px),
            "fit": self._fit,
            "crop_fraction": self._crop_fraction,
            "resize": self._resize,
            "antialias": True,
        }

    def _decode_one(self, image: tf.Tensor) -> tf.Tensor:
        pixels = tf.io.decode_image(image, channels=3, expand_animations=False)
        if self._fit == "central_crop":
            pixels = tf.image.central_crop(pixels, self._crop_fraction)
        if self._fit == "central_square":
            pixels = _central_square(pixels, self._crop_fraction)
        return tf.image.resize(pixels, self._sides_px, self._resize, antialias=True)


def _central_square(pixels: tf.Tensor, fraction: float) -> tf.Tensor:
    """The middle [side, side, 3] of pixels [height, width, 3]; `side` is a fraction of the shorter side."""
    sides = tf.shape(pixels)[:2]
    kept = tf.cast(tf.cast(tf.reduce_min(sides), tf.float64) * fraction, tf.int32)
    kept = tf.maximum(kept, 1)
    top, left = tf.unstack((sides - kept) // 2)
    return pixels[top : top + kept, left : left + kept]


def labelled(probabilities: tf.Tensor, labels: Sequence[str]) -> dict[str, tf.Tensor]:
    """The five best of probabilities [n, labels], with their names; and all of them."""
    scores, best = tf.math.top_k(probabilities, min(TOP, len(labels)))
    classes = tf.gather(tf.constant(labels), best)
    return {"classes": classes, "scores": scores, "probabilities": probabilities}
