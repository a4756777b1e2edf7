"""Reads a TFLite classifier as a list of layers, so that it can be written for any runtime.

Quantised weights become floats, and intermediate results are not rounded any more, so the answers differ a
little from those of the file. Operators: tensorflow/lite/schema/schema.fbs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from models.formats import tflite_reader
from models.formats.kinds import Found
from models.interface.hints import hints_of, of_layers
from models.interface.wanted import Wanted
from models.layers import PIXELS, PROBABILITIES, Kind, Layers, Tape, same_padding
from models.networks.network import Network
from models.problems import ModelProblem
from models.tensors import Signature, Tensor

CALL = "call"
ACTIVATIONS: dict[str, Kind | None] = {"NONE": None, "RELU": "relu", "RELU6": "relu6"}
PASSED_ON = {"RESHAPE", "SQUEEZE", "QUANTIZE", "DEQUANTIZE"}  # [n, 1, 1, c] to [n, c], or only the type
NO_PADDING = (0, 0, 0, 0)


class NotRewritable(ModelProblem):
    """The network has something that can't be expressed as one of our layers."""


def load(found: Found, _: Wanted) -> Network:
    """The classifier in TensorFlow, layer by layer. Raises NotRewritable and Damaged."""
    from models.layer_graph import LayerGraph

    network = layers_of(found.path)
    graph = LayerGraph(network)
    pixels = Tensor(PIXELS, "DT_FLOAT", (None, *network.sides_px, 3))
    scores = Tensor(PROBABILITIES, "DT_FLOAT", (None, network.classes))

    def call(_: str, inputs: Any) -> dict[str, Any]:
        return {PROBABILITIES: graph(inputs[PIXELS])}

    hints = of_layers(hints_of(found), network.sides_px)
    return Network([Signature(CALL, [pixels], [scores])], call, [graph], hints)


def layers_of(file: Path) -> Layers:
    """The network as layers. A float input keeps its values; a quantised one takes levels 0..255 instead.

    Raises NotRewritable and Damaged.
    """
    model = tflite_reader.read(file)
    with tflite_reader.whole(file):
        reader = _Reader(model.subgraphs[0], model.buffers)
        for operator in model.subgraphs[0].operators:
            reader.take(tflite_reader.name_of(model, operator), operator)
        height, width = (int(size) for size in reader.shape(reader.graph.inputs[0])[1:3])
    return Layers(reader.tape.layers, (height, width))


@dataclass
class _Reader:
    """Takes one operator after another; knows which layer computes which tensor."""

    graph: Any
    buffers: Any
    tape: Tape = field(default_factory=Tape)
    became: dict[int, str] = field(default_factory=dict)  # tensor -> layer
    padding: dict[int, tuple[int, int, int, int]] = field(default_factory=dict)  # output of PAD -> zeros
    constant: dict[int, int] = field(default_factory=dict)  # output of DEQUANTIZE -> its input

    def __post_init__(self) -> None:
        inputs, outputs = len(self.graph.inputs), len(self.graph.outputs)
        if (inputs, outputs) != (1, 1):
            raise NotRewritable(
                f"It has {inputs} inputs and {outputs} outputs, where one of each is wanted, so it can't be "
                "written layer by layer."
            )
        tensor = self.graph.tensors[self.graph.inputs[0]]
        scale, zero_point = tflite_reader.quantisation(tensor)
        # Levels 0..255 are sent to int8 inputs less 128.
        zero = zero_point + (128 if tflite_reader.dtype_of(tensor) == np.int8 else 0)
        values = {"divisor": 1 / scale, "less": zero * scale} if scale else {}
        self.became[self.graph.inputs[0]] = self.tape.add("scale", PIXELS, **values)

    def take(self, name: str, operator: Any) -> None:
        """Add an operator's layers to the tape. Raises NotRewritable."""
        take = TAKES.get(name)
        source, target = operator.inputs[0], operator.outputs[0]
        if name in PASSED_ON and source in self.became:
            self.became[target] = self.became[source]
        elif name == "DEQUANTIZE":
            self.constant[target] = source
        elif take is None:
            raise NotRewritable(f"It has the operator {name}, which can't be written layer by layer.")
        else:
            self.became[target] = self._activated(operator, take(self, operator))

    def shape(self, tensor: int) -> Sequence[int]:
        return list(self.graph.tensors[tensor].shape)

    def numbers(self, tensor: int) -> np.ndarray:
        """A constant tensor as float32."""
        return tflite_reader.numbers(self.graph.tensors[self.constant.get(tensor, tensor)], self.buffers)

    def _activated(self, operator: Any, name: str) -> str:
        activation = tflite_reader.activation_of(operator)
        if activation not in ACTIVATIONS:
            raise NotRewritable(f"It has the activation {activation}, which can't be written layer by layer.")
        kind = ACTIVATIONS[activation]
        return self.tape.add(kind, name) if kind else name


Take = Callable[[_Reader, Any], str]


def _convolution(reader: _Reader, operator: Any) -> str:
    kernel = reader.numbers(operator.inputs[1]).transpose(0, 3, 1, 2)  # [out, in, height, width]
    if kernel.shape[2:] == (1, 1) and reader.shape(operator.inputs[0])[1:3] == [1, 1]:
        return _dense(reader, operator, kernel[:, :, 0, 0].T)
    if kernel.shape[1] != reader.shape(operator.inputs[0])[3]:
        raise NotRewritable("It has a convolution in groups, which can't be written layer by layer.")
    return _window(reader, operator, kernel, groups=1)


def _depthwise(reader: _Reader, operator: Any) -> str:
    kernel = reader.numbers(operator.inputs[1]).transpose(3, 0, 1, 2)  # [out, 1, height, width]
    return _window(reader, operator, kernel, groups=reader.shape(operator.inputs[0])[3])


def _window(reader: _Reader, operator: Any, kernel: np.ndarray, groups: int) -> str:
    source, options = operator.inputs[0], operator.builtinOptions
    if (
        options.strideH < 1
        or options.strideH != options.strideW
        or (options.dilationHFactor, options.dilationWFactor) != (1, 1)
    ):
        raise NotRewritable("It has a convolution with two strides or dilation.")
    padding = reader.padding.get(source, NO_PADDING)
    if options.padding == 0:  # SAME
        sides = zip(reader.shape(source)[1:3], kernel.shape[2:], strict=True)
        (above, below), (left, right) = (same_padding(*pair, options.strideH) for pair in sides)
        padding = (above, left, below, right)
    return reader.tape.add(
        "convolution",
        reader.became[source],
        kernel=np.ascontiguousarray(kernel),
        bias=_bias(reader, operator, kernel.shape[0]),
        stride=options.strideH,
        padding=padding,
        groups=groups,
    )


def _bias(reader: _Reader, operator: Any, count: int) -> np.ndarray:
    has_bias = len(operator.inputs) > 2 and operator.inputs[2] >= 0
    return reader.numbers(operator.inputs[2]) if has_bias else np.zeros(count, np.float32)


def _dense(reader: _Reader, operator: Any, kernel: np.ndarray) -> str:
    bias = _bias(reader, operator, kernel.shape[1])
    return reader.tape.add(
        "dense", reader.became[operator.inputs[0]], kernel=np.ascontiguousarray(kernel), bias=bias
    )


def _pad(reader: _Reader, operator: Any) -> str:
    """Remembers the zeros for the convolution behind it."""
    (_, _), (above, below), (left, right), (_, _) = reader.numbers(operator.inputs[1]).astype(int).tolist()
    reader.padding[operator.outputs[0]] = (above, left, below, right)
    return reader.became[operator.inputs[0]]


def _average_pool(reader: _Reader, operator: Any) -> str:
    options, sides = operator.builtinOptions, reader.shape(operator.inputs[0])[1:3]
    source = reader.became[operator.inputs[0]]
    if [options.filterHeight, options.filterWidth] == sides:
        return reader.tape.add("mean", source)
    return reader.tape.add("average_pool", source) if _is_half(options, sides) else _no_pool()


def _max_pool(reader: _Reader, operator: Any) -> str:
    is_half = _is_half(operator.builtinOptions, reader.shape(operator.inputs[0])[1:3])
    return reader.tape.add("max_pool", reader.became[operator.inputs[0]]) if is_half else _no_pool()


def _is_half(options: Any, sides: Sequence[int]) -> bool:
    """Whether a pool is 2 by 2 and needs no padding."""
    window = (options.filterHeight, options.filterWidth, options.strideH, options.strideW)
    return window == (2, 2, 2, 2) and (options.padding == 1 or all(side % 2 == 0 for side in sides))


def _no_pool() -> str:
    raise NotRewritable("It has a pool that is neither 2x2 nor global. It can't be written layer by layer.")


def _mean(reader: _Reader, operator: Any) -> str:
    if sorted(reader.numbers(operator.inputs[1]).astype(int).ravel().tolist()) != [1, 2]:
        raise NotRewritable("It has a mean over other axes than height and width.")
    return reader.tape.add("mean", reader.became[operator.inputs[0]])


def _add(reader: _Reader, operator: Any) -> str:
    if all(tensor in reader.became for tensor in operator.inputs):
        return reader.tape.add("add", *(reader.became[tensor] for tensor in operator.inputs))
    return _by_constant(lambda value: {"less": -value})(reader, operator)


def _by_constant(values: Callable[[float], dict[str, float]]) -> Take:
    """An operation with one constant number, as in Keras' layer Rescaling."""

    def take(reader: _Reader, operator: Any) -> str:
        source = [tensor for tensor in operator.inputs if tensor in reader.became]
        constant = [tensor for tensor in operator.inputs if tensor not in reader.became]
        numbers = reader.numbers(constant[0]).ravel() if len(source) == len(constant) == 1 else np.zeros(0)
        if len(set(numbers.tolist())) != 1:
            raise NotRewritable("It computes with a constant for each channel, or with two results.")
        return reader.tape.add("scale", reader.became[source[0]], **values(float(numbers[0])))

    return take


def _plain(kind: Kind) -> Take:
    return lambda reader, operator: reader.tape.add(kind, reader.became[operator.inputs[0]])


TAKES: dict[str, Take] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": lambda reader, op: _dense(reader, op, reader.numbers(op.inputs[1]).T),
    "PAD": _pad,
    "ADD": _add,
    "SUB": _by_constant(lambda value: {"less": value}),
    "MUL": _by_constant(lambda value: {"divisor": 1 / value}),
    "DIV": _by_constant(lambda value: {"divisor": value}),
    "AVERAGE_POOL_2D": _average_pool,
    "MAX_POOL_2D": _max_pool,
    "MEAN": _mean,
    "RELU": _plain("relu"),
    "RELU6": _plain("relu6"),
    "SOFTMAX": _plain("softmax"),
}
