"""Takes both ports at once, before anything slow: a taken port is known in a moment, not after the model."""

from __future__ import annotations

import errno
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import grpc

from serving.errors import StartRefused
from serving.limits import MESSAGE_LIMIT_BYTES, WAITING_LIMIT

THREADS = WAITING_LIMIT + 8  # so that status and health are answered while the queue is full
GRPC_OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
    ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
    ("grpc.so_reuseport", 0),  # else a second server on the same port would silently take half the requests
)


@dataclass(frozen=True)
class Ports:
    """Bound, but nothing answers yet: callers wait."""

    grpc_server: grpc.Server
    grpc_address: str | None  # None: off
    rest_socket: socket.socket | None  # None: off
    rest_port: int

    def __str__(self) -> str:
        grpc_text = f"grpc {self.grpc_address}" if self.grpc_address else "grpc off"
        return f"{grpc_text}, rest {self.rest_port or 'off'}"


def take(host: str, grpc_port: int, rest_port: int) -> Ports:
    """Raises StartRefused, naming the flag, when a port or the host can't be had."""
    server = grpc.server(ThreadPoolExecutor(THREADS, thread_name_prefix="grpc"), options=GRPC_OPTIONS)
    address = _address(host, grpc_port) if grpc_port else None
    if address:
        _listen("--port", host, grpc_port).close()  # gRPC would not tell the reason of a failure
        server.add_insecure_port(address)
    rest_socket = _listen("--rest_api_port", host, rest_port) if rest_port else None
    return Ports(server, address, rest_socket, rest_port)


def _listen(flag: str, host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as problem:
        raise StartRefused(_refusal(flag, host, port, problem)) from problem


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _refusal(flag: str, host: str, port: int, problem: OSError) -> str:
    if problem.errno == errno.EADDRINUSE:
        return (
            f"{flag} {port}: something listens on {_address(host, port)} already. Stop it, or change {flag}."
        )
    reason = str(problem.strerror).partition(" (")[0]
    return f"{flag} {port}: can't listen on {_address(host, port)}: {reason}. Check --host and {flag}."
