"""The demo model as it is while it learns: the network of `models/demo.py` with its batch norms unfolded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from models.demo import BATCH_NORM_EPSILON, CHANNELS, Network, Weights

STEM_CHANNELS = 32
MOMENTUM = 0.98  # of the moving averages of the batch norm: some fifty steps


def initial_arrays(classes: int, seed: int) -> Iterator[np.ndarray]:
    """Random kernels and neutral batch norms, float32, in the order in which `Network` reads them."""
    random = np.random.default_rng([seed, 2])

    def kernel(side: int, before: int, after: int) -> np.ndarray:
        spread = np.sqrt(2 / (side * side * before))  # He et al. 2015, for what a ReLU follows
        return np.asarray(random.standard_normal((side, side, before, after)) * spread, np.float32)

    def batch_norm(channels: int, gamma: float = 1.0) -> Iterator[np.ndarray]:
        for value in (gamma, 0.0, 0.0, 1.0):
            yield np.full(channels, value, np.float32)

    yield kernel(3, 3, STEM_CHANNELS)
    yield from batch_norm(STEM_CHANNELS)
    before = STEM_CHANNELS
    for channels in CHANNELS:
        yield kernel(3, before, channels)
        yield from batch_norm(channels)
        if channels != before:
            yield kernel(1, before, channels)
        yield kernel(3, channels, channels)
        if channels != before:
            yield from batch_norm(channels)
        yield from batch_norm(channels, gamma=0.2)  # a block begins near its shortcut
        before = channels
    yield (random.standard_normal((before, classes)) * 0.01).astype(np.float32)
    yield np.zeros(classes, np.float32)


@dataclass(frozen=True)
class LearningConvolution:
    """A convolution and its batch norm, computed in the type of the pixels; the variables are float32."""

    kernel: tf.Variable
    gamma: tf.Variable
    beta: tf.Variable
    mean: tf.Variable
    variance: tf.Variable
    stride: int

    def __call__(self, pixels: tf.Tensor) -> tf.Tensor:
        """With the statistics of this batch, which also move the averages that serving will use."""
        mapped = tf.nn.conv2d(pixels, tf.cast(self.kernel, pixels.dtype), self.stride, "SAME")
        normed, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(  # three times as fast as Keras' layer here
            x=mapped,
            scale=self.gamma,
            offset=self.beta,
            mean=tf.constant([]),
            variance=tf.constant([]),
            epsilon=BATCH_NORM_EPSILON,
        )
        self.mean.assign(MOMENTUM * self.mean + (1 - MOMENTUM) * mean)
        self.variance.assign(MOMENTUM * self.variance + (1 - MOMENTUM) * variance)
        return normed


class LearningWeights(Weights):
    """Makes variables that learn. `variables` has one for every stored array, in the order of the file."""

    def array(self) -> tf.Variable:
        self.variables.append(tf.Variable(next(self._arrays)))
        return self.variables[-1]

    def convolution(self, kernel: tf.Variable, stride: int = 1) -> LearningConvolution:  # type: ignore[override]
        gamma, beta, mean, variance = (self.array() for _ in range(4))
        return LearningConvolution(kernel, gamma, beta, mean, variance, stride)

    def variable(self, array: tf.Variable) -> tf.Variable:
        return array


class Student:
    """The network, the variables in the order of the file, and those that the gradient changes."""

    def __init__(self, arrays: Iterator[np.ndarray]):
        weights = LearningWeights(arrays)
        self.network = Network(weights)
        self.variables = weights.variables
        averages = {id(average) for made in self._convolutions() for average in (made.mean, made.variance)}
        self.learning = [each for each in self.variables if id(each) not in averages]

    def __call__(self, pixels: tf.Tensor) -> tf.Tensor:
        """[n, h, w, 3] in 0..255, float32 or bfloat16, to float32 logits [n, classes]."""
        features = tf.cast(self.network.features(pixels), tf.float32)
        return tf.matmul(features, self.network.head_kernel) + self.network.head_bias

    def arrays(self) -> list[np.ndarray]:
        return [each.numpy() for each in self.variables]

    def _convolutions(self) -> list[LearningConvolution]:
        parts = [self.network.stem]
        for block in self.network.blocks:
            parts += [block.first, block.second, *([block.shortcut] if block.shortcut else [])]
        return parts  # type: ignore[return-value]
