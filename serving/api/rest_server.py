"""The HTTP server under the REST API: waitress, with an end to its patience.

waitress itself waits for as long as a byte comes now and then, and accepts nobody while it has as many
connections as it may. So clients that say nothing, or too little, could keep everybody else out.
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

CONNECTIONS = 1000  # beyond that the client that has used up most of our patience makes room
CLOSING_CONNECTIONS = 64  # that many more while those that make room are closed
ACCEPTED_AT_ONCE = 32
HEAD_S = 10  # until the head of a request is whole: from connecting, or from its first byte
IDLE_S = 60  # between requests, and for a client that takes nothing of its answer
BODY_S = 20  # until the body is whole, and longer for what came of it:
BODY_PACE_BYTES_S = 1000
LOOK_EVERY_S = 1
LAST_REQUEST_S = 1.0  # after the stop a connection may ask once more: its client does not know yet
LOOK_WHETHER_DONE_S = 0.02


class Task(WSGITask):
    """An answer on its way."""

    request: Any  # waitress's types name that of its refusals only
    channel: Any

    def write(self, data: bytes) -> None:
        """To HEAD it has no body (RFC 9110, 9.3.2): the client would take that for its next answer."""
        super().write(b"" if self.request.command == "HEAD" else data)

    def build_response_header(self) -> bytes:
        if self.channel.server.is_leaving:
            self.set_close_on_finish()
        return bytes(super().build_response_header())


class Channel(HTTPChannel):
    """One connection, and whether its client takes too long. Times are time.time(), as waitress's are."""

    task_class = Task

    begun = 0.0  # when the first byte after the last answer came; empty lines are no request, and no news
    answered = 0.0  # when the last answer was ready; 0: none yet

    def received(self, data: bytes) -> bool:
        if self.begun <= max(self.creation_time, self.answered):
            self.begun = time.time()
        return super().received(data)

    def service(self) -> None:
        super().service()
        self.answered = time.time()

    def patience_used(self, now: float) -> float:
        """How much of the time that it may take its client has taken; from 1 on it is given up."""
        if self.total_outbufs_len:
            return (now - self.last_activity) / IDLE_S
        since = max(self.creation_time, self.answered, self.begun if self.request else 0.0)
        return (now - since) / self._patience_s()

    def _patience_s(self) -> float:
        if self.request and self.request.headers_finished:
            return BODY_S + self.request.body_bytes_received / BODY_PACE_BYTES_S
        return IDLE_S if self.answered and not self.request else HEAD_S

    def is_computed(self) -> bool:
        """Whether the client waits for us, and not we for it."""
        return bool(self.requests) and not self.total_outbufs_len

    def give_up(self) -> None:
        """waitress closes it in the next round: the end wakes it, even if the client reads nothing."""
        self.will_close = True
        with contextlib.suppress(OSError):
            if self.socket:
                self.socket.shutdown(socket.SHUT_RDWR)


class RestServer(TcpWSGIServer):
    """Answers with a WSGI app on a listening socket."""

    channel_class = Channel
    is_leaving = False  # from now on each answer is the last one of its connection

    def __init__(self, app: Any, listening: socket.socket, threads: int):
        self._most = _connections()
        settings: dict[str, Any] = {
            "threads": threads,
            "connection_limit": self._most + CLOSING_CONNECTIONS,
            "cleanup_interval": LOOK_EVERY_S,
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
        """Accept nobody any more, answer who is there, and return; at `deadline`, monotonic s, at the latest.

        A client that keeps its connection hears with an answer that it is the last one, and connects anew,
        elsewhere. Were the connection just closed, the request that is on its way would be lost.
        """
        self.is_leaving = True
        main_loop: Any = self.trigger  # waitress's types take it for a number
        main_loop.pull_trigger(self._stop_listening)
        last_request = time.monotonic() + LAST_REQUEST_S
        while (now := time.monotonic()) < deadline and self._is_asked(now < last_request):
            time.sleep(LOOK_WHETHER_DONE_S)

    def _is_asked(self, may_be_soon: bool) -> bool:
        """Whether a request comes or is being answered, an answer is not sent yet, or more may come."""
        channels = self._channels()
        is_busy = any(each.request or each.requests or each.total_outbufs_len for each in channels)
        return self.accepting or is_busy or (may_be_soon and bool(channels))

    def _stop_listening(self) -> None:
        """In the thread of the main loop. Those that are connected already, as far as they know, come in."""
        self.handle_accept()
        dispatcher.close(self)

    def handle_accept(self) -> None:
        """All who wait, not one in each round: a round takes milliseconds when there are many."""
        for _ in range(ACCEPTED_AT_ONCE):
            before = len(self._channels())
            super().handle_accept()
            if len(self._channels()) == before:
                break
        self._make_room()

    def maintenance(self, now: float) -> None:
        for channel in self._channels():
            if not channel.is_computed() and channel.patience_used(now) >= 1:
                channel.give_up()

    def _make_room(self) -> None:
        channels = [channel for channel in self._channels() if not channel.will_close]
        surplus = len(channels) - self._most
        if surplus > 0:
            now = time.time()
            waited_for = [channel for channel in channels if not channel.requests]
            for channel in nlargest(surplus, waited_for, key=lambda each: each.patience_used(now)):
                channel.give_up()

    def _channels(self) -> list[Channel]:
        active: Any = self.active_channels  # a dict; waitress's types say otherwise
        return list(active.values())


def _connections() -> int:
    """At most half of the descriptors: gRPC and the models need some too."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS if limit == resource.RLIM_INFINITY else min(CONNECTIONS, limit // 2)
