"""gunicorn's threaded worker, made safe against clients that dawdle.

As gunicorn 27 comes, a client that connects and says nothing holds a thread for 5 s, one
that sends half a request's head for ever, one whose refused upload goes on for another
5 s, and one that does not close its end stops the main loop, and so everybody, for 2 s.
Here the main loop waits for all of them at once and threads only work.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from concurrent.futures import Future
from functools import partial
from typing import Any

from gunicorn.workers import gthread  # type: ignore[import-untyped]

HEAD_TIMEOUT_S = 10.0  # to send the request's head
REST_OF_BODY_S = 0.01  # to send what is left of a body that nobody wants
LINGER_S = 1.0  # to read the last answer and close
LINGER_BYTES = 65536  # that may still come meanwhile, so that the answer is not lost to a reset

gthread.DEFAULT_WORKER_DATA_TIMEOUT = 0.05  # then a silent connection goes back to the main loop


class Worker(gthread.ThreadWorker):  # type: ignore[misc]
    """A ThreadWorker with limits."""

    def __init__(self, *arguments: Any, **named: Any):
        super().__init__(*arguments, **named)
        self._reading_head: dict[Any, float] = {}  # connection -> since when (monotonic seconds)
        self._lingering: dict[Any, Linger] = {}

    def handle(self, conn: Any) -> Any:
        """One request, in a thread of the pool."""
        self._reading_head[conn] = time.monotonic()
        try:
            return super().handle(conn)
        finally:
            self._reading_head.pop(conn, None)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """The head has come; what follows is the app's to limit."""
        self._reading_head.pop(conn, None)
        return super().handle_request(req, conn)

    def finish_request(self, conn: Any, fs: Future[Any]) -> None:
        """Called by the main loop after `handle`: keep the connection, or let it end."""
        if fs.cancelled() or fs.exception() or fs.result() is not False:
            super().finish_request(conn, fs)
            return
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
            self._lingering[conn] = Linger(time.monotonic() + LINGER_S)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._discard, conn))
        except (OSError, ValueError):
            self._let_go(conn)

    def notify(self) -> None:
        """Called by the main loop at least once a second: end what has lasted too long."""
        super().notify()
        now = time.monotonic()
        for conn, since in list(self._reading_head.items()):
            if now - since > HEAD_TIMEOUT_S:
                with contextlib.suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RDWR)
        for conn in [conn for conn, linger in self._lingering.items() if now > linger.until]:
            self._let_go(conn)

    def _discard(self, conn: Any, sock: socket.socket) -> None:
        """Something still came after the last answer, or the other end has closed."""
        try:
            size_bytes = len(sock.recv(LINGER_BYTES))
        except BlockingIOError:
            return
        except OSError:
            size_bytes = 0
        linger = self._lingering[conn]
        linger.size_bytes += size_bytes
        if size_bytes == 0 or linger.size_bytes > LINGER_BYTES:
            self._let_go(conn)

    def _let_go(self, conn: Any) -> None:
        if self._lingering.pop(conn, None) is not None:
            with contextlib.suppress(KeyError, ValueError):
                self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()

    def _keepalive_after(self, conn: Any, keepalive: bool) -> bool:
        """A connection is used again only when its request was read to the end."""
        return keepalive and bool(conn.parser.finish_body(deadline=time.monotonic() + REST_OF_BODY_S))


class Linger:
    """A connection that has had its last answer."""

    def __init__(self, until: float):
        self.until = until  # monotonic seconds
        self.size_bytes = 0  # that came since
