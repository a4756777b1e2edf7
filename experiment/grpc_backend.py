"""TensorFlow Serving over gRPC: PredictionService.Predict with encoded image bytes."""

from __future__ import annotations

from typing import Any

import grpc

from experiment.answers import distribution, top_labels
from experiment.backends import MESSAGE_LIMIT_BYTES, RequestFailed, describe, short_cause, too_late
from experiment.protocol import PREDICT, predict_pb2, types_pb2
from experiment.records import BackendInfo, Prediction, Variant
from experiment.replicas import Replicas, Resolver, look_up

CHANNEL_OPTIONS = (
    ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
    ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
    ("grpc.enable_retries", 0),  # a hidden retry would be reported as one slow request
    ("grpc.use_local_subchannel_pool", 1),  # one connection per backend, never shared
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A call whose bytes can't leave, because the host has vanished, outlives its deadline: gRPC waits for the
    # write. With keepalive on, the system gives the connection up when nothing was acknowledged for so long
    # (TCP_USER_TIMEOUT). Pings as rare as every server allows them.
    ("grpc.keepalive_time_ms", 300_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)
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


def open_channel(address: str) -> grpc.Channel:
    """An insecure channel with our limits. Connects lazily, at the first call."""
    return grpc.insecure_channel(address, options=CHANNEL_OPTIONS)


class _Stub:
    """A channel with its one method."""

    def __init__(self, address: str):
        self._channel = open_channel(address)
        self.predict = self._channel.unary_unary(
            PREDICT,
            request_serializer=predict_pb2.PredictRequest.SerializeToString,
            response_deserializer=predict_pb2.PredictResponse.FromString,
        )

    def close(self) -> None:
        self._channel.close()


class GrpcBackend:
    """One channel to each replica of one server. Not for use across a fork."""

    def __init__(self, info: BackendInfo, resolve: Resolver = look_up):
        self.info = info
        self._replicas = Replicas(info.address, _Stub, resolve)

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
            model_version=response.model_spec.version.value or None,
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
            raise RequestFailed(
                "bad_answer",
                f"{self.info.name} answered without {' and '.join(missing)}. "
                f"It gave: {', '.join(sorted(outputs)) or 'nothing'}.",
            )
        return Prediction(
            top=top_labels(self.info, outputs["classes"].string_val, _floats(outputs["scores"])),
            request_bytes=request.ByteSize(),
            response_bytes=response.ByteSize(),
            server_ms=_stages(call.trailing_metadata() or ()),
            peer=peer,
            model_version=response.model_spec.version.value or None,
            distribution=distribution(_floats(outputs["probabilities"]))
            if "probabilities" in outputs
            else None,
        )

    def _failed(
        self, error: grpc.RpcError, variant: Variant, timeout_s: float, peer: str | None
    ) -> RequestFailed:
        details = error.details() or ""
        code = _CODES.get(error.code(), "server_error")
        if code == "deadline":
            return too_late(self.info, variant, timeout_s)
        if code == "overloaded" and "larger than max" in details:
            return RequestFailed("too_large", _too_large(variant, details))
        if "deserializ" in details:
            return RequestFailed(
                "bad_answer", f"{self.info.name} answered something that is no Predict response."
            )
        return RequestFailed(code, _sentence(code, self.info, variant, details, peer))


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


def _floats(tensor: Any) -> list[float]:
    """A float tensor's values, in either of the two ways servers send them."""
    if tensor.float_val:
        return list(tensor.float_val)
    return list(memoryview(tensor.tensor_content).cast("f")) if tensor.tensor_content else []


def _stages(metadata: Any) -> dict[str, float]:
    return {
        key[len(STAGE_PREFIX) : -len(STAGE_SUFFIX)]: float(value)
        for key, value in metadata
        if key.startswith(STAGE_PREFIX) and key.endswith(STAGE_SUFFIX)
    }
