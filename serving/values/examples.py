"""The input of Classify, Regress and MultiInference: tf.Examples from messages and from JSON.

Formats: tensorflow_serving/apis/input.proto; "Classify and Regress API" in
https://www.tensorflow.org/tfx/serving/api_rest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from tensorflow.core.example import example_pb2, feature_pb2
from tensorflow_serving.apis import input_pb2

from serving.errors import InvalidArgument
from serving.limits import EXAMPLES_LIMIT, EXPANDED_LIMIT_BYTES
from serving.values import json_text
from serving.values.json_text import is_base64, to_bytes

LIMITS = np.iinfo(np.int64)
FLOAT_LIMIT = float(np.finfo(np.float32).max)  # features hold 32-bit floats


@dataclass(frozen=True)
class Body:
    """A Classify or Regress request in JSON: the signature, and the serialised examples, DT_STRING [n]."""

    signature_name: str
    examples: np.ndarray

    @classmethod
    def parse(cls, text: bytes) -> Body:
        """Raises InvalidArgument, naming the example and its feature."""
        body = json_text.read_unique(text)
        if not isinstance(body, dict):
            raise InvalidArgument("The body must be a JSON object with the key 'examples'.")
        signature_name = body.get("signature_name", "")
        if not isinstance(signature_name, str):
            raise InvalidArgument("'signature_name' key must be a string value.")
        return cls(signature_name, _from_json(body))


def from_input(proto: input_pb2.Input) -> np.ndarray:
    """The serialised examples, DT_STRING [n], with the context merged into all. Raises InvalidArgument."""
    kind = proto.WhichOneof("kind")
    examples = getattr(proto, kind).examples if kind else ()
    context = b""
    if kind == "example_list_with_context":
        context = proto.example_list_with_context.context.SerializeToString()
    _check_size(len(examples), context)
    # Two serialised messages in a row are one merged message; of equal names the later feature counts.
    return _array([context + example.SerializeToString() for example in examples])


def _from_json(body: Mapping[str, Any]) -> np.ndarray:
    examples, context = body.get("examples"), body.get("context", {})
    if not isinstance(examples, list):
        raise InvalidArgument("Key 'examples' is expected and must be a list of objects.")
    shared = _serialised("context", context)
    _check_size(len(examples), shared)
    for index, example in enumerate(examples):
        twice = context.keys() & example.keys() if isinstance(example, dict) else ()
        if twice:
            raise InvalidArgument(f"examples[{index}] repeats {sorted(twice)} of the context. Give it once.")
    return _array([shared + _serialised(f"examples[{i}]", example) for i, example in enumerate(examples)])


def _check_size(count: int, context: bytes) -> None:
    """Raises InvalidArgument for too much: the context is copied into every example."""
    if count > EXAMPLES_LIMIT or count * len(context) > EXPANDED_LIMIT_BYTES:
        raise InvalidArgument(
            f"{count} examples with a context of {len(context)} bytes are too much at once: at most "
            f"{EXAMPLES_LIMIT} are taken, and {EXPANDED_LIMIT_BYTES // 1024**2} MiB of repeated context. "
            "Send them in several requests."
        )


def _array(serialised: list[bytes]) -> np.ndarray:
    if not serialised:
        raise InvalidArgument("Input is empty.")
    array = np.empty(len(serialised), object)
    array[:] = serialised
    return array


def _serialised(where: str, features: Any) -> bytes:
    if not isinstance(features, dict):
        raise InvalidArgument(f"{where} must be an object of features.")
    example = example_pb2.Example()
    for name, value in features.items():
        try:
            example.features.feature[name].CopyFrom(_feature(value))
        except ValueError as problem:
            raise InvalidArgument(f"Feature {name!r} of {where} {problem}.") from problem
    return bytes(example.SerializeToString())


def _feature(value: Any) -> feature_pb2.Feature:
    """The feature of a value, or of a list of values of one kind. Whole and decimal numbers are two kinds."""
    values = value if isinstance(value, list) else [value]
    kinds = set(map(_kind, values))
    if len(kinds) > 1:
        raise ValueError("mixes kinds of values. Write whole numbers among decimal ones as 1.0")
    if kinds == {"float"}:
        return feature_pb2.Feature(float_list={"value": values})
    if kinds == {"int"}:
        return feature_pb2.Feature(int64_list={"value": map(int, values)})
    if kinds == {"bytes"}:
        return feature_pb2.Feature(bytes_list={"value": map(to_bytes, values)})
    return feature_pb2.Feature()


def _kind(value: Any) -> str:
    """The kind of list that a value belongs into. true and false are 1 and 0, as in TensorFlow Serving."""
    if isinstance(value, float):
        if math.isfinite(value) and abs(value) > FLOAT_LIMIT:
            raise ValueError(f"holds {value}, which does not fit into a 32-bit float")
        return "float"
    if isinstance(value, int):
        if not LIMITS.min <= value <= LIMITS.max:
            raise ValueError("holds a whole number that does not fit into 64 bits")
        return "int"
    if isinstance(value, str) or is_base64(value):
        return "bytes"
    raise ValueError('must be a number, true, false, a string, {"b64": "..."} or a list of such')
