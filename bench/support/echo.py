"""Servers that do nothing but answer: python -m bench.support.echo JSON. Prints two ports.

The first is a gRPC server with our options, whose one handler takes bytes and gives bytes: what gRPC in
Python costs. Where the JSON names a model, the handler also asks that, always with the same photo: then
the rest of the server runs with cold caches, as ours does. The second is plain TCP: eight bytes of length,
then so many bytes, then the answer.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench.support.loop import warm

LENGTH_BYTES = 8


def main(facts: dict[str, Any]) -> None:
    """Serve until the end of input."""
    os.sched_setaffinity(0, {facts["core"]})
    answer = bytes(facts["answer_bytes"])
    grpc_port = _serve_grpc(answer, warm(facts) if "model" in facts else lambda: None)
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_serve_tcp, args=(listener, answer), daemon=True).start()
    print(grpc_port, listener.getsockname()[1], flush=True)
    sys.stdin.read()
    os._exit(0)


def _serve_grpc(answer: bytes, compute: Callable[[], object]) -> int:
    import grpc  # noqa: PLC0415  # after the pinning: it starts threads

    from experiment.protocol import PREDICT  # noqa: PLC0415
    from serving.ports import GRPC_OPTIONS  # noqa: PLC0415

    def echo(request: bytes, context: Any) -> bytes:
        compute()
        return answer

    class Echo(grpc.GenericRpcHandler):  # type: ignore[misc]  # gRPC has no types
        def service(self, handler_call_details: Any) -> Any:
            if handler_call_details.method != PREDICT:
                return None
            return grpc.unary_unary_rpc_method_handler(echo)

    server = grpc.server(ThreadPoolExecutor(8), options=GRPC_OPTIONS)
    server.add_generic_rpc_handlers((Echo(),))
    port = int(server.add_insecure_port("127.0.0.1:0"))
    server.start()
    _serve_grpc.server = server  # type: ignore[attr-defined]  # it stops when nobody holds it
    return port


def _serve_tcp(listener: socket.socket, answer: bytes) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_answer_all, args=(connection, answer), daemon=True).start()


def _answer_all(connection: socket.socket, answer: bytes) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    buffer = bytearray()
    while head := connection.recv(LENGTH_BYTES, socket.MSG_WAITALL):
        size_bytes = int.from_bytes(head, "big")
        if len(buffer) < size_bytes:
            buffer = bytearray(size_bytes)
        receive(connection, memoryview(buffer)[:size_bytes])
        connection.sendall(answer)


def receive(connection: socket.socket, into: memoryview) -> None:
    """Fill it."""
    while into:
        into = into[connection.recv_into(into) :]


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
