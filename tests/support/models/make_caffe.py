"""Writes a TFLite network for Caffe, which nobody else does any more.

    python -m tests.support.models.make_caffe FILE DIR

Field numbers: https://github.com/BVLC/caffe, caffe.proto.

Caffe's layout is its own: the input is `pixels` [n, 3, height, width], channels first. Caffe pads both
sides alike, so a 3 by 3 convolution with stride 2, which needs padding only at the end, becomes
4 by 4 with zeros at its start: the same sums. ReLU6 is no layer of the first Caffe, but OpenCV knows it.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from models.layers import PIXELS, Layer, Layers
from models.networks.tflite_layers import layers_of
from tests.support.models.wire import block, numbers

TYPES = {
    "scale": "Power",
    "convolution": "Convolution",
    "relu": "ReLU",
    "relu6": "ReLU6",
    "max_pool": "Pooling",
    "average_pool": "Pooling",
    "add": "Eltwise",
    "mean": "Pooling",
    "dense": "InnerProduct",
    "softmax": "Softmax",
}
PLAIN_PARAMETERS = {
    "max_pool": "pooling_param { pool: MAX kernel_size: 2 stride: 2 }",
    "average_pool": "pooling_param { pool: AVE kernel_size: 2 stride: 2 }",
    "mean": "pooling_param { pool: AVE global_pooling: true }",
}


def caffe_texts(network: Layers) -> tuple[str, bytes]:
    """The prototxt, which says what is computed, and the caffemodel with the weights."""
    layers = [_symmetric(layer) for layer in network.layers]
    shape = " ".join(f"dim: {size}" for size in (1, 3, *network.sides_px))
    names = f'name: "{PIXELS}" type: "Input" top: "{PIXELS}"'
    source = f"layer {{ {names} input_param {{ shape {{ {shape} }} }} }}"
    prototxt = "\n".join(['name: "pixelcost"', source, *(_described(layer) for layer in layers), ""])
    return prototxt, b"".join(block(100, _stored(layer)) for layer in layers if layer.has_weights)


def _symmetric(layer: Layer) -> Layer:
    """The same convolution with as much padding before as after."""
    above, left, below, right = layer.padding
    if (above, left) == (below, right):
        return layer
    kernel = np.pad(layer.kernel, [(0, 0), (0, 0), (below - above, 0), (right - left, 0)])
    return replace(layer, kernel=kernel, padding=(below, right, below, right))


def _described(layer: Layer) -> str:
    bottoms = " ".join(f'bottom: "{name}"' for name in layer.inputs)
    parts = f'name: "{layer.name}" type: "{TYPES[layer.kind]}" {bottoms} top: "{layer.name}"'
    return f"layer {{ {parts} {_parameters(layer)} }}"


def _parameters(layer: Layer) -> str:
    if layer.kind == "scale":
        return f"power_param {{ scale: {1 / layer.divisor!r} shift: {-layer.less!r} }}"
    if not layer.has_weights:
        return PLAIN_PARAMETERS.get(layer.kind, "")
    if layer.kind == "dense":
        return f"inner_product_param {{ num_output: {layer.kernel.shape[1]} }}"
    channels, _, height, width = layer.kernel.shape
    kernel = f"kernel_h: {height} kernel_w: {width} pad_h: {layer.padding[0]} pad_w: {layer.padding[1]}"
    window = f"{kernel} stride: {layer.stride} group: {layer.groups}"
    return f"convolution_param {{ num_output: {channels} {window} }}"


def _stored(layer: Layer) -> bytes:
    """LayerParameter with name, type and blobs."""
    kernel = layer.kernel.T if layer.kind == "dense" else layer.kernel
    return block(1, layer.name) + block(2, TYPES[layer.kind]) + _blob(kernel) + _blob(layer.bias)


def _blob(array: np.ndarray) -> bytes:
    """BlobProto: its shape, then its numbers in row order."""
    values = np.ascontiguousarray(array, "<f4")
    return block(7, block(7, numbers(1, values.shape)) + block(5, values.tobytes()))


def main(tflite: Path, folder: Path) -> None:
    """What is there already and no older than its source stays."""
    prototxt, weights = folder / "model.prototxt", folder / "model.caffemodel"
    if weights.is_file() and weights.stat().st_mtime >= tflite.stat().st_mtime:
        return
    folder.mkdir(parents=True, exist_ok=True)
    text, data = caffe_texts(layers_of(tflite))
    prototxt.write_text(text, encoding="utf-8")
    weights.write_bytes(data)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
