"""Writes a network as ONNX. Field numbers: https://github.com/onnx/onnx, onnx/onnx.proto."""

from __future__ import annotations

import numpy as np

from models.layers import PIXELS, PROBABILITIES, Layer, Layers
from models.wire import block, number, numbers

IR_VERSION, OPSET = 8, 13  # of 2021: old enough for every reader
FLOAT = 1  # TensorProto.DataType
MEANS_INT, MEANS_INTS = 2, 7  # AttributeProto.AttributeType
NHWC_TO_NCHW = (0, 3, 1, 2)
CHANNELS_FIRST = "channels_first"
OPERATORS = {
    "convolution": "Conv",
    "dense": "Gemm",
    "relu": "Relu",
    "relu6": "Clip",
    "add": "Add",
    "max_pool": "MaxPool",
    "average_pool": "AveragePool",
    "softmax": "Softmax",
}


def onnx_bytes(network: Layers) -> bytes:
    """A whole model file: `pixels` float [n, height, width, 3] to `probabilities` float [n, classes]."""
    graph = b"".join(
        [
            *(block(1, node) for layer in network.layers for node in _nodes(layer)),
            block(2, "pixelcost"),
            *(block(5, _tensor(name, array)) for name, array in network.weights()),
            *(block(5, tensor) for layer in network.layers for tensor in _scalars(layer)),
            block(11, _value(PIXELS, (*network.sides_px, 3))),
            block(12, _value(PROBABILITIES, (network.classes,))),
        ]
    )
    opset = number(2, OPSET)
    return number(1, IR_VERSION) + block(2, "pixelcost") + block(7, graph) + block(8, opset)


def _scalars(layer: Layer) -> list[bytes]:
    """The numbers that some operators take as further inputs."""
    values = {"scale": {"divisor": layer.divisor, "less": layer.less}, "relu6": {"least": 0.0, "most": 6.0}}
    return [
        _tensor(f"{layer.name}/{key}", np.float32(value)) for key, value in values.get(layer.kind, {}).items()
    ]


def _nodes(layer: Layer) -> list[bytes]:
    """The operators that a layer is made of."""
    name, inputs = layer.name, list(layer.inputs)
    if layer.kind == "scale":
        is_first = inputs == [PIXELS]
        return [
            *([_node("Transpose", inputs, CHANNELS_FIRST, _ints("perm", NHWC_TO_NCHW))] if is_first else []),
            _node("Div", [CHANNELS_FIRST if is_first else inputs[0], f"{name}/divisor"], f"{name}/scaled"),
            _node("Sub", [f"{name}/scaled", f"{name}/less"], name),
        ]
    if layer.kind == "mean":
        pooled = f"{name}/pooled"
        return [_node("GlobalAveragePool", inputs, pooled), _node("Flatten", [pooled], name)]
    if layer.kind == "relu6":
        inputs += [f"{name}/least", f"{name}/most"]
    if layer.has_weights:
        inputs += [f"{name}/kernel", f"{name}/bias"]
    return [_node(OPERATORS[layer.kind], inputs, name, *_attributes(layer))]


def _attributes(layer: Layer) -> list[bytes]:
    match layer.kind:
        case "convolution":
            window = _window(layer.kernel.shape[2:], layer.padding, layer.stride)
            return [*window, _int("group", layer.groups)]
        case "max_pool" | "average_pool":
            return _window((2, 2), (0, 0, 0, 0), 2)
        case _:
            return []  # Softmax: over the last axis


def _window(shape: tuple[int, ...], padding: tuple[int, ...], stride: int) -> list[bytes]:
    return [
        _ints("kernel_shape", shape),
        _ints("pads", padding),
        _ints("strides", (stride, stride)),
    ]


def _node(operator: str, inputs: list[str], output: str, *attributes: bytes) -> bytes:
    names = b"".join(block(1, name) for name in inputs)
    end = b"".join(block(5, attribute) for attribute in attributes)
    return names + block(2, output) + block(3, output) + block(4, operator) + end


def _int(name: str, value: int) -> bytes:
    return block(1, name) + number(3, value) + number(20, MEANS_INT)


def _ints(name: str, values: tuple[int, ...]) -> bytes:
    return block(1, name) + numbers(8, values) + number(20, MEANS_INTS)


def _tensor(name: str, array: np.ndarray | np.float32) -> bytes:
    values = np.asarray(array, "<f4")
    return numbers(1, values.shape) + number(2, FLOAT) + block(8, name) + block(9, values.tobytes())


def _value(name: str, shape: tuple[int, ...]) -> bytes:
    """A name with its type: any batch size, then the shape."""
    sizes = block(1, block(2, "n")) + b"".join(block(1, number(1, size)) for size in shape)
    return block(1, name) + block(2, block(1, number(1, FLOAT) + block(2, sizes)))
