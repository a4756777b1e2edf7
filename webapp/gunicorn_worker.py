"""gunicorn's threaded worker, made safe against clients that dawdle.

As gunicorn 27 comes, one client that sends half a request line keeps a thread for ever,
one whose refused upload is never read to its end keeps it for 5 s, and one that does not
close its end holds up the main loop, and so everybody, for 2 s. Here each has its limit,
and none of them reaches the main loop.
"""

from __future__ import annotations

import contextlib
import socket
import time
from typing import Any

from gunicorn.util import close_graceful
from gunicorn.workers.gthread import ThreadWorker

HEADER_TIMEOUT_S = 10.0  # to send the request's head
DRAIN_S = 0.2  # to send what is left of a body that nobody wants
LINGER_S = 0.5  # to close after the last answer


class Worker(ThreadWorker):
    """A ThreadWorker with limits."""

    def __init__(self, *arguments: Any, **named: Any):
        super().__init__(*arguments, **named)
        self._reading_head: dict[Any, float] = {}  # connection -> since when (monotonic seconds)

    def handle(self, conn: Any) -> Any:
        """One request, in a thread of the pool. A connection that ends is closed here, too."""
        self._reading_head[conn] = time.monotonic()
        try:
            again = super().handle(conn)
        finally:
            self._reading_head.pop(conn, None)
        if again is False:
            with contextlib.suppress(OSError):
                close_graceful(conn.sock, timeout=LINGER_S)
            conn.close = _already_closed  # the main loop would linger a second time
        return again

    def handle_request(self, req: Any, conn: Any) -> Any:
        """The head has come; what follows is the app's to limit."""
        self._reading_head.pop(conn, None)
        return super().handle_request(req, conn)

    def notify(self) -> None:
        """Called by the main loop at least once a second."""
        super().notify()
        now = time.monotonic()
        for conn, since in list(self._reading_head.items()):
            if now - since > HEADER_TIMEOUT_S:
                with contextlib.suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RDWR)

    def _keepalive_after(self, conn: Any, keepalive: bool) -> bool:
        if not keepalive:
            return False
        return bool(conn.parser.finish_body(deadline=time.monotonic() + DRAIN_S))


def _already_closed(graceful: bool = False) -> None:
    """Stands in for a closed connection's close()."""
