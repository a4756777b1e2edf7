"""What the front and a replica say to each other: frames of a JSON head and a body of bytes.

They go over Unix sockets without a name in the file system: the front makes both ends of a connection and
hands one over, through the socket that it gave the replica when starting it. So there is nothing to protect
or to clean up. Both ends are one program, so the format has no version.
"""

from __future__ import annotations

import json
import select
import socket
import struct
from collections.abc import Mapping
from typing import Any

LENGTHS = struct.Struct("!IQ")  # bytes of the head and of the body
BUFFER_BYTES = 1024**2  # so that a usual request is sent in one go; the kernel may allow less


def pair() -> tuple[socket.socket, socket.socket]:
    """Both ends of a new connection."""
    ends = socket.socketpair()
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    return ends


def hand_over(through: socket.socket, end: socket.socket) -> None:
    """Give an end to the process behind `through`. Raises OSError when that has ended."""
    socket.send_fds(through, [b"c"], [end.fileno()])


def take_over(through: socket.socket) -> socket.socket | None:
    """Wait for the next end; None when the process behind `through` has ended."""
    try:
        _, descriptors, _, _ = socket.recv_fds(through, 1, 1)
    except ConnectionResetError:
        return None
    return socket.socket(fileno=descriptors[0]) if descriptors else None


def send(connection: socket.socket, head: Mapping[str, Any], body: bytes) -> None:
    """Raises OSError when nobody is at the other end."""
    text = json.dumps(head).encode()
    parts = [memoryview(LENGTHS.pack(len(text), len(body)) + text), memoryview(body)]
    while parts:
        sent_bytes = connection.sendmsg(parts)
        while parts and sent_bytes >= len(parts[0]):
            sent_bytes -= len(parts.pop(0))
        if sent_bytes:
            parts[0] = parts[0][sent_bytes:]


def receive(connection: socket.socket) -> tuple[dict[str, Any], bytes]:
    """The next frame. Raises OSError or EOFError when the other end is closed."""
    head_bytes, body_bytes = LENGTHS.unpack(_read(connection, LENGTHS.size))
    return json.loads(_read(connection, head_bytes)), _read(connection, body_bytes)


def is_open(connection: socket.socket) -> bool:
    """Whether somebody still waits at the other end."""
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def has_news(connection: socket.socket, within_s: float) -> bool:
    """Whether a frame, or the end of the connection, can be read by then."""
    poll = select.poll()  # unlike select() it takes descriptors over 1023
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(within_s * 1e3))


def _read(connection: socket.socket, size_bytes: int) -> bytes:
    """So many bytes, straight from the kernel into the object that is returned, as a rule."""
    parts = []
    while size_bytes:
        part = connection.recv(size_bytes, socket.MSG_WAITALL)
        if not part:
            raise EOFError
        parts.append(part)
        size_bytes -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
