"""Bytes of gRPC requests to the model server: Predict and the others of its services."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import NoReturn

import grpc

from fuzz import numbers_model
from fuzz.target import Target
from serving.api.grpc import GrpcApi

# After serving, which lets the messages load without TensorFlow.
from experiment.protocol import types_pb2  # isort: skip
from tensorflow_serving.apis import classification_pb2, predict_pb2  # isort: skip

METHODS = (
    "/tensorflow.serving.PredictionService/Predict",
    "/tensorflow.serving.PredictionService/Predict",  # twice: it is what most clients send
    "/tensorflow.serving.PredictionService/Classify",
    "/tensorflow.serving.PredictionService/Regress",
    "/tensorflow.serving.PredictionService/MultiInference",
    "/tensorflow.serving.PredictionService/GetModelMetadata",
    "/tensorflow.serving.ModelService/GetModelStatus",
)
OURS = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}  # statuses that no client may cause


class _Aborted(Exception):
    """What grpc raises out of a method that aborts."""


class _Context:
    def __init__(self) -> None:
        self.status = grpc.StatusCode.OK

    def time_remaining(self) -> None:
        return None

    def is_active(self) -> bool:
        return True

    def set_trailing_metadata(self, metadata: object) -> None:
        """Nobody reads it."""

    def abort(self, status: grpc.StatusCode, details: str) -> NoReturn:
        self.status = status
        raise _Aborted(details)


@functools.cache
def _api() -> GrpcApi:
    return GrpcApi(numbers_model.serving(), lambda spec: "{}")


def _feed(data: bytes) -> str:
    """The first byte chooses the method."""
    method, context = METHODS[(data[0] if data else 0) % len(METHODS)], _Context()
    try:
        _api().methods[method](data[1:], context)
    except _Aborted as refusal:
        if context.status in OURS:
            raise AssertionError(f"{context.status.name}: {refusal}") from refusal
    return context.status.name.lower()


def _seeds() -> Iterator[bytes]:
    for name in numbers_model.TYPES:
        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = numbers_model.NAME, name.lower()
        tensor = request.inputs["x"]
        tensor.dtype = types_pb2.DataType.Value(f"DT_{name}")
        tensor.tensor_shape.dim.add(size=2)
        if name == "STRING":
            tensor.string_val.extend([b"a", b"\xff\xd8"])
        else:
            tensor.tensor_content = bytes(16)[
                : 2 * {"HALF": 2, "INT8": 1, "UINT8": 1, "BOOL": 1, "INT32": 4, "FLOAT": 4}.get(name, 8)
            ]
        yield b"\0" + request.SerializeToString()
    values = predict_pb2.PredictRequest()
    values.model_spec.name = numbers_model.NAME
    values.inputs["x"].dtype = types_pb2.DT_FLOAT
    values.inputs["x"].tensor_shape.dim.add(size=3)
    values.inputs["x"].float_val.append(1.5)
    yield b"\0" + values.SerializeToString()
    yield b"\0" + bytes.fromhex("0a091207") + b"numbers"
    classify = classification_pb2.ClassificationRequest()
    classify.model_spec.name = numbers_model.NAME
    features = classify.input.example_list.examples.add().features.feature
    features["x"].float_list.value.append(1.0)
    features["name"].bytes_list.value.append(b"a")
    for method in (2, 3, 4, 5, 6):
        yield bytes([method]) + classify.SerializeToString()


TOKENS = [
    *(
        b"\x08\x01",
        b"\x08\x07",
        b"\x12\x04\x12\x02\x08\x02",
        b"\x12\x0c\x12\x0a\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    ),
    *(
        b"\x08\xdc\xff\xff\x0f",
        b"\x42\x00",
        b"\x2a\x04\0\0\xc0\x7f",
        b"\x22\x08",
        b"\x12\x02\x18\x01",
        b"\xff" * 9 + b"\x01",
    ),
    *(b"square", b"string", b"uint64", b"serving_default", b"\x0a\x01x", b"\x1a\x01y"),
]
TARGET = Target("predict", lambda: list(_seeds()), _feed, TOKENS)
