"""What a model server answers over gRPC and REST: to a prediction and to a health check."""

from __future__ import annotations

import json
import random
import socket
import threading
from collections.abc import Iterator
from concurrent import futures
from functools import cache

import grpc

from experiment.backends.base import RequestFailed
from experiment.backends.connect import connect
from experiment.backends.probe import probe
from experiment.errors import FAILURE_CODES
from experiment.records import BackendInfo, Variant
from fuzz.mutate_json import mutated_json
from fuzz.target import Target

# After experiment, which lets the messages load without TensorFlow.
from experiment.protocol import types_pb2  # isort: skip
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, predict_pb2  # isort: skip

VARIANT = Variant(
    id="16-png",
    size_px=16,
    width_px=16,
    height_px=12,
    format="png",
    quality=None,
    encoder="",
    size_bytes=1,
    sha256="",
    decode_ms=None,
    resize_ms=None,
    encode_ms=None,
    data=b"x",
)
TIMEOUT_S = 2.0
HEAD = b"HTTP/1.1 200 OK\r\nServer-Timing: queue;dur=0.1\r\nContent-Length: %d\r\n\r\n"
REST, REST_WHOLE, REST_STATUS, GRPC, GRPC_STATUS, GRPC_METADATA = range(6)


class _Server:
    """Answers everything with the bytes it was last given."""

    def __init__(self) -> None:
        self.rest = b""
        self.predict = self.status = self.metadata = b""
        listening = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve_rest, args=(listening,), daemon=True).start()
        server = grpc.server(futures.ThreadPoolExecutor(2))
        server.add_generic_rpc_handlers((self,))
        self._grpc = server
        self.addresses = {
            "rest": f"127.0.0.1:{listening.getsockname()[1]}",
            "grpc": f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}",
        }
        server.start()

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """Which of the three answers a method of gRPC gets."""
        kind = (
            "predict"
            if call.method.endswith("/Predict")
            else "status"
            if "Status" in call.method
            else "metadata"
        )
        return grpc.unary_unary_rpc_method_handler(lambda request, context: getattr(self, kind))

    def _serve_rest(self, listening: socket.socket) -> None:
        while True:
            connection, _ = listening.accept()
            with connection:
                connection.settimeout(TIMEOUT_S)
                try:
                    connection.recv(100_000)
                    connection.sendall(self.rest)
                except OSError:
                    continue


@cache
def _server() -> _Server:
    return _Server()


def _feed(data: bytes) -> str:
    """The first byte chooses who answers what."""
    place, sent, server = (data[0] if data else 0) % 6, data[1:], _server()
    server.rest = sent if place == REST_WHOLE else HEAD % len(sent) + sent
    server.predict = sent if place == GRPC else b""
    server.status, server.metadata = _good_status(), _good_metadata()
    if place == GRPC_STATUS:
        server.status = sent
    if place == GRPC_METADATA:
        server.metadata = sent
    protocol = "rest" if place <= REST_STATUS else "grpc"
    info = BackendInfo("Fuzz", protocol, server.addresses[protocol])
    if place in {REST_STATUS, GRPC_STATUS, GRPC_METADATA}:
        return f"state {probe(info, TIMEOUT_S).state}"
    backend = connect(info)
    try:
        backend.predict(VARIANT, TIMEOUT_S)
    except RequestFailed as failed:
        if failed.failure.code not in FAILURE_CODES:
            raise AssertionError(f"{failed.failure.code} is not in the closed list of causes") from failed
        return failed.failure.code
    finally:
        backend.close()
    return "answered"


def _good_status() -> bytes:
    answer = get_model_status_pb2.GetModelStatusResponse()
    answer.model_version_status.add(version=1, state=30)
    return answer.SerializeToString()


def _good_metadata() -> bytes:
    answer = get_model_metadata_pb2.GetModelMetadataResponse()
    signatures = get_model_metadata_pb2.SignatureDefMap()
    signature = signatures.signature_def["predict_images"]
    signature.inputs["images"].dtype = types_pb2.DT_STRING
    signature.outputs["classes"].dtype = types_pb2.DT_STRING
    answer.metadata["signature_def"].Pack(signatures)
    return answer.SerializeToString()


def _seeds() -> Iterator[bytes]:
    row = {"classes": ["tabby", "tiger cat"], "scores": [0.7, 0.2], "probabilities": [0.7, 0.2, 0.1]}
    body = json.dumps({"predictions": [row]}).encode()
    yield bytes([REST]) + body
    yield bytes([REST_WHOLE]) + HEAD % len(body) + body
    yield bytes([REST_WHOLE]) + b"HTTP/1.1 503 Busy\r\nContent-Length: 16\r\n\r\n" + b'{"error": "busy"}'
    yield bytes(
        [REST_WHOLE]
    ) + b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    status = {
        "model_version_status": [{"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK"}}]
    }
    yield bytes([REST_STATUS]) + json.dumps(status).encode()
    answer = predict_pb2.PredictResponse()
    answer.model_spec.version.value = 1
    for name, kind in (
        ("classes", types_pb2.DT_STRING),
        ("scores", types_pb2.DT_FLOAT),
        ("probabilities", types_pb2.DT_FLOAT),
    ):
        tensor = answer.outputs[name]
        tensor.dtype = kind
        for size in (1, 2):
            tensor.tensor_shape.dim.add(size=size)
        (tensor.string_val if name == "classes" else tensor.float_val).extend(
            [b"a", b"b"] if name == "classes" else [0.6, 0.4]
        )
    yield bytes([GRPC]) + answer.SerializeToString()
    yield bytes([GRPC_STATUS]) + _good_status()
    yield bytes([GRPC_METADATA]) + _good_metadata()


def _mutate(data: bytes, rng: random.Random) -> bytes:
    """What the JSON says, where the answer is JSON."""
    is_json = data[0] in {REST, REST_STATUS}
    return data[:1] + mutated_json(data[1:], rng) if is_json else data


TOKENS = [
    *(
        b"\xff" * 9 + b"\x01",
        b"\x08\x01",
        b"\x08\x07",
        b"\x12\x02\x18\x01",
        b"\x2a\x04\0\0\xc0\x7f",
        b"classes",
        b"scores",
    ),
    *(
        b"NaN",
        b"Infinity",
        b"1e400",
        b"[" * 2000,
        b"\\ud800",
        b"\r\n",
        b"Location: http://127.0.0.1:9/\r\n",
        b"HTTP/1.1 307 x",
    ),
    *(
        b"Content-Encoding: gzip\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"ffffffffff\r\n",
        b"Content-Length: 99999999\r\n",
    ),
]
TARGET = Target("reply", lambda: list(_seeds()), _feed, TOKENS, _mutate)
