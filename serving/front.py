"""The front of several replicas: passes bytes on to them and back, and reads none of them.

What a replica answers goes out unchanged: codes, details, metadata. One exception: the
server's words about itself say how many replicas there are.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from http.client import responses
from typing import TYPE_CHECKING, Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import HealthServicer

from serving.api.grpc import MODEL_SERVICE, PREDICTION_SERVICE, RELOAD
from serving.api.rest_server import RestServer
from serving.errors import ServingError
from serving.limits import STOP_GRACE_S
from serving.metrics import OK
from serving.ports import Ports
from serving.replica import Replica
from serving.replicas import Replicas

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

ABOUT = "pixelcost-about"
LOOK_EVERY_S = 0.2  # whether a REST client still waits

Metadata = Sequence[tuple[str, str]]


class Front:
    """Both protocols in front of the replicas."""

    def __init__(self, ports: Ports, rest_threads: int):
        self.health = HealthServicer()
        self.on_change(0)
        self._grpc = ports.grpc_server
        self._socket, self._rest_threads = ports.rest_socket, rest_threads
        self._rest: RestServer | None = None

    def start(self, replicas: Replicas, cores: Sequence[int]) -> None:
        """Answer from now on; before a replica does, with UNAVAILABLE."""
        self._grpc.add_generic_rpc_handlers((GrpcFront(replicas, cores),))
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self._grpc)
        self._grpc.start()
        if self._socket:
            self._rest = RestServer(RestFront(replicas), self._socket, self._rest_threads)
            threading.Thread(target=self._rest.run, name="rest", daemon=True).start()

    def on_change(self, ready: int) -> None:
        """Healthy while at least one replica is ready."""
        states = health_pb2.HealthCheckResponse
        for name in ("", PREDICTION_SERVICE, MODEL_SERVICE):
            self.health.set(name, states.SERVING if ready else states.NOT_SERVING)

    def stop(self) -> None:
        """As Server.stop; the replicas go on until then."""
        self.health.enter_graceful_shutdown()
        deadline = time.monotonic() + STOP_GRACE_S
        stopped = self._grpc.stop(STOP_GRACE_S)
        if self._rest:
            self._rest.leave(deadline)
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
        return grpc.unary_unary_rpc_method_handler(partial(self._answer, method))

    def _answer(self, method: str, message: bytes, context: grpc.ServicerContext) -> bytes:
        answer = self._everywhere if method == RELOAD else self._anywhere
        try:
            return answer(method, message, context)
        except ServingError as problem:
            context.abort(grpc.StatusCode[problem.code], problem.message)
            raise  # not reached: abort raises

    def _anywhere(self, method: str, message: bytes, context: grpc.ServicerContext) -> bytes:
        with self._replicas.least_busy() as replica:
            return self._passed_on(replica, method, message, context)

    def _everywhere(self, method: str, message: bytes, context: grpc.ServicerContext) -> bytes:
        """A new configuration is for all, also for those that start later. Fails if it does anywhere."""
        asked = [self._ask(replica, method, message, context) for replica in self._replicas.everyone()]
        if any(head["code"] == OK for head, _ in asked):
            self._replicas.remember(message)
        return self._answered(*next((each for each in asked if each[0]["code"] != OK), asked[0]), context)

    def _passed_on(
        self, replica: Replica, method: str, message: bytes, context: grpc.ServicerContext
    ) -> bytes:
        return self._answered(*self._ask(replica, method, message, context), context)

    def _ask(
        self, replica: Replica, method: str, message: bytes, context: grpc.ServicerContext
    ) -> tuple[Any, bytes]:
        with replica.exchange() as exchange:
            if not context.add_callback(exchange.cancel):
                exchange.cancel()
            return exchange.ask({"method": method, "left_s": context.time_remaining()}, message)

    def _answered(self, head: Any, answer: bytes, context: grpc.ServicerContext) -> bytes:
        context.set_trailing_metadata(self._with_count(head["metadata"]))
        if head["code"] != OK:
            context.abort(grpc.StatusCode[head["code"]], head["details"])
        return answer

    def _with_count(self, metadata: Metadata) -> Metadata:
        return [(key, self._about(value) if key == ABOUT else value) for key, value in metadata]

    def _about(self, text: str) -> str:
        about = json.loads(text) | {"cores": self._cores, "replicas": len(self._replicas.all)}
        return json.dumps(about, separators=(",", ":"))


class RestFront:
    """The WSGI app."""

    def __init__(self, replicas: Replicas):
        self._replicas = replicas

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            with self._replicas.least_busy() as replica:
                head, data = _ask(replica, environ)
        except ServingError as problem:
            head, data = _refusal(problem)
        start_response(head["status"], [(name, value) for name, value in head["headers"]])
        return [data]


def _ask(replica: Replica, environ: WSGIEnvironment) -> tuple[Mapping[str, Any], bytes]:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    has_gone = environ["waitress.client_disconnected"]
    with replica.exchange() as exchange:
        exchange.send(
            {"environ": {key: text for key, text in environ.items() if isinstance(text, str)}}, body
        )
        while not exchange.has_answer(LOOK_EVERY_S):
            if has_gone():
                exchange.cancel()
        return exchange.receive()


def _refusal(problem: ServingError) -> tuple[Mapping[str, Any], bytes]:
    data = json.dumps({"error": problem.message}).encode()
    status = f"{problem.http_status} {responses.get(problem.http_status, 'Error')}"
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(data)))]
    return {"status": status, "headers": headers}, data
