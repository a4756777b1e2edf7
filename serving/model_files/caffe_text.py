"""The inputs of a Caffe network, from its prototxt: both ways to write them.

Format: text form of NetParameter in https://github.com/BVLC/caffe, caffe.proto.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tensorflow.core.framework import types_pb2

from serving.errors import LoadFailed
from serving.values.signatures import TensorSpec

TOKEN = re.compile(r"""\s+|\#[^\n]*|(?P<text>"[^"\n]*"|'[^'\n]*')|(?P<mark>[{}:;,<>])|(?P<word>[\w.+-]+)""")
LIMIT_BYTES = 16 << 20
DEEPEST = 100  # messages within messages

Fields = list[tuple[str, object]]  # name, and a text or the fields of a message


def caffe_inputs(prototxt: Path) -> Mapping[str, TensorSpec]:
    """Name and shape of each input; the batch size is free. Raises LoadFailed."""
    try:
        if prototxt.stat().st_size > LIMIT_BYTES:
            raise ValueError("it is too large for a description")
        fields = _fields(_tokens(prototxt.read_text(encoding="utf-8")))
        shapes = {**_input_layers(fields), **_old_inputs(fields)}
        if not shapes:
            raise ValueError("it names no input with its shape")
        return {
            alias: TensorSpec(types_pb2.DT_FLOAT, (None, *(_size(text) for text in sizes[1:])))
            for alias, sizes in shapes.items()
        }
    except ValueError as problem:
        raise LoadFailed(
            f"{prototxt} can't be read as a Caffe network: {problem}. Put the deploy.prototxt there that "
            "came with the weights, with an Input layer or input_shape."
        ) from problem


def _input_layers(fields: Fields) -> dict[str, list[str]]:
    """layer { type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 ... } } }"""
    found = {}
    for layer in _all(fields, "layer"):
        if _all(layer, "type") == ["Input"]:
            shapes = [shape for inner in _all(layer, "input_param") for shape in _all(inner, "shape")]
            tops = _all(layer, "top")
            for index, top in enumerate(tops if shapes else []):
                found[str(top)] = _all(shapes[min(index, len(shapes) - 1)], "dim")
    return found


def _old_inputs(fields: Fields) -> dict[str, list[str]]:
    """input: "data" and then input_shape { dim: 1 ... }, or four input_dim for each input."""
    names = [str(name) for name in _all(fields, "input")]
    sizes = _all(fields, "input_dim")
    shapes = [_all(shape, "dim") for shape in _all(fields, "input_shape")]
    shapes = shapes or [sizes[start : start + 4] for start in range(0, len(sizes), 4)]
    if len(shapes) < len(names):
        raise ValueError(f"the input {names[len(shapes)]!r} has no shape")
    return dict(zip(names, shapes, strict=False))


def _all(fields: object, name: str) -> list[Any]:
    return [value for key, value in fields if key == name] if isinstance(fields, list) else []


def _size(text: object) -> int | None:
    """A size; zero or less, which some files have, means any."""
    size = int(str(text))
    return size if size > 0 else None


def _tokens(text: str) -> Iterator[str]:
    position = 0
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"line {text.count(chr(10), 0, position) + 1} has {text[position]!r}")
        position = match.end()
        if match.lastgroup:
            yield match.group()


def _fields(tokens: Iterator[str], depth: int = 0) -> Fields:
    """`name: value` and `name { ... }` up to the closing brace, or the end."""
    found: Fields = []
    if depth > DEEPEST:
        raise ValueError("its braces are nested too deeply")
    for name in tokens:
        if name in {"}", ">"} and depth:
            return found
        if name in {";", ","}:
            continue
        mark = next(tokens, "")
        value = next(tokens, "") if mark == ":" else mark
        if value in {"{", "<"}:
            found.append((name, _fields(tokens, depth + 1)))
        elif mark == ":" and value and value not in "};,>:":
            found.append((name, value.strip("\"'")))
        else:
            raise ValueError(f"{name[:40]!r} has no value")
    if depth:
        raise ValueError("it ends within a layer")
    return found
