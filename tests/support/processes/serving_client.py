"""A stock TensorFlow Serving client: its own stubs and messages, without TensorFlow's runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np
import pytest

# First: it lets the messages load without TensorFlow.
from experiment.protocol import model_pb2, predict_pb2, tensor_pb2, types_pb2  # isort: skip
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from tests.support.processes.serving_process import MODEL

NO_LIMITS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 100),  # the usual second is as long as a start takes
)


def strings(*values: bytes) -> tensor_pb2.TensorProto:
    """DT_STRING [n]."""
    shape = {"dim": [{"size": len(values)}]}
    return tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, tensor_shape=shape, string_val=values)


def floats(array: np.ndarray) -> tensor_pb2.TensorProto:
    """DT_FLOAT of the array's shape, as tf.make_tensor_proto writes it."""
    shape = {"dim": [{"size": size} for size in array.shape]}
    content = array.astype(np.float32).tobytes()
    return tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, tensor_shape=shape, tensor_content=content)


def predict_request(
    *images: bytes,
    signature: str = "predict_images",
    model: str = MODEL,
    version: int | None = None,
    label: str = "",
    inputs: Mapping[str, tensor_pb2.TensorProto] | None = None,
    output_filter: Sequence[str] = (),
) -> predict_pb2.PredictRequest:
    """The images as input `images`, unless `inputs` says it all."""
    spec = model_pb2.ModelSpec(name=model, signature_name=signature, version_label=label)
    if version is not None:
        spec.version.value = version
    inputs = {"images": strings(*images)} if inputs is None else inputs
    return predict_pb2.PredictRequest(model_spec=spec, inputs=inputs, output_filter=output_filter)


class Client:
    """Both services of a server."""

    def __init__(self, address: str, credentials: grpc.ChannelCredentials | None = None):
        if credentials:
            self.channel = grpc.secure_channel(address, credentials, options=NO_LIMITS)
        else:
            self.channel = grpc.insecure_channel(address, options=NO_LIMITS)
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.model = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def predict(self, *images: bytes, timeout_s: float = 30, **asked: Any) -> predict_pb2.PredictResponse:
        return self.prediction.Predict(predict_request(*images, **asked), timeout=timeout_s)

    def outputs(self, *images: bytes, **asked: Any) -> dict[str, np.ndarray]:
        """The answer as arrays."""
        return {alias: array(proto) for alias, proto in self.predict(*images, **asked).outputs.items()}


def array(proto: tensor_pb2.TensorProto) -> np.ndarray:
    """Values from the field of their type, where TensorFlow Serving puts them."""
    shape = [dimension.size for dimension in proto.tensor_shape.dim]
    values = proto.string_val if proto.dtype == types_pb2.DT_STRING else proto.float_val
    return np.array(list(values), object if proto.dtype == types_pb2.DT_STRING else np.float32).reshape(shape)


@contextmanager
def refused(code: grpc.StatusCode, *texts: str):
    """The block must fail with this code, and its message must hold each text."""
    with pytest.raises(grpc.RpcError) as caught:
        yield
    assert (caught.value.code(), caught.value.details()) == (code, caught.value.details())
    for text in texts:
        assert text in caught.value.details()
