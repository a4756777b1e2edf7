"""TensorFlow Serving over gRPC: PredictionService.Predict with encoded image bytes."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable
from typing import Any

import grpc

from experiment.backends.answers import bad_answer, distribution, stages, top_labels
from experiment.backends.base import (
    CONNECT_S,
    MESSAGE_LIMIT_BYTES,
    RequestFailed,
    describe,
    short_cause,
    too_late,
)
from experiment.backends.replicas import Replicas, Resolver, look_up
from experiment.protocol import PREDICT, predict_pb2, tensor_pb2, type_name, types_pb2
from experiment.records import BackendInfo, Prediction, Variant
from experiment.wording import count, told

CHANNEL_OPTIONS = (
    ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
    ("grpc.enable_retries", 0),  # a hidden retry would be reported as one slow request
    ("grpc.use_local_subchannel_pool", 1),  # one connection per backend, never shared
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # Against its name this is how long making a connection may take; the pauses between tries are the others.
    ("grpc.min_reconnect_backoff_ms", round(CONNECT_S * 1000)),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A call whose bytes can't leave, because the host has vanished, outlives its deadline: gRPC waits for the
    # write. With keepalive on, the system gives the connection up when nothing was acknowledged for so long
    # (TCP_USER_TIMEOUT). Pings as rare as every server allows them.
    ("grpc.keepalive_time_ms", 300_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)
MOST_DIMENSIONS = 8
MOST_NAMES = 10  # of a server's, in one sentence
STAGE_PREFIX, STAGE_SUFFIX = "pixelcost-", "-ms"  # trailing metadata of the embedded server

_CODES = {
    grpc.StatusCode.UNAVAILABLE: "unreachable",
    grpc.StatusCode.DEADLINE_EXCEEDED: "deadline",
    grpc.StatusCode.INVALID_ARGUMENT: "bad_request",
    grpc.StatusCode.FAILED_PRECONDITION: "not_found",  # TensorFlow Serving: no such signature
    grpc.StatusCode.OUT_OF_RANGE: "bad_request",
    grpc.StatusCode.NOT_FOUND: "not_found",
    grpc.StatusCode.UNIMPLEMENTED: "not_found",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "overloaded",
}


def open_channel(address: str, answer_limit_bytes: int = MESSAGE_LIMIT_BYTES) -> grpc.Channel:
    """An insecure channel with our limits; of a list of addresses, to the first that can be reached.

    Connects lazily, at the first call.
    """
    limit = ("grpc.max_receive_message_length", answer_limit_bytes)
    target = f"ipv4:{address}" if "," in address else address
    return grpc.insecure_channel(target, options=(*CHANNEL_OPTIONS, limit))


def wait_for_connection(channel: grpc.Channel, timeout_s: float) -> None:
    """Connect. Returns when that has worked or failed, at the latest after `timeout_s`."""
    decided = threading.Event()

    def look(state: grpc.ChannelConnectivity) -> None:
        if state not in {grpc.ChannelConnectivity.IDLE, grpc.ChannelConnectivity.CONNECTING}:
            decided.set()

    channel.subscribe(look, try_to_connect=True)
    decided.wait(timeout_s)
    channel.unsubscribe(look)


class _Stub:
    """A channel with its one method."""

    def __init__(self, address: str):
        self._channel = open_channel(address)
        self._was_opened = False
        self.predict = self._channel.unary_unary(
            PREDICT,
            request_serializer=predict_pb2.PredictRequest.SerializeToString,
            response_deserializer=predict_pb2.PredictResponse.FromString,
        )

    def open(self, timeout_s: float) -> None:
        """Connect, the first time; from then on gRPC keeps the connection up by itself."""
        if not self._was_opened:
            self._was_opened = True
            wait_for_connection(self._channel, timeout_s)

    def close(self) -> None:
        self._channel.close()


class GrpcBackend:
    """One channel to each replica of one server. Not for use across a fork."""

    def __init__(self, info: BackendInfo, resolve: Resolver = look_up):
        self.info = info
        self._replicas = Replicas(info.address, _Stub, resolve)

    def open(self, timeout_s: float) -> None:
        """Connect to every replica, as far as that works."""
        self._replicas.open(timeout_s)

    def predict(self, variant: Variant, timeout_s: float) -> Prediction:
        """Send the image, return the top 5. Raises RequestFailed."""
        request = self._request(variant.data, self.info.signature)
        response, call, peer = self._answer(request, variant, timeout_s)
        return self._prediction(request, response, call, peer)

    def decode(self, variant: Variant, timeout_s: float) -> Prediction:
        """Send the image to the signature that only decodes. Raises RequestFailed."""
        request = self._request(variant.data, self.info.decode_signature or "")
        if self.info.decode_output:
            request.output_filter.append(self.info.decode_output)
        response, call, peer = self._answer(request, variant, timeout_s)
        return Prediction(
            top=(),
            request_bytes=request.ByteSize(),
            response_bytes=response.ByteSize(),
            server_ms=_stages(call.trailing_metadata() or ()),
            peer=peer,
            model_version=_version(response),
        )

    def close(self) -> None:
        """Close the channels."""
        self._replicas.close()

    def _answer(
        self, request: predict_pb2.PredictRequest, variant: Variant, timeout_s: float
    ) -> tuple[predict_pb2.PredictResponse, Any, str | None]:
        """The answer, its call, and which replica gave it."""
        peer, stub = self._replicas.next()
        try:
            response, call = stub.predict.with_call(request, timeout=timeout_s)
        except grpc.RpcError as error:
            if error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}:
                self._replicas.lost(peer)
            raise self._failed(error, variant, timeout_s, peer) from None
        self._replicas.answered(peer)
        return response, call, peer

    def _request(self, data: bytes, signature: str) -> predict_pb2.PredictRequest:
        request = predict_pb2.PredictRequest()
        request.model_spec.name = self.info.model
        request.model_spec.signature_name = signature
        tensor = request.inputs[self.info.input_key]
        tensor.dtype = types_pb2.DT_STRING
        tensor.tensor_shape.dim.add().size = 1
        tensor.string_val.append(data)
        return request

    def _prediction(
        self,
        request: predict_pb2.PredictRequest,
        response: predict_pb2.PredictResponse,
        call: Any,
        peer: str | None,
    ) -> Prediction:
        outputs = response.outputs
        missing = [key for key in ("classes", "scores") if key not in outputs]
        if missing:
            raise bad_answer(
                self.info, f"without {' and '.join(missing)}. It gave: {names_of(outputs) or 'nothing'}."
            )
        return Prediction(
            top=top_labels(
                self.info,
                self._texts("classes", outputs["classes"]),
                self._floats("scores", outputs["scores"]),
            ),
            request_bytes=request.ByteSize(),
            response_bytes=response.ByteSize(),
            server_ms=_stages(call.trailing_metadata() or ()),
            peer=peer,
            model_version=_version(response),
            distribution=distribution(self.info, self._floats("probabilities", outputs["probabilities"]))
            if "probabilities" in outputs
            else None,
        )

    def _texts(self, name: str, tensor: tensor_pb2.TensorProto) -> list[bytes]:
        """The values of a row of texts."""
        self._check_type(name, tensor, types_pb2.DT_STRING)
        return self._one_row(name, tensor, list(tensor.string_val))

    def _floats(self, name: str, tensor: tensor_pb2.TensorProto) -> list[float]:
        """The values of a row of floats, in either of the two ways servers send them."""
        self._check_type(name, tensor, types_pb2.DT_FLOAT)
        content = tensor.tensor_content
        if len(content) % 4:
            raise bad_answer(self.info, f"{name} of {len(content):,} bytes, which are not 4-byte floats.")
        values = list(memoryview(content).cast("f")) if content else list(tensor.float_val)
        return self._one_row(name, tensor, values)

    def _check_type(self, name: str, tensor: tensor_pb2.TensorProto, wanted: int) -> None:
        if tensor.dtype != wanted:
            kinds = f"{name} of {type_name(tensor.dtype)}; {type_name(wanted)} is expected."
            raise bad_answer(self.info, kinds)

    def _one_row(self, name: str, tensor: tensor_pb2.TensorProto, values: list[Any]) -> list[Any]:
        """The values, where the shape says that they belong to the one image that was sent."""
        shape = [each.size for each in tensor.tensor_shape.dim[: MOST_DIMENSIONS + 1]]
        if shape and not _is_one_row(shape, len(values)):
            raise bad_answer(
                self.info,
                f"{name} of shape {shape} with {count(len(values), 'value')}; for the one image that was "
                "sent [1, n] with n values is expected.",
            )
        return values

    def _failed(
        self, error: grpc.RpcError, variant: Variant, timeout_s: float, peer: str | None
    ) -> RequestFailed:
        details = told(error.details() or "")
        code = _CODES.get(error.code(), "server_error")
        if code == "deadline":
            return too_late(self.info, variant, timeout_s)
        if code == "overloaded" and "larger than max" in details:
            if "CLIENT: Received" in details:  # our own limit; a server says "SERVER", or nothing, of its own
                return bad_answer(self.info, f"more than {MESSAGE_LIMIT_BYTES / 2**20:.0f} MiB.")
            return RequestFailed("too_large", _too_large(variant, details))
        if code == "overloaded" and "metadata size exceeds" in details:
            return bad_answer(self.info, f"with more metadata than gRPC takes: {details}")
        if "deserializ" in details:
            return bad_answer(self.info, "something that is not a Predict response.")
        return RequestFailed(code, _sentence(code, self.info, variant, details, peer))


def names_of(found: Iterable[str]) -> str:
    """A server's names of something in a sentence, a few of them."""
    names = sorted(found)
    shown = [told(each, 40) for each in names[:MOST_NAMES]]
    return ", ".join(shown) + (f" and {len(names) - MOST_NAMES:,} more" if names[MOST_NAMES:] else "")


def _is_one_row(shape: list[int], values: int) -> bool:
    if len(shape) > MOST_DIMENSIONS or min(shape) < 0 or math.prod(shape) != values:
        return False
    return len(shape) == 1 or shape[0] == 1


def _sentence(code: str, info: BackendInfo, variant: Variant, details: str, peer: str | None) -> str:
    if code == "unreachable":
        return f"No answer from {info.name} at {peer or info.address} ({short_cause(details)})."
    if code == "overloaded":
        return f"{info.name} is overloaded and refused the request: {details}"
    if code == "server_error":
        return f"{info.name} failed on its side: {details}"
    return f"{info.name} refused {describe(variant)}: {details}"


def _too_large(variant: Variant, details: str) -> str:
    return (
        f"The request for {describe(variant)} is over this server's message limit ({details}). "
        "Raise its gRPC message size limit, or use JPEG."
    )


def _version(response: predict_pb2.PredictResponse) -> int | None:
    return max(0, response.model_spec.version.value) or None


def _stages(metadata: Any) -> dict[str, float]:
    return stages(
        (key[len(STAGE_PREFIX) : -len(STAGE_SUFFIX)], value)
        for key, value in metadata
        if key.startswith(STAGE_PREFIX) and key.endswith(STAGE_SUFFIX)
    )
