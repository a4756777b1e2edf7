"""The front of several replicas: passes bytes on to them and back, and reads none of them.

What a replica answers goes out unchanged: codes, details, metadata. One exception: the
server's words about itself say how many replicas there are.
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from http.client import responses
from typing import TYPE_CHECKING, Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import HealthServicer

from serving.errors import Unavailable
from serving.grpc_api import MODEL_SERVICE, PREDICTION_SERVICE
from serving.limits import STOP_GRACE_S
from serving.ports import Ports
from serving.replicas import Replica, Replicas
from serving.server import is_busy, rest_server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

ABOUT = "pixelcost-about"
RELOAD = f"/{MODEL_SERVICE}/HandleReloadConfigRequest"
ENDED = "The replica that had this request has ended and is being restarted. Send the request again."
OF_ONE_CONNECTION = {"connection", "host", "keep-alive", "transfer-encoding", "upgrade"}  # RFC 9110, 7.6.1
NO_DEADLINE_S = 365 * 24 * 3600.0
SET_BY_FRONT = {"date", "server"}

Metadata = Sequence[tuple[str, str | bytes]]


class Front:
    """Both protocols in front of the replicas."""

    def __init__(self, ports: Ports, rest_threads: int):
        self.health = HealthServicer()
        self.on_change(0)
        self._grpc = ports.grpc_server
        self._socket, self._rest_threads = ports.rest_socket, rest_threads
        self._rest: Any = None

    def start(self, replicas: Replicas, cores: Sequence[int]) -> None:
        """Answer from now on; before a replica does, with UNAVAILABLE."""
        self._grpc.add_generic_rpc_handlers((GrpcFront(replicas, cores),))
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self._grpc)
        self._grpc.start()
        if self._socket:
            self._rest = rest_server(RestFront(replicas), self._socket, self._rest_threads)
            threading.Thread(target=self._rest.run, name="rest", daemon=True).start()

    def on_change(self, ready: int) -> None:
        """Healthy while at least one replica is ready."""
        states = health_pb2.HealthCheckResponse
        for name in ("", PREDICTION_SERVICE, MODEL_SERVICE):
            self.health.set(name, states.SERVING if ready else states.NOT_SERVING)

    def stop(self) -> None:
        """Refuse what is new, wait for what is in flight, for a few seconds at most."""
        self.health.enter_graceful_shutdown()
        deadline = time.monotonic() + STOP_GRACE_S
        stopped = self._grpc.stop(STOP_GRACE_S)
        while self._rest and is_busy(self._rest) and time.monotonic() < deadline:
            time.sleep(0.02)
        stopped.wait(STOP_GRACE_S + 1)


class GrpcFront(grpc.GenericRpcHandler):  # type: ignore[misc]  # gRPC has no types
    """Every method, known or not: the replicas know which there are."""

    def __init__(self, replicas: Replicas, cores: Sequence[int]):
        self._replicas = replicas
        self._cores = list(cores)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        method = handler_call_details.method
        if method.startswith("/grpc.health."):
            return None
        answer: Callable[..., bytes] = self._everywhere if method == RELOAD else self._anywhere
        return grpc.unary_unary_rpc_method_handler(partial(answer, method))

    def _anywhere(self, method: str, message: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            with self._replicas.least_busy() as replica:
                return self._passed_on(replica, method, message, context)
        except Unavailable as problem:
            context.abort(grpc.StatusCode.UNAVAILABLE, problem.message)
            raise  # not reached: abort raises

    def _everywhere(self, method: str, message: bytes, context: grpc.ServicerContext) -> bytes:
        """A new configuration is for all of them. Fails where it first does."""
        answer = b""
        for replica in self._replicas.ready():
            answer = self._passed_on(replica, method, message, context)
        return answer

    def _passed_on(
        self, replica: Replica, method: str, message: bytes, context: grpc.ServicerContext
    ) -> bytes:
        call = _call(replica, method, message, context)
        problem = call.exception()
        context.set_trailing_metadata(self._with_count(call.trailing_metadata() or ()))
        if problem is None:
            return bytes(call.result())
        details = (
            ENDED if call.code() == grpc.StatusCode.UNAVAILABLE and _has_gone(replica) else call.details()
        )
        context.abort(call.code(), details or "")
        raise problem  # not reached: abort raises

    def _with_count(self, metadata: Metadata) -> Metadata:
        return [
            (key, self._about(value) if key == ABOUT else value)
            for key, value in metadata
            if not key.startswith("grpc-")
        ]

    def _about(self, text: str | bytes) -> str:
        about = json.loads(text) | {"cores": self._cores, "replicas": len(self._replicas.all)}
        return json.dumps(about, separators=(",", ":"))


class RestFront:
    """The WSGI app. A connection for each request: a kept one could have gone stale, and hide a retry."""

    def __init__(self, replicas: Replicas):
        self._replicas = replicas

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            with self._replicas.least_busy() as replica:
                status, headers, data = _ask(replica, environ)
        except Unavailable as problem:
            status, headers, data = _unavailable(problem.message)
        except (OSError, http.client.HTTPException):
            status, headers, data = _unavailable(ENDED)
        start_response(f"{status} {responses.get(status, 'Error')}", headers)
        return [data]


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str):
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


def _call(replica: Replica, method: str, message: bytes, context: grpc.ServicerContext) -> Any:
    """A running call that ends when the client's does."""
    if replica.channel is None:
        raise Unavailable(ENDED)
    try:
        call = replica.channel.unary_unary(method).future(
            message,
            timeout=_timeout_s(context),
            metadata=[pair for pair in context.invocation_metadata() if not _is_transports_own(pair[0])],
        )
    except ValueError as closed:  # it has ended just now
        raise Unavailable(ENDED) from closed
    if not context.add_callback(call.cancel):
        call.cancel()
    return call


def _timeout_s(context: grpc.ServicerContext) -> float | None:
    """What is left of the client's deadline. gRPC tells centuries where there is none, and takes no such."""
    left_s = context.time_remaining()
    return None if left_s is None or left_s > NO_DEADLINE_S else left_s


def _is_transports_own(key: str) -> bool:
    return key.startswith("grpc-") or key == "user-agent"


def _has_gone(replica: Replica) -> bool:
    """A connection can end a moment before its process can be seen to have ended."""
    time.sleep(0.01)
    return replica.has_ended()


def _ask(replica: Replica, environ: WSGIEnvironment) -> tuple[int, list[tuple[str, str]], bytes]:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    connection = _UnixConnection(replica.rest_path)
    try:
        connection.request(environ["REQUEST_METHOD"], environ["REQUEST_URI"], body, _headers(environ))
        answer = connection.getresponse()
        kept = [
            pair for pair in answer.getheaders() if pair[0].lower() not in OF_ONE_CONNECTION | SET_BY_FRONT
        ]
        return answer.status, kept, answer.read()
    finally:
        connection.close()


def _headers(environ: WSGIEnvironment) -> dict[str, str]:
    named = {key[5:]: value for key, value in environ.items() if key.startswith("HTTP_")}
    if environ.get("CONTENT_TYPE"):
        named["CONTENT_TYPE"] = environ["CONTENT_TYPE"]
    headers = {key.replace("_", "-").title(): value for key, value in named.items()}
    return {key: value for key, value in headers.items() if key.lower() not in OF_ONE_CONNECTION}


def _unavailable(message: str) -> tuple[int, list[tuple[str, str]], bytes]:
    data = json.dumps({"error": message}).encode()
    return (
        Unavailable.http_status,
        [("Content-Type", "application/json"), ("Content-Length", str(len(data)))],
        data,
    )
