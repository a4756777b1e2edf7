"""Reads a TFLite classifier as a list of layers, so that it can be written for any runtime.

Quantised weights become the numbers that they stand for; in between nothing is rounded any more, so answers
differ a little from those of the file. Operators: tensorflow/lite/schema/schema.fbs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from models.formats import tflite_reader
from models.layers import PIXELS, Kind, Layers, Tape
from models.problems import ModelProblem

ACTIVATIONS: dict[str, Kind | None] = {"NONE": None, "RELU": "relu", "RELU6": "relu6"}
PASSED_ON = {"RESHAPE", "SQUEEZE", "QUANTIZE", "DEQUANTIZE"}  # [n, 1, 1, c] to [n, c], or only the type
NO_PADDING = (0, 0, 0, 0)


class NotRewritable(ModelProblem):
    """The network has something that the list of layers has no word for."""


def layers_of(file: Path) -> Layers:
    """Raises NotRewritable and Damaged. Float inputs stay as they are; of integers 0..255 is made."""
    model = tflite_reader.read(file)
    with tflite_reader.whole(file):
        return _layers_of(model)


def _layers_of(model: Any) -> Layers:
    reader = _Reader(model.subgraphs[0], model.buffers)
    for operator in model.subgraphs[0].operators:
        reader.take(tflite_reader.name_of(model, operator), operator)
    height, width = (int(size) for size in reader.shape(reader.graph.inputs[0])[1:3])
    return Layers(reader.tape.layers, (height, width))


@dataclass
class _Reader:
    """Takes one operator after another; knows what each tensor has become."""

    graph: Any
    buffers: Any
    tape: Tape = field(default_factory=Tape)
    became: dict[int, str] = field(default_factory=dict)  # tensor to layer
    padding: dict[int, tuple[int, int, int, int]] = field(default_factory=dict)  # of tensors made by PAD
    constant: dict[int, int] = field(default_factory=dict)  # what DEQUANTIZE made, to what it was made of

    def __post_init__(self) -> None:
        inputs, outputs = len(self.graph.inputs), len(self.graph.outputs)
        if (inputs, outputs) != (1, 1):
            raise NotRewritable(
                f"It has {inputs} inputs and {outputs} outputs, where one of each is wanted, so it can't be "
                "written layer by layer."
            )
        tensor = self.graph.tensors[self.graph.inputs[0]]
        scale, zero_point = tflite_reader.quantisation(tensor)
        # int8 is what is left of 0..255 after 128 is taken off
        zero = zero_point + (128 if tflite_reader.dtype_of(tensor) == np.int8 else 0)
        values = {"divisor": 1 / scale, "less": zero * scale} if scale else {}
        self.became[self.graph.inputs[0]] = self.tape.add("scale", PIXELS, **values)

    def take(self, name: str, operator: Any) -> None:
        """One operator. Raises NotRewritable."""
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
        """What a constant stands for."""
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
        (above, below), (left, right) = (_same(size, window, options.strideH) for size, window in sides)
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


def _same(size: int, window: int, stride: int) -> tuple[int, int]:
    """Zeros before and after, as TensorFlow's padding SAME has them."""
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


def _bias(reader: _Reader, operator: Any, count: int) -> np.ndarray:
    has_bias = len(operator.inputs) > 2 and operator.inputs[2] >= 0
    return reader.numbers(operator.inputs[2]) if has_bias else np.zeros(count, np.float32)


def _fully_connected(reader: _Reader, operator: Any) -> str:
    return _dense(reader, operator, reader.numbers(operator.inputs[1]).T)


def _dense(reader: _Reader, operator: Any, kernel: np.ndarray) -> str:
    bias = _bias(reader, operator, kernel.shape[1])
    return reader.tape.add(
        "dense", reader.became[operator.inputs[0]], kernel=np.ascontiguousarray(kernel), bias=bias
    )


def _pad(reader: _Reader, operator: Any) -> str:
    """Taken into the convolution behind it."""
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
    """2 by 2, without a rest that padding would have to fill."""
    window = (options.filterHeight, options.filterWidth, options.strideH, options.strideW)
    return window == (2, 2, 2, 2) and (options.padding == 1 or all(side % 2 == 0 for side in sides))


def _no_pool() -> str:
    raise NotRewritable("It has a pool that is neither 2 by 2 nor over all, so it can't be written so.")


def _mean(reader: _Reader, operator: Any) -> str:
    if sorted(reader.numbers(operator.inputs[1]).astype(int).ravel().tolist()) != [1, 2]:
        raise NotRewritable("It has a mean over other than height and width.")
    return reader.tape.add("mean", reader.became[operator.inputs[0]])


def _add(reader: _Reader, operator: Any) -> str:
    if all(each in reader.became for each in operator.inputs):
        return reader.tape.add("add", *(reader.became[each] for each in operator.inputs))
    return _by_constant(lambda value: {"less": -value})(reader, operator)


def _by_constant(values: Callable[[float], dict[str, float]]) -> Take:
    """An operation with one number for all, as Keras' layer Rescaling has them."""

    def take(reader: _Reader, operator: Any) -> str:
        source = [each for each in operator.inputs if each in reader.became]
        constant = [each for each in operator.inputs if each not in reader.became]
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
    "FULLY_CONNECTED": _fully_connected,
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
