"""Opens both ports before anything slow, so that a taken port is reported at once, not after the models."""

from __future__ import annotations

import errno
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from serving.config.flags import Flags
from serving.config.text_messages import Ssl
from serving.errors import StartRefused
from serving.limits import MESSAGE_LIMIT_BYTES

UNIX_PATH_LIMIT_BYTES = 107  # sockaddr_un


GRPC_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
    ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
    # Large images in large pieces, and without waiting for room after each; docs/serving.md has figures.
    ("grpc.experimental.tcp_min_read_chunk_size", 1024**2),
    ("grpc.http2.max_frame_size", 1024**2),
    ("grpc.http2.lookahead_bytes", 4 * 1024**2),
    ("grpc.http2.bdp_probe", 0),  # else gRPC would change the window by what it measures
    ("grpc.so_reuseport", 0),  # else a second server on the same port would silently take half the requests
)
SPARE_THREADS = 8  # for status and health, while two models have a full queue


@dataclass(frozen=True)
class Ports:
    """Open ports on which nothing answers yet: clients wait."""

    grpc_server: grpc.Server
    grpc_addresses: tuple[str, ...]  # empty: off
    rest_socket: socket.socket | None  # None: off
    rest_port: int

    def __str__(self) -> str:
        return f"grpc {' and '.join(self.grpc_addresses) or 'off'}, rest {self.rest_port or 'off'}"


def take(asked: Flags, ssl: Ssl | None = None) -> Ports:
    """Raises StartRefused, naming the flag, when a port or the host can't be had."""
    threads = asked.grpc_max_threads or 2 * asked.queue_limit + SPARE_THREADS
    pool = ThreadPoolExecutor(threads, thread_name_prefix="grpc")
    # Of two options with one key gRPC would take the first.
    options = {**dict(GRPC_OPTIONS), **dict(asked.grpc_channel_arguments)}
    server = grpc.server(pool, options=tuple(options.items()))
    addresses = []
    if asked.port:
        # First without gRPC, which would not say why it failed.
        _listen("--port", asked.host, asked.port).close()
        addresses.append(_address(asked.host, asked.port))
    if asked.grpc_socket_path:
        addresses.append(_unix_address(asked.grpc_socket_path))
    for address in addresses:
        _answer_on(server, address, ssl)
    rest_socket = _listen("--rest_api_port", asked.host, asked.rest_api_port) if asked.rest_api_port else None
    return Ports(server, tuple(addresses), rest_socket, asked.rest_api_port)


def _answer_on(server: grpc.Server, address: str, ssl: Ssl | None) -> None:
    try:
        if ssl:
            pair = (ssl.server_key.encode(), ssl.server_cert.encode())
            clients_ca = ssl.custom_ca.encode() or None
            credentials = grpc.ssl_server_credentials(
                [pair], clients_ca, require_client_auth=ssl.client_verify
            )
            server.add_secure_port(address, credentials)
        else:
            server.add_insecure_port(address)
    except (RuntimeError, ValueError) as problem:
        why = (
            "Check the certificates in --ssl_config_file." if ssl else "Check --port and --grpc_socket_path."
        )
        raise StartRefused(f"gRPC can't answer on {address}. {why}") from problem


def _unix_address(path: str) -> str:
    """The path as gRPC's address. An old socket will be replaced, as in TensorFlow Serving; a file won't."""
    place = Path(path)
    if not place.parent.is_dir():
        raise StartRefused(
            f"--grpc_socket_path {path}: the directory {place.parent} does not exist. Create it first."
        )
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
