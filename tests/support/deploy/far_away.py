"""A server as it looks from far away: every byte takes its time, either way."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PIECE_BYTES = 65_536

Pieces = queue.SimpleQueue[tuple[float, bytes]]  # when each is due; an empty one is the end


@contextmanager
def far_away(address: str, one_way_s: float) -> Iterator[str]:
    """The address of a proxy to `address` that passes everything on `one_way_s` later."""
    host, _, port = address.rpartition(":")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, (host, int(port)), one_way_s), daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, place: tuple[str, int], one_way_s: float) -> None:
    with suppress(OSError):  # the listener is closed
        while True:
            near, _ = listener.accept()
            far = socket.create_connection(place)
            for one, other in ((near, far), (far, near)):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                pieces: Pieces = queue.SimpleQueue()
                threading.Thread(target=_take, args=(one, pieces, one_way_s), daemon=True).start()
                threading.Thread(target=_give, args=(other, pieces), daemon=True).start()


def _take(one: socket.socket, pieces: Pieces, one_way_s: float) -> None:
    piece = b"first"
    while piece:
        try:
            piece = one.recv(PIECE_BYTES)
        except OSError:
            piece = b""
        pieces.put((time.monotonic() + one_way_s, piece))


def _give(other: socket.socket, pieces: Pieces) -> None:
    with suppress(OSError):  # that side has hung up
        while True:
            due, piece = pieces.get()
            time.sleep(max(0.0, due - time.monotonic()))
            if not piece:
                other.shutdown(socket.SHUT_RDWR)
                return
            other.sendall(piece)
