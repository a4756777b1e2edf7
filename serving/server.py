"""The life of the server: take the ports, load, say that it is ready, stop without losing a request."""

from __future__ import annotations

import threading
import time
from typing import Any

from waitress.server import create_server

from serving.frame_server import FrameServer
from serving.grpc_api import GrpcApi
from serving.limits import BODY_READ_BYTES, STOP_GRACE_S
from serving.ports import Ports
from serving.rest_api import RestApi
from serving.service import Service

REST_CONNECTIONS = 1000
REST_IDLE_S = 60  # then a silent connection is closed


class Server:
    """Both protocols around one service."""

    def __init__(
        self, service: Service, grpc_api: GrpcApi, rest_api: RestApi, ports: Ports, rest_threads: int
    ):
        self._service = service
        self._api = grpc_api
        self._grpc = ports.grpc_server
        self._api.add_to(self._grpc)
        self._rest = rest_server(rest_api, ports.rest_socket, rest_threads) if ports.rest_socket else None
        self._frames = FrameServer(ports.front, grpc_api, rest_api) if ports.front else None

    def start(self) -> None:
        """Answer from now on; before the models are there, with UNAVAILABLE."""
        self._grpc.start()
        if self._rest:
            threading.Thread(target=self._rest.run, name="rest", daemon=True).start()
        if self._frames:
            self._frames.start()

    def is_ready(self) -> None:
        """From now on healthy."""
        self._api.set_serving(True)

    def stop(self) -> None:
        """Refuse what is new, answer what waits, for a few seconds at most."""
        self._api.health.enter_graceful_shutdown()
        self._service.stop()
        deadline = time.monotonic() + STOP_GRACE_S
        grpc_stopped = self._grpc.stop(STOP_GRACE_S)
        while self._rest and is_busy(self._rest) and time.monotonic() < deadline:
            time.sleep(0.02)
        if self._frames:
            self._frames.wait_idle(deadline)
        grpc_stopped.wait(STOP_GRACE_S + 1)


def rest_server(app: Any, socket: Any, threads: int) -> Any:
    """A WSGI server on a listening socket."""
    return create_server(
        app,
        sockets=[socket],
        threads=threads,
        connection_limit=REST_CONNECTIONS,
        channel_timeout=REST_IDLE_S,
        ident="pixelcost",
        max_request_body_size=BODY_READ_BYTES,
        inbuf_overflow=BODY_READ_BYTES,  # bodies stay in memory, not in a temporary file
        recv_bytes=256 * 1024,  # the default of 8 kB takes 600 reads for a 4.8 MB image
        channel_request_lookahead=1,  # notice when a client goes away
    )


def is_busy(rest: Any) -> bool:
    """Whether a request is being answered, or an answer is not sent yet."""
    channels = list(rest.active_channels.values())
    return any(channel.requests or channel.total_outbufs_len for channel in channels)
