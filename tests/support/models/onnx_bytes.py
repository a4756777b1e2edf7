"""Writes small ONNX models without the package onnx.

Field numbers: https://github.com/onnx/onnx, onnx/onnx.proto.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.support.models.wire import block, number, numbers

SIDE_PX = 32
OPSET = 13


def value(name: str, sizes: Sequence[int]) -> bytes:
    """A tensor of floats with its shape."""
    shape = b"".join(block(1, number(1, size)) for size in sizes)
    return block(1, name) + block(2, block(1, number(1, 1) + block(2, shape)))


def node(operator: str, inputs: Sequence[str], output: str) -> bytes:
    return b"".join(block(1, name) for name in inputs) + block(2, output) + block(4, operator)


def onnx_bytes(
    nodes: Sequence[bytes],
    outputs: Sequence[bytes],
    shapes: dict[str, Sequence[int]],
    metadata: dict[str, str],
) -> bytes:
    """A model of images [1, 3, 32, 32]; `shapes` are what Reshape takes."""
    stored = [
        numbers(1, [len(sizes)]) + number(2, 7) + block(8, name) + block(9, np.array(sizes, "<i8").tobytes())
        for name, sizes in shapes.items()
    ]
    graph = b"".join(
        [
            *(block(1, node) for node in nodes),
            block(2, "graph"),
            *(block(5, tensor) for tensor in stored),
            block(11, value("images", (1, 3, SIDE_PX, SIDE_PX))),
            *(block(12, output) for output in outputs),
        ]
    )
    notes = b"".join(block(14, block(1, key) + block(2, said)) for key, said in metadata.items())
    return number(1, 8) + block(7, graph) + block(8, number(2, OPSET)) + notes


def classifier(notes: dict[str, str] | None = None) -> bytes:
    """Which colour an image has most of: three classes, which its exporter's notes name."""
    nodes = [
        node("GlobalAveragePool", ("images",), "mean"),
        node("Reshape", ("mean", "flat"), "colours"),
        node("Softmax", ("colours",), "output0"),
    ]
    written = {"task": "classify", "imgsz": "[32, 32]", "names": "{0: 'red', 1: 'green', 2: 'blue'}"}
    return onnx_bytes(
        nodes, [value("output0", (1, 3))], {"flat": (1, 3)}, written if notes is None else notes
    )
