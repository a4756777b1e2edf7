"""The demo model: a small residual network that knows pets and ten everyday things.

`docs/demo-model.md` says how it was trained. Here its weights become a SavedModel with the
signatures of a Pixelcost servable: images in, labels and probabilities out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import tensorflow as tf

from models import imagenet
from models.demo_files import IMAGENET_INDEX, WEIGHTS
from models.image_model import ImageModel
from models.problems import ModelProblem

SIDE_PX = 192
CHANNELS = (48, 48, 96, 96, 192, 192, 384)  # one residual block each; more channels, half the side
BATCH_NORM_EPSILON = 1e-3  # what Keras trained with


def labels() -> list[str]:
    """The label of each row of the head: "tabby", and "crane (machine)" where ImageNet has another crane."""
    return [each.label for each in _rows()]


def wordnet_ids() -> list[str]:
    """The WordNet id of each row of the head: how folders of ImageNet photos are named."""
    return [each.wordnet_id for each in _rows()]


def _rows() -> list[imagenet.ImageNetClass]:
    classes = imagenet.classes()
    return [classes[int(row)] for row in IMAGENET_INDEX.read_text(encoding="utf-8").split()]


@dataclass(frozen=True)
class Convolution:
    """A convolution with its batch norm folded in: one kernel, one bias."""

    kernel: tf.Variable
    bias: tf.Variable
    stride: int

    def __call__(self, pixels: tf.Tensor) -> tf.Tensor:
        return tf.nn.bias_add(tf.nn.conv2d(pixels, self.kernel, self.stride, "SAME"), self.bias)


class Weights:
    """Reads the stored arrays one after another, and keeps the variables that were made of them."""

    def __init__(self, arrays: Iterator[np.ndarray]):
        self._arrays = arrays
        self.variables: list[tf.Variable] = []

    def array(self) -> np.ndarray:
        return next(self._arrays).astype(np.float64)

    def batch_norm(self) -> tuple[np.ndarray, np.ndarray]:
        """What training learned, as the scale and shift that it is when serving."""
        gamma, beta, mean, variance = (self.array() for _ in range(4))
        scale = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
        return scale, beta - mean * scale

    def convolution(self, kernel: np.ndarray, stride: int = 1) -> Convolution:
        """The kernel and the batch norm that comes next, as one."""
        scale, shift = self.batch_norm()
        return Convolution(self.variable(kernel * scale), self.variable(shift), stride)

    def variable(self, array: np.ndarray) -> tf.Variable:
        """A variable, not a constant: it is stored once, however many signatures use it."""
        self.variables.append(tf.Variable(array.astype(np.float32), trainable=False))
        return self.variables[-1]


class ResidualBlock:
    """Two convolutions beside a shortcut, which is pooled and projected where the shape changes.

    Reads its arrays in the order in which Keras stored them: layers of the same depth side by side.
    """

    def __init__(self, weights: Weights, stride: int, projected: bool):
        self.stride = stride
        self.first = weights.convolution(weights.array(), stride)
        projection = weights.array() if projected else None
        second = weights.array()
        self.shortcut = None if projection is None else weights.convolution(projection)
        self.second = weights.convolution(second)

    def __call__(self, pixels: tf.Tensor) -> tf.Tensor:
        shortcut = pixels
        if self.stride > 1:
            shortcut = tf.nn.avg_pool2d(shortcut, self.stride, self.stride, "VALID")
        if self.shortcut is not None:
            shortcut = self.shortcut(shortcut)
        return tf.nn.relu(self.second(tf.nn.relu(self.first(pixels))) + shortcut)


class Network:
    """Pixels [n, h, w, 3] in 0..255 to logits [n, classes]."""

    def __init__(self, weights: Weights):
        self.stem = weights.convolution(weights.array(), stride=2)
        self.blocks = []
        channels_before = None
        for channels in CHANNELS:
            stride = 1 if channels_before in (None, channels) else 2
            self.blocks.append(ResidualBlock(weights, stride, projected=channels != channels_before))
            channels_before = channels
        self.head_kernel = weights.variable(weights.array())
        self.head_bias = weights.variable(weights.array())

    def features(self, pixels: tf.Tensor) -> tf.Tensor:
        """[n, h, w, 3] to [n, 384]."""
        features = tf.nn.relu(self.stem(pixels / 127.5 - 1.0))
        features = tf.nn.max_pool2d(features, 2, 2, "VALID")
        for block in self.blocks:
            features = block(features)
        return tf.reduce_mean(features, [1, 2])

    def __call__(self, pixels: tf.Tensor) -> tf.Tensor:
        return tf.matmul(self.features(pixels), self.head_kernel) + self.head_bias


class DemoModel(ImageModel):
    """The network with what a client needs around it."""

    def __init__(self, file: Path = WEIGHTS) -> None:
        """Raises ModelProblem when the file holds other things than these weights."""
        try:
            with np.load(file) as stored:
                weights = Weights(stored[f"arr_{i}"] for i in range(len(stored.files)))
                self.network = Network(weights)
        except (ValueError, KeyError, EOFError, AttributeError, BadZipFile) as problem:
            raise ModelProblem(
                f"{file} holds no weights of the demo model, as train-demo writes them."
            ) from problem
        super().__init__(self.probabilities_of, labels(), (SIDE_PX, SIDE_PX), weights.variables)

    def probabilities_of(self, pixels: tf.Tensor) -> tf.Tensor:
        """Pixels [n, 192, 192, 3] in 0..255 to [n, 306]."""
        return tf.nn.softmax(self.network(pixels))
