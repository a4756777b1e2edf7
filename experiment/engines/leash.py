"""A connection from each worker to the command that placed it; when it ends, the worker is to end.

Spark ends a task's process with SIGKILL, so it is told by other means. A command that dies lets go too.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

CONNECT_S: Final = 10.0
LONGEST_LINE_BYTES: Final = 1000


class _Handler(socketserver.StreamRequestHandler):
    timeout = CONNECT_S
    server: _Server

    def handle(self) -> None:
        """Keep the connection of who knows the token until the end."""
        with contextlib.suppress(OSError, ValueError):
            token, attempt, name = self.rfile.readline(LONGEST_LINE_BYTES).decode().rstrip("\n").split(" ", 2)
            if secrets.compare_digest(token.encode(), self.server.leash.token.encode()):
                self.server.leash.begin(name, int(attempt))
                self.server.leash.ended.wait()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    leash: Leash


class Leash:
    """The end that the command holds."""

    def __init__(self, host: str, say: Callable[[str], None]):
        self.token = secrets.token_hex(16)
        self.begun: set[str] = set()  # names
        self.ended = threading.Event()
        self._say = say
        is_loopback = host.startswith("127.")
        self._server = _Server((host if is_loopback else "", 0), _Handler)
        self._server.leash = self
        self.address: tuple[str, int] = (host, self._server.server_address[1])

    def __enter__(self) -> Leash:
        threading.Thread(target=self._server.serve_forever, name="leash", daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.let_go()
        self._server.shutdown()
        self._server.server_close()

    def begin(self, name: str, attempt: int) -> None:
        """A worker has connected."""
        self.begun.add(name)
        if attempt and not self.ended.is_set():
            self._say(f"Worker {name} was killed. It has been started again.")

    def let_go(self) -> None:
        """Ask all workers to end."""
        self.ended.set()


@contextlib.contextmanager
def held(address: tuple[str, int], token: str, name: str, attempt: int) -> Iterator[bool]:
    """Within the block this process gets SIGTERM when the other side lets go. False: it can't be reached."""
    try:
        connection = socket.create_connection(address, timeout=CONNECT_S)
    except OSError:
        yield False
        return
    done = threading.Event()
    with connection:
        connection.sendall(f"{token} {attempt} {name}\n".encode())
        connection.settimeout(None)
        watch = threading.Thread(target=_watch, args=(connection, done), name="leash", daemon=True)
        watch.start()
        try:
            yield True
        finally:
            done.set()
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            watch.join()


def _watch(connection: socket.socket, done: threading.Event) -> None:
    with contextlib.suppress(OSError):
        connection.recv(1)
    if not done.is_set():
        os.kill(os.getpid(), signal.SIGTERM)
