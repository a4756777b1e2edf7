"""Asks the model server for all classes of some images: one Predict with all of them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc
import numpy as np

from experiment.backends.grpc import model_version, open_channel, predict_method
from experiment.protocol import predict_pb2, types_pb2
from gateway.models.envelope import InvalidInputData, ModelNotLoaded, ServerFailed

SIGNATURE: Final = "predict_images"
INPUT: Final = "images"
TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Scored:
    """One image's classes, best first, with probabilities; of all classes if the model gives them."""

    indices: Sequence[int | None]  # of the classes in the order of the scores; None: not known
    labels: Sequence[str]
    probabilities: Sequence[float]


class Predictor:
    """Connections to model servers of this process. Not for use across a fork."""

    def __init__(self) -> None:
        self._methods: dict[str, Any] = {}
        self._lock = threading.Lock()

    def predict(
        self, server: str, model: str, images: Sequence[bytes]
    ) -> tuple[predict_pb2.PredictResponse, int]:
        """The answer to encoded images, and the version that gave it. Raises OldError."""
        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = model, SIGNATURE
        tensor = request.inputs[INPUT]
        tensor.dtype = types_pb2.DT_STRING
        tensor.tensor_shape.dim.add().size = len(images)
        tensor.string_val.extend(images)
        try:
            response = self._method(server)(request, timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            raise _failed(error) from None
        return response, model_version(response) or 0

    def _method(self, server: str) -> Any:
        with self._lock:
            if server not in self._methods:
                self._methods = {server: predict_method(open_channel(server))}
            return self._methods[server]


def scored(response: predict_pb2.PredictResponse, labels: Sequence[str], images: int) -> list[Scored]:
    """Each image's classes. `labels` are those of the model's card, perhaps none. Raises ServerFailed."""
    outputs = response.outputs
    try:
        if "probabilities" in outputs:
            rows = _floats(outputs["probabilities"], images)
            if rows.shape[1] == len(labels):
                return [_sorted(row, labels) for row in rows]
        scores = _floats(outputs["scores"], images)
        names = [text.decode("utf-8", "replace") for text in outputs["classes"].string_val]
        width = scores.shape[1]
        places = {label: index for index, label in enumerate(labels)}
        tops = [names[row * width : (row + 1) * width] for row in range(images)]
        return [
            Scored([places.get(name) for name in top], top, row.tolist())
            for top, row in zip(tops, scores, strict=True)
        ]
    except (KeyError, ValueError) as problem:
        raise ServerFailed(f"The model server gave an answer that can't be read ({problem}).") from None


def _sorted(row: np.ndarray, labels: Sequence[str]) -> Scored:
    best = np.argsort(-row, kind="stable").tolist()
    return Scored(best, [labels[index] for index in best], row[best].tolist())


def _floats(tensor: Any, images: int) -> np.ndarray:
    """Values [images, n] of a float tensor, in either of protobuf's two encodings."""
    content = tensor.tensor_content
    values = np.frombuffer(content, "<f4") if content else np.array(tensor.float_val, np.float32)
    return values.reshape(images, -1)


def _failed(error: grpc.RpcError) -> Exception:
    details = (error.details() or "no reason given")[:600]
    match error.code():
        case grpc.StatusCode.INVALID_ARGUMENT | grpc.StatusCode.OUT_OF_RANGE:
            return InvalidInputData(f"The model refused it: {details}")
        case grpc.StatusCode.UNAVAILABLE:
            return ModelNotLoaded("The model server starts, or starts again. Try again in some seconds.", 503)
        case grpc.StatusCode.NOT_FOUND | grpc.StatusCode.FAILED_PRECONDITION:
            return ModelNotLoaded(f"The model server does not serve it at the moment: {details}", 503)
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return ServerFailed(f"The model server has too much to do: {details}", 503)
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return ServerFailed(f"The model server did not answer within {TIMEOUT_S:g} s.", 504)
        case _:
            return ServerFailed(f"The model server failed: {details}")
