"""A replica's side of the front: takes requests out of frames and answers as over gRPC and REST."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn

import grpc

from serving import frames
from serving.api.grpc import HEALTH_CHECK, GrpcApi
from serving.api.rest import RestApi

LOOK_EVERY_S = 0.02  # whether what is in flight at the end is answered


class FrameServer:
    """A thread for each connection; the front opens no more than it has requests in flight."""

    def __init__(self, front: socket.socket, grpc_api: GrpcApi, rest_api: RestApi):
        self._front = front
        self._methods = {**grpc_api.methods, HEALTH_CHECK: grpc_api.check}
        self._rest_api = rest_api
        self._busy: set[socket.socket] = set()  # connections that wait for an answer

    def start(self) -> None:
        threading.Thread(target=self._accept, name="front", daemon=True).start()

    def wait_idle(self, deadline: float) -> bool:
        """Wait until all that came is answered. False if that is not so at `deadline`, monotonic seconds."""
        while self._busy and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY_S)
        return not self._busy

    def _accept(self) -> None:
        while connection := frames.take_over(self._front):
            threading.Thread(target=self._serve, args=(connection,), name="frames", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError, EOFError):  # the front has closed it: nobody waits
            while True:
                head, body = frames.receive(connection)
                self._busy.add(connection)
                try:
                    frames.send(connection, *self._answer(connection, head, body))
                finally:
                    self._busy.discard(connection)

    def _answer(
        self, connection: socket.socket, head: dict[str, Any], body: bytes
    ) -> tuple[dict[str, Any], bytes]:
        if "environ" in head:
            return self._answer_rest(connection, head["environ"], body)
        call = Call(connection, head["left_s"])
        method = self._methods.get(head["method"])
        answer = call.answered(method, body) if method else call.unknown()
        return {"code": call.code.name, "details": call.details, "metadata": list(call.metadata)}, answer

    def _answer_rest(
        self, connection: socket.socket, environ: dict[str, Any], body: bytes
    ) -> tuple[dict[str, Any], bytes]:
        head: dict[str, Any] = {}

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Any:
            head.update(status=status, headers=headers)

        environ["wsgi.input"] = io.BytesIO(body)
        environ["waitress.client_disconnected"] = lambda: not frames.is_open(connection)
        return head, b"".join(self._rest_api(environ, start_response))


class Aborted(Exception):
    """Ends a call that has its code already."""


class Call:
    """As much of a grpc.ServicerContext as the methods ask for."""

    def __init__(self, connection: socket.socket, left_s: float):
        self.code, self.details = grpc.StatusCode.OK, ""
        self.metadata: Sequence[tuple[str, str]] = ()
        self._connection = connection
        self._deadline = time.monotonic() + left_s

    def answered(self, method: Callable[[bytes, Any], bytes], message: bytes) -> bytes:
        try:
            return method(message, self)
        except Aborted:
            return b""

    def unknown(self) -> bytes:
        """In gRPC's own words."""
        self.code, self.details = grpc.StatusCode.UNIMPLEMENTED, "Method not found!"
        return b""

    def time_remaining(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    def is_active(self) -> bool:
        return frames.is_open(self._connection)

    def set_trailing_metadata(self, metadata: Sequence[tuple[str, str]]) -> None:
        self.metadata = metadata

    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        self.code, self.details = code, details
        raise Aborted
