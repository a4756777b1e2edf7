"""Computes the layers of models/layers.py in TensorFlow."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from models.layers import PIXELS, Layer, Layers

PLAIN: dict[str, Callable[..., tf.Tensor]] = {
    "relu": tf.nn.relu,
    "relu6": tf.nn.relu6,
    "max_pool": lambda x: tf.nn.max_pool2d(x, 2, 2, "VALID"),
    "average_pool": lambda x: tf.nn.avg_pool2d(x, 2, 2, "VALID"),
    "add": tf.add,
    "mean": lambda x: tf.reduce_mean(x, [1, 2]),
    "softmax": tf.nn.softmax,
}


class LayerGraph(tf.Module):  # type: ignore[misc]
    """Pixels [n, height, width, 3] in 0..255 to the scores [n, classes]."""

    def __init__(self, network: Layers):
        super().__init__()
        self._network = network
        arrays = {layer.name: (_kernel(layer), layer.bias) for layer in network.layers if layer.has_weights}
        self.weights = {
            name: [tf.Variable(array, trainable=False) for array in pair] for name, pair in arrays.items()
        }

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]  # it knows no match
    def __call__(self, pixels: tf.Tensor) -> tf.Tensor:
        values = {PIXELS: pixels}
        for layer in self._network.layers:
            values[layer.name] = self._computed(layer, *(values[name] for name in layer.inputs))
        return values[self._network.layers[-1].name]

    def _computed(self, layer: Layer, *inputs: tf.Tensor) -> tf.Tensor:
        match layer.kind:
            case "scale":
                return inputs[0] / layer.divisor - layer.less
            case "convolution":
                kernel, bias = self.weights[layer.name]
                return tf.nn.bias_add(_convolved(layer, inputs[0], kernel), bias)
            case "dense":
                kernel, bias = self.weights[layer.name]
                return tf.matmul(inputs[0], kernel) + bias
            case kind:
                return PLAIN[kind](*inputs)


def _kernel(layer: Layer) -> tf.Tensor:
    """A kernel in TensorFlow's order: [height, width, in, out]; depthwise [height, width, channels, 1]."""
    if layer.kind == "dense":
        return layer.kernel
    return layer.kernel.transpose((2, 3, 0, 1) if layer.is_depthwise else (2, 3, 1, 0))


def _convolved(layer: Layer, x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    above, left, below, right = layer.padding
    padding = [[0, 0], [above, below], [left, right], [0, 0]]
    if layer.is_depthwise:
        return tf.nn.depthwise_conv2d(tf.pad(x, padding), kernel, [1, layer.stride, layer.stride, 1], "VALID")
    return tf.nn.conv2d(x, kernel, layer.stride, padding)
