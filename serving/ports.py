"""Takes both ports at once, before anything slow: a taken port is known in a moment, not after the model."""

from __future__ import annotations

import errno
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from serving.config.text_messages import Ssl
from serving.errors import StartRefused
from serving.limits import MESSAGE_LIMIT_BYTES, WAITING_LIMIT

UNIX_PATH_LIMIT_BYTES = 107  # sockaddr_un


@dataclass(frozen=True)
class Wanted:
    """Where to answer, and how."""

    host: str
    grpc_port: int  # 0: off
    rest_port: int  # 0: off
    grpc_socket_path: str = ""  # empty: off
    grpc_threads: int = 0  # 0: enough for a full queue
    grpc_arguments: tuple[tuple[str, Any], ...] = ()
    ssl: Ssl | None = None
    queue_limit: int = WAITING_LIMIT


GRPC_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
    ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
    # Large images in large pieces, and without waiting for room after each; DECISIONS.md has figures.
    ("grpc.experimental.tcp_min_read_chunk_size", 1024**2),
    ("grpc.http2.max_frame_size", 1024**2),
    ("grpc.http2.lookahead_bytes", 4 * 1024**2),
    ("grpc.http2.bdp_probe", 0),  # else gRPC would change the last one by what it measures
    ("grpc.so_reuseport", 0),  # else a second server on the same port would silently take half the requests
)
SPARE_THREADS = 8  # so that status and health are answered while two models have a full queue


@dataclass(frozen=True)
class Ports:
    """Bound, but nothing answers yet: callers wait."""

    grpc_server: grpc.Server
    grpc_addresses: tuple[str, ...]  # empty: off
    rest_socket: socket.socket | None  # None: off
    rest_port: int

    def __str__(self) -> str:
        return f"grpc {' and '.join(self.grpc_addresses) or 'off'}, rest {self.rest_port or 'off'}"


def take(wanted: Wanted) -> Ports:
    """Raises StartRefused, naming the flag, when a port or the host can't be had."""
    # Beyond that requests wait, however full the queue is.
    at_once = wanted.grpc_threads or 2 * wanted.queue_limit + SPARE_THREADS
    pool = ThreadPoolExecutor(at_once, thread_name_prefix="grpc")
    server = grpc.server(pool, options=_options(wanted.grpc_arguments))
    addresses = []
    if wanted.grpc_port:
        # gRPC would not tell the reason of a failure.
        _listen("--port", wanted.host, wanted.grpc_port).close()
        addresses.append(_address(wanted.host, wanted.grpc_port))
    if wanted.grpc_socket_path:
        addresses.append(_unix_address(wanted.grpc_socket_path))
    for address in addresses:
        _answer_on(server, address, wanted.ssl)
    rest_socket = _listen("--rest_api_port", wanted.host, wanted.rest_port) if wanted.rest_port else None
    return Ports(server, tuple(addresses), rest_socket, wanted.rest_port)


def _options(asked: tuple[tuple[str, Any], ...]) -> tuple[tuple[str, Any], ...]:
    """Ours, but for those that are asked for otherwise: of two gRPC would take the first."""
    own = dict(asked)
    return (*((key, value) for key, value in GRPC_OPTIONS if key not in own), *asked)


def _answer_on(server: grpc.Server, address: str, ssl: Ssl | None) -> None:
    try:
        if ssl:
            server.add_secure_port(address, _credentials(ssl))
        else:
            server.add_insecure_port(address)
    except (RuntimeError, ValueError) as problem:
        why = (
            "Check the certificates in --ssl_config_file." if ssl else "Check --port and --grpc_socket_path."
        )
        raise StartRefused(f"gRPC can't answer on {address}. {why}") from problem


def _credentials(ssl: Ssl) -> grpc.ServerCredentials:
    pair = (ssl.server_key.encode(), ssl.server_cert.encode())
    authority = ssl.custom_ca.encode() or None
    return grpc.ssl_server_credentials([pair], authority, require_client_auth=ssl.client_verify)


def _unix_address(path: str) -> str:
    """A socket that a server left behind is replaced, as TensorFlow Serving does; a file is not."""
    place = Path(path)
    if not place.parent.is_dir():
        raise StartRefused(f"--grpc_socket_path {path}: there is no directory {place.parent}. Make it first.")
    if place.exists() and not place.is_socket():
        raise StartRefused(f"--grpc_socket_path {path} is not a socket. Give another path.")
    if len(path.encode()) > UNIX_PATH_LIMIT_BYTES:
        raise StartRefused(f"--grpc_socket_path {path} is longer than {UNIX_PATH_LIMIT_BYTES} bytes.")
    return f"unix:{path}"


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
