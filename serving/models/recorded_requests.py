"""Reads a model's own warm-up requests: a TFRecord file of PredictionLog messages.

Format: https://www.tensorflow.org/tutorials/load_data/tfrecord (length, its checksum, data, its checksum).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from serving.errors import InvalidArgument, LoadFailed
from serving.runtimes.base import Arrays
from serving.values.examples import from_input
from serving.values.signatures import DEFAULT_SIGNATURE
from serving.values.tensors import to_array

PLACE = Path("assets.extra") / "tf_serving_warmup_requests"
RECORD_LIMIT = 1000  # TensorFlow Serving's own


@dataclass(frozen=True)
class RecordedRequest:
    """A warm-up request: a signature and its inputs."""

    signature_name: str
    inputs: Arrays
    is_recorded: bool = True


def read(directory: Path) -> list[RecordedRequest]:
    """The requests of a version, if it has any. Raises LoadFailed if the file is damaged or too long."""
    path = directory / PLACE
    if not path.is_file():
        return []
    try:
        logs = [prediction_log_pb2.PredictionLog.FromString(text) for text in _records(path.read_bytes())]
        requests = [request for log in logs for request in _requests(log)]
    except (DecodeError, struct.error, InvalidArgument, ValueError) as problem:
        raise LoadFailed(
            f"{path} can't be read as warm-up requests: {problem}. Record them again."
        ) from problem
    if len(logs) > RECORD_LIMIT:
        raise LoadFailed(f"{path} holds {len(logs)} records; at most {RECORD_LIMIT} are allowed.")
    return requests


def _records(text: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(text):
        (length,) = struct.unpack_from("<Q", text, at)
        start = at + 12
        at = start + length + 4
        if at > len(text):
            raise ValueError("it ends within a record")
        yield text[start : start + length]


def _requests(log: prediction_log_pb2.PredictionLog) -> Iterator[RecordedRequest]:
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        request = log.predict_log.request
        inputs = {alias: to_array(alias, proto) for alias, proto in request.inputs.items()}
        yield RecordedRequest(request.model_spec.signature_name or DEFAULT_SIGNATURE, inputs)
    elif kind in {"classify_log", "regress_log"}:
        request = getattr(log, kind).request
        name = request.model_spec.signature_name or DEFAULT_SIGNATURE
        yield RecordedRequest(name, {"inputs": from_input(request.input)})
    elif kind == "multi_inference_log":
        request = log.multi_inference_log.request
        for task in request.tasks:
            name = task.model_spec.signature_name or DEFAULT_SIGNATURE
            yield RecordedRequest(name, {"inputs": from_input(request.input)})
    else:
        raise ValueError(f"a record holds {kind or 'nothing'}, which is not a request to this server")
