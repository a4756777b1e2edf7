"""TensorFlow Serving over gRPC: PredictionService.Predict with an encoded image."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import grpc

from common import traces
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
from experiment.wording import count, one_line

CHANNEL_OPTIONS = (
    ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
    ("grpc.enable_retries", 0),  # a hidden retry would be reported as one slow request
    ("grpc.use_local_subchannel_pool", 1),  # one connection per backend, never shared
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # Despite its name: how long connecting may take. The other two are the pauses between tries.
    ("grpc.min_reconnect_backoff_ms", round(CONNECT_S * 1000)),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # Without keepalive, a call to a host that has vanished outlives its deadline: gRPC waits for the write.
    # With it, the kernel closes the connection when nothing was acknowledged for the timeout
    # (TCP_USER_TIMEOUT). Every server allows pings this rare.
    ("grpc.keepalive_time_ms", 300_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)
MOST_DIMENSIONS = 8
MOST_NAMES = 10  # in a sentence
STAGE_PREFIX, STAGE_SUFFIX = "pixelcost-", "-ms"  # trailing metadata of the embedded server

# gRPC's status -> one of errors.FAILURE_CODES; all others are "server_error".
FAILURES = {
    grpc.StatusCode.UNAVAILABLE: "unreachable",
    grpc.StatusCode.DEADLINE_EXCEEDED: "deadline",
    grpc.StatusCode.INVALID_ARGUMENT: "bad_request",
    grpc.StatusCode.FAILED_PRECONDITION: "not_found",  # TensorFlow Serving: no such signature
    grpc.StatusCode.OUT_OF_RANGE: "bad_request",
    grpc.StatusCode.NOT_FOUND: "not_found",
    grpc.StatusCode.UNIMPLEMENTED: "not_found",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "overloaded",
}


# What gRPC says when a connection broke that had been there; else none could be made, or a proxy answered.
_WORDS_OF_LOST = (
    "socket closed",
    "connection reset",
    "broken pipe",
    "recvmsg",
    "end of tcp",
    "stream removed",
)


class ConnectionLost(RequestFailed):
    """The server went away while it had the request, so the request may be the reason."""


def open_channel(address: str, answer_limit_bytes: int = MESSAGE_LIMIT_BYTES) -> grpc.Channel:
    """An insecure channel with our limits, which connects at the first call.

    `address` is "host:port", or several with commas: then the first that can be reached.
    """
    limit = ("grpc.max_receive_message_length", answer_limit_bytes)
    family = "ipv6" if address.startswith("[") else "ipv4"
    target = f"{family}:{address}" if "," in address else address
    return grpc.insecure_channel(target, options=(*CHANNEL_OPTIONS, limit))


def wait_for_connection(channel: grpc.Channel, timeout_s: float) -> None:
    """Connect. Returns when connected or failed, or after `timeout_s`."""
    decided = threading.Event()

    def look(state: grpc.ChannelConnectivity) -> None:
        if state not in {grpc.ChannelConnectivity.IDLE, grpc.ChannelConnectivity.CONNECTING}:
            decided.set()

    channel.subscribe(look, try_to_connect=True)
    decided.wait(timeout_s)
    channel.unsubscribe(look)


def unary(channel: grpc.Channel, method: str, request: Any, response: Any) -> Any:
    """A method of a service: it takes a message of class `request` and returns one of class `response`."""
    return channel.unary_unary(
        method, request_serializer=request.SerializeToString, response_deserializer=response.FromString
    )


def predict_method(channel: grpc.Channel) -> Any:
    """PredictionService.Predict on a channel."""
    return unary(channel, PREDICT, predict_pb2.PredictRequest, predict_pb2.PredictResponse)


def predict_request(info: BackendInfo, signature: str, image: bytes) -> predict_pb2.PredictRequest:
    """A request with one encoded image: a DT_STRING tensor of shape [1]."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = info.model
    request.model_spec.signature_name = signature
    tensor = request.inputs[info.input_key]
    tensor.dtype = types_pb2.DT_STRING
    tensor.tensor_shape.dim.add().size = 1
    tensor.string_val.append(image)
    return request


class _Stub:
    """A channel with the method Predict."""

    def __init__(self, address: str):
        self._channel = open_channel(address)
        self._was_opened = False
        self.predict = predict_method(self._channel)

    def open(self, timeout_s: float) -> None:
        """Connect, the first time; from then on gRPC keeps the connection up by itself."""
        if not self._was_opened:
            self._was_opened = True
            wait_for_connection(self._channel, timeout_s)

    def close(self) -> None:
        self._channel.close()


class GrpcBackend:
    """A channel to every replica of a backend. Not for use across a fork."""

    def __init__(self, info: BackendInfo, resolve: Resolver = look_up):
        self.info = info
        self._replicas = Replicas(info.address, _Stub, resolve)

    def open(self, timeout_s: float) -> None:
        """Connect to every replica that can be reached."""
        self._replicas.open(timeout_s)

    def predict(self, variant: Variant, timeout_s: float) -> Prediction:
        """Send the image, return the top 5. Raises RequestFailed."""
        request = predict_request(self.info, self.info.signature, variant.data)
        outputs, prediction = self.ask(request, partial(describe, variant), timeout_s)
        missing = [key for key in ("classes", "scores") if key not in outputs]
        if missing:
            raise bad_answer(
                self.info, f"without {' and '.join(missing)}. It returned: {names_of(outputs) or 'nothing'}."
            )
        classes, scores = (
            self._texts("classes", outputs["classes"]),
            self._floats("scores", outputs["scores"]),
        )
        all_scores = None
        if "probabilities" in outputs:
            all_scores = distribution(self.info, self._floats("probabilities", outputs["probabilities"]))
        return replace(prediction, top=top_labels(self.info, classes, scores), distribution=all_scores)

    def decode(self, variant: Variant, timeout_s: float) -> Prediction:
        """Send the image to the signature that only decodes. Raises RequestFailed."""
        request = predict_request(self.info, self.info.decode_signature or "", variant.data)
        if self.info.decode_output:
            request.output_filter.append(self.info.decode_output)
        return self.ask(request, partial(describe, variant), timeout_s)[1]

    def ask(
        self, request: predict_pb2.PredictRequest, what: Callable[[], str], timeout_s: float
    ) -> tuple[Mapping[str, tensor_pb2.TensorProto], Prediction]:
        """Send a request of any kind: the outputs by name, not yet checked, and a prediction without labels.

        `what` names what is sent, for the sentence of a failure. Raises RequestFailed.
        """
        peer, stub = self._replicas.next()
        try:
            header = traces.outgoing()
            metadata = None if header is None else ((traces.HEADER, header),)
            response, call = stub.predict.with_call(request, timeout=timeout_s, metadata=metadata)
        except grpc.RpcError as error:
            if error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}:
                self._replicas.lost(peer)
            raise self._failed(error, what(), timeout_s, peer) from None
        self._replicas.answered(peer)
        return response.outputs, Prediction(
            top=(),
            request_bytes=request.ByteSize(),
            response_bytes=response.ByteSize(),
            server_ms=stages_of(call.trailing_metadata() or ()),
            peer=peer,
            model_version=model_version(response),
        )

    def close(self) -> None:
        """Close the channels."""
        self._replicas.close()

    def _texts(self, name: str, tensor: tensor_pb2.TensorProto) -> list[bytes]:
        """The values of the output `name`, which must be texts."""
        self._check_type(name, tensor, types_pb2.DT_STRING)
        return self._one_row(name, tensor, list(tensor.string_val))

    def _floats(self, name: str, tensor: tensor_pb2.TensorProto) -> list[float]:
        """The values of the output `name`, which must be floats, in either of protobuf's two encodings."""
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
        """The values, after checking that the shape is [n] or [1, n]: one image was sent."""
        shape = [dim.size for dim in tensor.tensor_shape.dim[: MOST_DIMENSIONS + 1]]
        is_possible = len(shape) <= MOST_DIMENSIONS and min(shape, default=0) >= 0
        if shape and not (
            is_possible and math.prod(shape) == len(values) and (len(shape) == 1 or shape[0] == 1)
        ):
            raise bad_answer(
                self.info,
                f"{name} of shape {shape} with {count(len(values), 'value')}; one image was sent, so "
                "[1, n] with n values is expected.",
            )
        return values

    def _failed(self, error: grpc.RpcError, what: str, timeout_s: float, peer: str | None) -> RequestFailed:
        details = one_line(error.details() or "")
        code = FAILURES.get(error.code(), "server_error")
        if code == "deadline":
            return too_late(self.info, what, timeout_s)
        if code == "overloaded" and "larger than max" in details:
            if "CLIENT: Received" in details:  # our own limit; for its own a server says "SERVER", or nothing
                return bad_answer(self.info, f"more than {MESSAGE_LIMIT_BYTES / 2**20:.0f} MiB.")
            return RequestFailed("too_large", _too_large(what, details))
        if code == "overloaded" and "metadata size exceeds" in details:
            return bad_answer(self.info, f"with more metadata than gRPC takes: {details}")
        if "deserializ" in details:
            return bad_answer(self.info, "something that is not a Predict response.")
        name, place = self.info.name, peer or self.info.place
        sentences = {
            "unreachable": f"No answer from {name} at {place} ({short_cause(details)}).",
            "overloaded": f"{name} is overloaded and refused the request: {details}",
            "server_error": f"{name} failed on its side: {details}",
        }
        kind = ConnectionLost if code == "unreachable" and _was_connected(details.lower()) else RequestFailed
        return kind(code, sentences.get(code, f"{name} refused {what}: {details}"))


def _was_connected(details: str) -> bool:
    return "failed to connect" not in details and any(words in details for words in _WORDS_OF_LOST)


def names_of(found: Iterable[str]) -> str:
    """Names that a server sent, for a sentence: "a, b and 3 more"."""
    names = sorted(found)
    shown = [one_line(name, 40) for name in names[:MOST_NAMES]]
    return ", ".join(shown) + (f" and {len(names) - MOST_NAMES:,} more" if names[MOST_NAMES:] else "")


def _too_large(what: str, details: str) -> str:
    return (
        f"The request for {what} is over this server's message limit ({details}). "
        "Raise its gRPC message size limit, or use JPEG."
    )


def model_version(response: predict_pb2.PredictResponse) -> int | None:
    """The version of the model that answered; None if the server did not report it."""
    return max(0, response.model_spec.version.value) or None


def stages_of(metadata: Any) -> dict[str, float]:
    """Stage -> ms, from the trailing metadata of an answer."""
    return stages(
        (key[len(STAGE_PREFIX) : -len(STAGE_SUFFIX)], value)
        for key, value in metadata
        if key.startswith(STAGE_PREFIX) and key.endswith(STAGE_SUFFIX)
    )
