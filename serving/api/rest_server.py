"""The HTTP server of the REST API: waitress, with time limits for slow clients.

By itself waitress waits as long as a byte comes now and then, and accepts no connection while it has as
many as it may. So clients that send nothing, or too little, could keep all others out.
"""

from __future__ import annotations

import contextlib
import resource
import socket
import time
from heapq import nlargest
from typing import Any

from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import WSGITask
from waitress.wasyncore import dispatcher

from serving.limits import BODY_READ_BYTES

CONNECTIONS = 1000  # with more, the slowest client's connection is closed
CLOSING_CONNECTIONS = 64  # that many more while slow ones are being closed
ACCEPTED_AT_ONCE = 32
HEAD_S = 10  # until the head of a request is whole: from connecting, or from its first byte
IDLE_S = 60  # between requests, and for a client that does not read its answer
BODY_S = 20  # until the body is whole, plus the time for what has arrived at this rate:
BODY_RATE_BYTES_S = 1000
CHECK_S = 1
LAST_REQUEST_S = 1.0  # after a stop, for one more request: the client does not know of it yet
STOP_CHECK_S = 0.02


class Task(WSGITask):
    """An answer that is being sent."""

    request: Any  # in waitress's types only that of its error responses
    channel: Any

    def write(self, data: bytes) -> None:
        """Answers to HEAD have no body (RFC 9110, 9.3.2): the client would take it for the next answer."""
        super().write(b"" if self.request.command == "HEAD" else data)

    def build_response_header(self) -> bytes:
        if self.channel.server.is_leaving:
            self.set_close_on_finish()
        return bytes(super().build_response_header())


class Channel(HTTPChannel):
    """A connection, and whether its client takes too long. Times are time.time(), as in waitress."""

    task_class = Task

    begun = 0.0  # when the first byte after the last answer came; empty lines do not count
    answered = 0.0  # when the last answer was ready; 0: none yet

    def received(self, data: bytes) -> bool:
        if self.begun <= max(self.creation_time, self.answered):
            self.begun = time.time()
        return super().received(data)

    def service(self) -> None:
        super().service()
        self.answered = time.time()

    def time_used(self, now: float) -> float:
        """The share of its time limit that the client has used; from 1 on the connection is closed."""
        if self.total_outbufs_len:
            return (now - self.last_activity) / IDLE_S
        since = max(self.creation_time, self.answered, self.begun if self.request else 0.0)
        limit_s: float = IDLE_S if self.answered and not self.request else HEAD_S
        if self.request and self.request.headers_finished:
            limit_s = BODY_S + self.request.body_bytes_received / BODY_RATE_BYTES_S
        return (now - since) / limit_s

    def is_computed(self) -> bool:
        """Whether the client waits for the server, and not the server for the client."""
        return bool(self.requests) and not self.total_outbufs_len

    def give_up(self) -> None:
        """Let waitress close the connection in its next round, which the shutdown starts at once."""
        self.will_close = True
        with contextlib.suppress(OSError):
            if self.socket:
                self.socket.shutdown(socket.SHUT_RDWR)


class RestServer(TcpWSGIServer):
    """Answers with a WSGI app on a listening socket."""

    channel_class = Channel
    is_leaving = False  # while True, every answer is the last one on its connection

    def __init__(self, app: Any, listening: socket.socket, threads: int):
        # At most half of the file descriptors: gRPC and the models need some, too.
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._most = CONNECTIONS if limit == resource.RLIM_INFINITY else min(CONNECTIONS, limit // 2)
        settings: dict[str, Any] = {
            "threads": threads,
            "connection_limit": self._most + CLOSING_CONNECTIONS,
            "cleanup_interval": CHECK_S,
            "asyncore_use_poll": True,  # select() fails from descriptor 1024 on, and gRPC has some too
            "ident": "pixelcost",
            "max_request_body_size": BODY_READ_BYTES,
            "inbuf_overflow": BODY_READ_BYTES,  # bodies stay in memory, not in a temporary file
            "recv_bytes": 256 * 1024,  # the default of 8 kB takes 600 reads for a 4.8 MB image
            "channel_request_lookahead": 1,  # notice when a client goes away
        }
        place = (listening.family, listening.type, listening.proto, listening.getsockname())
        super().__init__(app, _sock=listening, bind_socket=False, sockinfo=place, **settings)

    def leave(self, deadline: float) -> None:
        """Accept no connections, answer those that are open, and return by `deadline` (time.monotonic()).

        An answer says that it is the last one on its connection, so the client connects to another server. If
        the connection were just closed, a request that is on its way would be lost.
        """
        self.is_leaving = True
        main_loop: Any = self.trigger  # waitress's types take it for a number
        main_loop.pull_trigger(self._stop_listening)
        last_request = time.monotonic() + LAST_REQUEST_S
        while (now := time.monotonic()) < deadline and self._is_asked(now < last_request):
            time.sleep(STOP_CHECK_S)

    def _is_asked(self, may_be_soon: bool) -> bool:
        """Whether a request comes or is being answered, an answer is not sent yet, or more may come."""
        channels = self._channels()
        is_busy = any(
            channel.request or channel.requests or channel.total_outbufs_len for channel in channels
        )
        return self.accepting or is_busy or (may_be_soon and bool(channels))

    def _stop_listening(self) -> None:
        """Called by the main loop. First accepts the clients for whom the connection is made already."""
        self.handle_accept()
        dispatcher.close(self)

    def handle_accept(self) -> None:
        """Accept all that wait, not one in every round: with many connections a round takes milliseconds."""
        for _ in range(ACCEPTED_AT_ONCE):
            before = len(self._channels())
            super().handle_accept()
            if len(self._channels()) == before:
                break
        self._make_room()

    def maintenance(self, now: float) -> None:
        """Called by waitress every CHECK_S: gives slow clients up."""
        for channel in self._channels():
            if not channel.is_computed() and channel.time_used(now) >= 1:
                channel.give_up()

    def _make_room(self) -> None:
        channels = [channel for channel in self._channels() if not channel.will_close]
        surplus = len(channels) - self._most
        if surplus > 0:
            now = time.time()
            waited_for = [channel for channel in channels if not channel.requests]
            for channel in nlargest(surplus, waited_for, key=lambda channel: channel.time_used(now)):
                channel.give_up()

    def _channels(self) -> list[Channel]:
        active: Any = self.active_channels  # a dict; waitress's types say otherwise
        return list(active.values())
