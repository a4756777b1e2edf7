"""Starts the server, reports that it is ready, and stops it without losing a request."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from serving.api.grpc import GrpcApi
from serving.api.rest_server import RestServer
from serving.limits import STOP_GRACE_S
from serving.ports import Ports
from serving.service import Service

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class Server:
    """gRPC and REST in front of one service."""

    def __init__(
        self, service: Service, grpc_api: GrpcApi, rest_app: WSGIApplication, ports: Ports, rest_threads: int
    ):
        self._service = service
        self._api = grpc_api
        self._grpc = ports.grpc_server
        self._api.add_to(self._grpc)
        self._rest = RestServer(rest_app, ports.rest_socket, rest_threads) if ports.rest_socket else None

    def start(self) -> None:
        """Answer from now on; with UNAVAILABLE until the models are loaded."""
        self._grpc.start()
        if self._rest:
            threading.Thread(target=self._rest.run, name="rest", daemon=True).start()

    def report_ready(self) -> None:
        """Let health checks answer SERVING from now on."""
        self._api.set_serving(True)

    def stop(self) -> None:
        """Take no new connections; answer what comes on the open ones, for a few seconds at most.

        No request on an accepted connection is refused: its client has nowhere else to go.
        """
        self._api.health.enter_graceful_shutdown()
        deadline = time.monotonic() + STOP_GRACE_S
        grpc_stopped = self._grpc.stop(STOP_GRACE_S)
        if self._rest:
            self._rest.leave(deadline)
        grpc_stopped.wait(STOP_GRACE_S + 1)
        self._service.stop()
