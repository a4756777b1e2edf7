"""Writes the demo network as ONNX. Field numbers: https://github.com/onnx/onnx, onnx/onnx.proto."""

from __future__ import annotations

import numpy as np

from models.demo import SIDE_PX
from models.layers import PIXELS, PROBABILITIES, Layer, demo_layers, weights
from models.wire import block, number, numbers

IR_VERSION, OPSET = 8, 13  # of 2021: old enough for every reader
FLOAT = 1  # TensorProto.DataType
MEANS_INTS = 7  # AttributeProto.AttributeType
NHWC_TO_NCHW = (0, 3, 1, 2)
SCALARS = {"half_range": 127.5, "one": 1.0}
OPERATORS = {
    "convolution": "Conv",
    "dense": "Gemm",
    "relu": "Relu",
    "add": "Add",
    "max_pool": "MaxPool",
    "average_pool": "AveragePool",
    "softmax": "Softmax",
}


def onnx_bytes() -> bytes:
    """A whole model file: `pixels` float [n, 192, 192, 3] to `probabilities` float [n, 306]."""
    layers = demo_layers()
    classes = next(layer.bias.size for layer in layers if layer.kind == "dense")
    graph = b"".join(
        [
            *(block(1, node) for layer in layers for node in _nodes(layer)),
            block(2, "pixelcost_demo"),
            *(block(5, _tensor(name, array)) for name, array in weights(layers)),
            *(block(5, _tensor(name, np.float32(value))) for name, value in SCALARS.items()),
            block(11, _value(PIXELS, (SIDE_PX, SIDE_PX, 3))),
            block(12, _value(PROBABILITIES, (classes,))),
        ]
    )
    opset = number(2, OPSET)
    return number(1, IR_VERSION) + block(2, "pixelcost") + block(7, graph) + block(8, opset)


def _nodes(layer: Layer) -> list[bytes]:
    """The operators that a layer is made of."""
    name, inputs = layer.name, list(layer.inputs)
    if layer.kind == "scale":
        return [
            _node("Transpose", inputs, "channels_first", _ints("perm", NHWC_TO_NCHW)),
            _node("Div", ["channels_first", "half_range"], "scaled"),
            _node("Sub", ["scaled", "one"], name),
        ]
    if layer.kind == "mean":
        pooled = f"{name}/pooled"
        return [_node("GlobalAveragePool", inputs, pooled), _node("Flatten", [pooled], name)]
    if layer.has_weights:
        inputs += [f"{name}/kernel", f"{name}/bias"]
    return [_node(OPERATORS[layer.kind], inputs, name, *_attributes(layer))]


def _attributes(layer: Layer) -> list[bytes]:
    match layer.kind:
        case "convolution":
            return _window(layer.kernel.shape[2:], layer.padding, layer.stride)
        case "max_pool" | "average_pool":
            return _window((2, 2), (0, 0), 2)
        case _:
            return []  # Softmax: over the last axis


def _window(shape: tuple[int, ...], padding: tuple[int, int], stride: int) -> list[bytes]:
    before, after = padding
    return [
        _ints("kernel_shape", shape),
        _ints("pads", (before, before, after, after)),
        _ints("strides", (stride, stride)),
    ]


def _node(operator: str, inputs: list[str], output: str, *attributes: bytes) -> bytes:
    names = b"".join(block(1, name) for name in inputs)
    end = b"".join(block(5, attribute) for attribute in attributes)
    return names + block(2, output) + block(3, output) + block(4, operator) + end


def _ints(name: str, values: tuple[int, ...]) -> bytes:
    return block(1, name) + numbers(8, values) + number(20, MEANS_INTS)


def _tensor(name: str, array: np.ndarray | np.float32) -> bytes:
    values = np.asarray(array, "<f4")
    return numbers(1, values.shape) + number(2, FLOAT) + block(8, name) + block(9, values.tobytes())


def _value(name: str, shape: tuple[int, ...]) -> bytes:
    """A name with its type: any batch size, then the shape."""
    sizes = block(1, block(2, "n")) + b"".join(block(1, number(1, size)) for size in shape)
    return block(1, name) + block(2, block(1, number(1, FLOAT) + block(2, sizes)))
