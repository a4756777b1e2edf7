"""A client's connection as gunicorn's threads see it: reading and writing do not wait for the client.

The main loop receives a request before a thread reads it, except for an upload, whose Pace says how long to
wait for more. What a thread writes goes to an Outbox, which the main loop empties as fast as the client
reads. Only a thread whose answer is larger than MOST_UNSENT_BYTES waits for the client.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

READ_BYTES = 65536
PIECE_BYTES = 65536
MOST_UNSENT_BYTES = 1_500_000  # of one answer; then its thread waits. The page's largest file fits
MOST_UNSENT_IN_ALL_BYTES = 32_000_000
SEND_TIMEOUT_S = 20.0  # for a client to read PROGRESS_BYTES
PROGRESS_BYTES = 16_384
MOST_UNSENT_IN_KERNEL_BYTES = 65_536  # else the kernel holds megabytes for every client that does not read
CROWDED_TIMEOUT_S = 1.0  # the same, for a client that a thread waits for while too many threads wait


class Pace(Protocol):
    """How long to wait for the next bytes of a body."""

    def left_s(self) -> float:
        """Seconds; 0 or less: stop waiting."""

    def got(self, size_bytes: int) -> None:
        """Count bytes that have arrived."""


class ClientSocket(socket.socket):
    """The socket of one connection."""

    def __init__(self, accepted: socket.socket, outbox: Outbox):
        super().__init__(fileno=accepted.detach())
        super().setblocking(False)
        with contextlib.suppress(OSError):  # not every system has it
            self.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MOST_UNSENT_IN_KERNEL_BYTES)
        self._outbox = outbox
        self.ahead = bytearray()  # received, but not read by a thread yet
        self.pace: Pace | None = None  # None: reading does not wait for what has not come
        self.unsent: deque[memoryview] = deque()
        self.unsent_bytes = 0
        self.sent_bytes = 0  # since progress_at
        self.progress_at = 0.0  # monotonic seconds
        self.is_cut = False

    def setblocking(self, flag: bool) -> None:
        """Ignored: it never blocks, whatever gunicorn asks for."""

    def settimeout(self, value: float | None) -> None:
        """Ignored: the pace of an upload and the outbox say how long to wait."""

    def read_ahead(self) -> bool:
        """Receive into `ahead`, without waiting. Returns False if no more will come."""
        try:
            data = super().recv(READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self.ahead += data
        return bool(data)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Read from `ahead`, or what arrives in time. Raises ConnectionResetError if nothing does."""
        if flags:
            return super().recv(size, flags)
        if self.ahead:
            data = bytes(self.ahead[:size])
            del self.ahead[:size]
        else:
            data = self._next(size)
        if self.pace is not None:
            self.pace.got(len(data))
        return data

    def _next(self, size: int) -> bytes:
        while True:
            left_s = 0.0 if self.pace is None else self.pace.left_s()
            if self.pace is None or left_s > 0:
                with contextlib.suppress(BlockingIOError):
                    return super().recv(size)
            if left_s <= 0:
                raise ConnectionResetError(errno.ECONNRESET, "the rest did not arrive in time")
            poll = select.poll()  # select() can't watch descriptors above 1023
            poll.register(self, select.POLLIN)
            poll.poll(left_s * 1e3)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Hand `data` to the outbox. Raises BrokenPipeError if the client was cut."""
        assert not flags  # noqa: S101  gunicorn passes none
        view = memoryview(data)
        for start in range(0, len(view), PIECE_BYTES):
            self._outbox.add(self, view[start : start + PIECE_BYTES])

    def send_at_once(self, data: bytes) -> None:
        """Send a few bytes from the main loop, while nothing is unsent; lost if the client takes none."""
        with contextlib.suppress(OSError):
            super().send(data)

    def send_some(self) -> None:
        """Send what the client takes without waiting. Called by the outbox, under its lock."""
        try:
            while self.unsent:
                size_bytes = super().send(self.unsent[0])
                self._took(size_bytes)
        except BlockingIOError:
            return
        except OSError:
            self.cut()

    def _took(self, size_bytes: int) -> None:
        piece = self.unsent.popleft()
        if size_bytes < len(piece):
            self.unsent.appendleft(piece[size_bytes:])
        self.unsent_bytes -= size_bytes
        self.sent_bytes += size_bytes
        if self.sent_bytes >= PROGRESS_BYTES or not self.unsent:
            self.sent_bytes, self.progress_at = 0, time.monotonic()

    def abandon(self) -> None:
        """End an incomplete answer, so that the client does not take it for a complete one."""
        self._outbox.cut(self)

    def cut(self) -> None:
        """Close for reading and writing, which wakes a thread that waits. Needs the outbox's lock."""
        self.is_cut = True
        self.unsent.clear()
        self.unsent_bytes = 0
        with contextlib.suppress(OSError):
            self.shutdown(socket.SHUT_RDWR)


def hung_up(connection: socket.socket | None) -> bool:
    """Whether the client has disconnected; None counts as connected."""
    if connection is None:
        return False
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


class Outbox:
    """The parts of answers that clients have not read yet.

    A client that does not read blocks no thread while the rest of its answer is small. All clients together
    take no more memory than MOST_UNSENT_IN_ALL_BYTES: the one that has read nothing for longest is cut.
    """

    def __init__(self, most_waiting: int, on_unsent: Callable[[ClientSocket], None]):
        self._most_waiting = most_waiting  # threads
        self._on_unsent = on_unsent  # has flush() called whenever the client takes more
        self._changed = threading.Condition()
        self._unsent: set[ClientSocket] = set()
        self._waiting: set[ClientSocket] = set()  # clients that threads wait for

    def add(self, client: ClientSocket, piece: memoryview) -> None:
        """Send `piece` after what is unsent; waits while that is more than MOST_UNSENT_BYTES.

        Raises BrokenPipeError if the client was cut.
        """
        with self._changed:
            if client.unsent_bytes + len(piece) > MOST_UNSENT_BYTES:
                self._wait(client)
            is_first = not client.unsent
            if not client.is_cut:
                client.unsent.append(piece)
                client.unsent_bytes += len(piece)
            if is_first:
                client.progress_at = time.monotonic()
            client.send_some()
            if is_first and client.unsent:
                self._unsent.add(client)
                self._on_unsent(client)
            self._limit_memory()
            if client.is_cut:
                raise BrokenPipeError(errno.EPIPE, "the client does not read")

    def flush(self, client: ClientSocket) -> bool:
        """Send what the client takes without waiting. Returns whether something is left."""
        with self._changed:
            client.send_some()
            if not client.unsent:
                self._unsent.discard(client)
            self._changed.notify_all()
            return bool(client.unsent)

    def has(self, client: ClientSocket) -> bool:
        """Whether some of the client's answer is not sent yet."""
        return client in self._unsent

    def cut(self, client: ClientSocket) -> None:
        """Cut one client."""
        with self._changed:
            client.cut()
            self._changed.notify_all()

    def cut_slowest(self) -> None:
        """Cut the client that has read nothing for longest, to make room for others."""
        with self._changed:
            self._cut_slowest()
            self._changed.notify_all()

    def cut_stalled(self) -> None:
        """Cut clients that have read nothing for SEND_TIMEOUT_S. Call it about once a second."""
        with self._changed:
            late = time.monotonic() - SEND_TIMEOUT_S
            for client in [client for client in self._unsent if client.progress_at < late]:
                client.cut()
            self._changed.notify_all()

    def _wait(self, client: ClientSocket) -> None:
        self._waiting.add(client)
        try:
            while client.unsent_bytes + PIECE_BYTES > MOST_UNSENT_BYTES and not client.is_cut:
                self._limit_threads()
                self._changed.wait(CROWDED_TIMEOUT_S)
        finally:
            self._waiting.discard(client)

    def _limit_threads(self) -> None:
        if len(self._waiting) > self._most_waiting:
            slowest = min(self._waiting, key=lambda client: client.progress_at)
            if time.monotonic() - slowest.progress_at >= CROWDED_TIMEOUT_S:
                slowest.cut()
                self._waiting.discard(slowest)
                self._changed.notify_all()

    def _limit_memory(self) -> None:
        if sum(client.unsent_bytes for client in self._unsent) > MOST_UNSENT_IN_ALL_BYTES:
            self._cut_slowest()
            self._changed.notify_all()

    def _cut_slowest(self) -> None:
        reading = [client for client in self._unsent if not client.is_cut]
        if reading:
            min(reading, key=lambda client: client.progress_at).cut()
