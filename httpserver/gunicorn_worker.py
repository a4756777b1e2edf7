"""gunicorn's threaded worker, made safe against slow clients.

In gunicorn 27, a thread reads a request from its first byte on and writes the answer, so a few clients that
send or read a byte now and then keep all threads busy: 9 of 14 tests in test_slow_clients.py fail with it,
and 4 in test_webapp_live.py. Here the main loop waits for all clients: it collects a request, gives it to a
thread when it is complete, and sends what a client is slow to read (client_socket.py). Only an upload is read
by its thread, at the pace that httpserver/slots.py demands.

Parsing, the thread pool, keep-alive and shutdown stay gunicorn's: the main loop only looks for the end of a
request, and changes no byte. These methods of ThreadWorker are replaced:

accept, on_client_socket_readable  begin to collect a request instead of starting a thread
finish_request                     waits for an unsent answer, and closes without a thread
notify                             also ends requests and connections that take too long
"""

from __future__ import annotations

import contextlib
import errno
import re
import selectors
import socket
import time
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.workers import gthread  # type: ignore[import-untyped]

from httpserver.client_socket import ClientSocket, Outbox
from httpserver.problems import written

HEAD_TIMEOUT_S = 10.0  # to send the request's head
BODY_TIMEOUT_S = 5.0  # to send a small body behind it
MOST_HEAD_BYTES = 32_768
SMALL_BODY_BYTES = 16_384  # above what a form or JSON may have, so that only an upload is handed over unread
LINGER_S = 1.0  # to read the last answer and close
LINGER_BYTES = 65536  # that may still come meanwhile, so that the answer is not lost to a reset
LOOK_EVERY_S = 0.2  # for what has lasted too long
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_EXPECTS = re.compile(rb" HTTP/1\.1\r\n.*\r\nexpect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE | re.DOTALL)
_CHUNK_SIZE = re.compile(rb"([0-9a-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n", re.IGNORECASE)


def _write_refusal(client: socket.socket, status: int, _reason: str, why: str) -> None:
    """Answer what gunicorn refuses as JSON, like every other problem; gunicorn would send HTML."""
    client.sendall(written(status, why))


util.write_error = _write_refusal
util.close_graceful = ClientSocket.abandon  # gunicorn's would wait, and close what the main loop watches


class Worker(gthread.ThreadWorker):  # type: ignore[misc]
    """A ThreadWorker whose threads do not wait for clients."""

    def __init__(self, *arguments: Any, **named: Any):
        super().__init__(*arguments, **named)
        self._outbox = Outbox(
            max(1, self.cfg.threads // 8), partial(self.method_queue.defer, self._begin_flush)
        )
        self._is_full = False  # no descriptor was left for a new connection
        self._looked_at = 0.0  # monotonic seconds
        self._arriving: dict[Any, Arriving] = {}  # by connection, the oldest first
        self._lingering: dict[Any, Linger] = {}
        self._flushing: set[ClientSocket] = set()  # the poller says when they take more of their answer
        self._finishing: dict[ClientSocket, tuple[Any, Future[Any]]] = {}  # answered, but not sent yet

    def accept(self, listener: socket.socket) -> None:
        """Called by the main loop when a client connects."""
        try:
            accepted, address = listener.accept()
        except OSError as error:
            if error.errno not in {errno.EAGAIN, errno.ECONNABORTED, errno.EMFILE, errno.ENFILE}:
                raise
            self._is_full = error.errno in {errno.EMFILE, errno.ENFILE}
            return
        self.nr_conns += 1
        client = ClientSocket(accepted, self._outbox)
        self._await_request(gthread.TConn(self.cfg, client, address, listener.getsockname()))

    def on_client_socket_readable(self, conn: Any, client: ClientSocket) -> None:
        """Called by the main loop when a kept connection sends its next request."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._await_request(conn)

    def finish_request(self, conn: Any, fs: Future[Any]) -> None:
        """Called by the main loop after `handle`: keep the connection, or let it end."""
        if self._outbox.has(conn.sock):
            self._finishing[conn.sock] = (conn, fs)
        elif not fs.cancelled() and fs.exception() is None and fs.result():
            conn.sock.ahead[:0] = conn.parser.unreader.take_buffered()
            if conn.sock.ahead:
                self._await_request(conn)
            else:
                super().finish_request(conn, fs)
        else:
            self._begin_linger(conn)

    def notify(self) -> None:
        """Called by the main loop at least once a second: end what takes too long."""
        super().notify()
        if self._is_full or self.nr_conns >= self.worker_connections:
            self._is_full = False
            self._make_room()
        now = time.monotonic()
        if now < self._looked_at + LOOK_EVERY_S:
            return
        self._looked_at = now
        late = now - gthread.STOP_KEEPALIVE_LINGER
        for conn, arriving in list(self._arriving.items()):
            if now > arriving.until:
                self._give_up(conn, 408 if arriving.body_at else None)
            elif not self.alive and not conn.sock.ahead and arriving.since < late:
                self._give_up(conn)
        for conn in [conn for conn, linger in self._lingering.items() if now > linger.until]:
            self._let_go(conn)
        self._outbox.cut_stalled()

    def _await_request(self, conn: Any) -> None:
        """Collect the next request, and give it to a thread as soon as it is complete."""
        self._arriving[conn] = Arriving(time.monotonic())
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._collect, conn))
        self._collect(conn, conn.sock)

    def _collect(self, conn: Any, client: ClientSocket) -> None:
        arriving = self._arriving[conn]
        is_open = client.read_ahead()
        if arriving.has_come(client):
            self._forget(conn)
            conn.data_ready = True
            self.enqueue_req(conn)
        elif not is_open:
            self._give_up(conn)
        elif not arriving.body_at and len(client.ahead) > MOST_HEAD_BYTES:
            self._give_up(conn, 431)

    def _give_up(self, conn: Any, status: int | None = None) -> None:
        """Stop waiting for a request: answer with `status`, or close without an answer."""
        self._forget(conn)
        if status is None:
            self._let_go(conn)
            return
        conn.sock.send_at_once(written(status))
        self._begin_linger(conn)

    def _forget(self, conn: Any) -> None:
        del self._arriving[conn]
        self.poller.unregister(conn.sock)

    def _make_room(self) -> None:
        """End one connection for a new one: an idle one, else one that ends, arrives, or is answered."""
        if self.keepalived_conns:
            self.keepalived_conns[0].timeout = 0.0
            self.murder_keepalived()
        elif self._lingering:
            self._let_go(next(iter(self._lingering)))
        elif self._arriving:
            self._give_up(next(iter(self._arriving)))
        else:
            self._outbox.cut_slowest()

    def _begin_flush(self, client: ClientSocket) -> None:
        """Send what a thread has left unsent. May be called again for the same client."""
        if client in self._flushing:
            return
        if self._outbox.flush(client):
            self._flushing.add(client)
            self.poller.register(client, selectors.EVENT_WRITE, self._flush)
        else:
            self._finish(client)

    def _flush(self, client: ClientSocket) -> None:
        if not self._outbox.flush(client):
            self._flushing.remove(client)
            self.poller.unregister(client)
            self._finish(client)

    def _finish(self, client: ClientSocket) -> None:
        if client in self._finishing:
            self.finish_request(*self._finishing.pop(client))

    def _begin_linger(self, conn: Any) -> None:
        """Close for writing, and wait a moment for the client to close, so that it gets the last answer."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._discard, conn))
            self._lingering[conn] = Linger(time.monotonic() + LINGER_S)
        except (OSError, ValueError):
            self._let_go(conn)

    def _discard(self, conn: Any, client: ClientSocket) -> None:
        """Discard what still arrives after the last answer, until the client closes."""
        client.ahead.clear()
        is_open = client.read_ahead()
        linger = self._lingering[conn]
        linger.size_bytes += len(client.ahead)
        if not is_open or linger.size_bytes > LINGER_BYTES:
            self._let_go(conn)

    def _let_go(self, conn: Any) -> None:
        if self._lingering.pop(conn, None) is not None:
            with contextlib.suppress(KeyError, ValueError):
                self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()


class Arriving:
    """A request that is being received, and its deadline."""

    def __init__(self, now: float):
        self.since = now  # monotonic seconds
        self.until = now + HEAD_TIMEOUT_S  # monotonic seconds
        self.body_at = 0  # offset of its body; 0: the head is not complete yet
        self._length_bytes = 0
        self._is_chunked = False
        self._looked_at = 0  # offset up to which it was searched

    def has_come(self, client: ClientSocket) -> bool:
        """Whether a thread can take it: it is complete, or its body is too large to be collected here."""
        if not self.body_at and not self._head_has_come(client):
            return False
        body_bytes = len(client.ahead) - self.body_at
        if self._is_chunked:
            return body_bytes > SMALL_BODY_BYTES or self._last_chunk_has_come(client.ahead)
        return not body_bytes < self._length_bytes <= SMALL_BODY_BYTES

    def _head_has_come(self, client: ClientSocket) -> bool:
        end = client.ahead.find(b"\r\n\r\n", max(0, self._looked_at - 3))
        self._looked_at = len(client.ahead)
        if end < 0:
            return False
        self.body_at = self._looked_at = end + 4
        self.until = time.monotonic() + BODY_TIMEOUT_S
        head = bytes(client.ahead[: self.body_at])
        length = _LENGTH.search(head)
        self._length_bytes = int(length[1]) if length else 0
        self._is_chunked = bool(_CHUNKED.search(head))
        if _EXPECTS.search(head) and not self.has_come(client):
            client.send_at_once(CONTINUE)
        return True

    def _last_chunk_has_come(self, data: bytearray) -> bool:
        """Also True for a malformed chunk, which gunicorn's parser then refuses."""
        while size := _CHUNK_SIZE.match(data, self._looked_at):
            size_bytes = int(size[1], 16)
            if size_bytes == 0:
                return data.find(b"\r\n\r\n", size.end() - 2) >= 0
            self._looked_at = size.end() + size_bytes + 2
        return data.find(b"\r\n", self._looked_at) >= 0


@dataclass(slots=True)
class Linger:
    """A connection that was sent its last answer."""

    until: float  # monotonic seconds
    size_bytes: int = 0  # received since
