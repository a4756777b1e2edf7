"""A kept-alive HTTP/1.1 connection with one deadline for a whole exchange. No request is sent twice."""

from __future__ import annotations

import contextlib
import math
import socket
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from typing import Any, NamedTuple

from urllib3.connection import HTTPConnection as Wire
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)

PIECE_BYTES = 65_536


class Answer(NamedTuple):
    """A response. Redirects are not followed."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NotUnderstood(ValueError):
    """The answer is not HTTP, or larger than the limit."""


class HttpConnection:
    """One connection to "host:port", opened when it is needed. Use it from one thread."""

    def __init__(self, address: str):
        host, _, port = address.rpartition(":")
        self._wire = Wire(host.strip("[]"), int(port))
        self._socket: _TimedSocket | None = None  # the wire's

    def open(self, timeout_s: float) -> None:
        """Connect if there is no live connection. Raises OSError; a TimeoutError after `timeout_s`."""
        if self._wire.is_connected:
            return
        self._wire.close()
        self._wire.timeout = timeout_s
        with _plain_errors():
            self._wire.connect()
        self._wire.sock = self._socket = _TimedSocket(fileno=self._wire.sock.detach())

    def exchange(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        timeout_s: float,
        limit_bytes: int,
        body: bytes | None = None,
    ) -> Answer:
        """Send a request and read its answer, at most `limit_bytes` of it, all within `timeout_s`.

        Raises TimeoutError, another OSError when the connection can't be made or breaks, NotUnderstood.
        """
        deadline = time.monotonic() + timeout_s
        try:
            self.open(timeout_s)
            assert self._socket is not None  # noqa: S101  it was opened
            self._socket.deadline = deadline
            with _plain_errors():
                return self._exchange(method, path, headers, limit_bytes, body)
        except BaseException:
            self.close()  # what is left of the answer must not be taken for the next one
            raise

    def close(self) -> None:
        """Close the connection."""
        self._wire.close()

    def _exchange(
        self, method: str, path: str, headers: Mapping[str, str], limit_bytes: int, body: bytes | None
    ) -> Answer:
        # A server that refuses a request may answer and close before it has read all of it.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._wire.request(method, path, body, headers, preload_content=False)
        response = self._wire.getresponse()
        answer = bytearray()
        while piece := response.read1(PIECE_BYTES):
            answer += piece
            if len(answer) > limit_bytes:
                raise NotUnderstood(f"an answer of more than {limit_bytes / 2**20:.0f} MiB")
        return Answer(response.status, response.headers, bytes(answer))


class _TimedSocket(socket.socket):
    """Every operation ends at `deadline`, however many there are."""

    deadline = math.inf  # on the monotonic clock

    def recv_into(self, *arguments: Any) -> int:
        self._wait_no_longer()
        return super().recv_into(*arguments)

    def sendall(self, *arguments: Any) -> None:
        self._wait_no_longer()
        super().sendall(*arguments)

    def _wait_no_longer(self) -> None:
        left_s = self.deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        self.settimeout(left_s)


@contextlib.contextmanager
def _plain_errors() -> Iterator[None]:
    """Turns what urllib3 and http.client raise into the exceptions of exchange()."""
    try:
        yield
    except NewConnectionError as error:  # a ConnectTimeoutError to urllib3, even when refused at once
        raise ConnectionError(str(error)) from error
    except (ReadTimeoutError, ConnectTimeoutError) as error:
        raise TimeoutError("timed out") from error
    except DecodeError as error:
        raise NotUnderstood("a body that is not compressed as it says") from error
    except ProtocolError as error:
        raise ConnectionError("the answer broke off") from error
    except HTTPError as error:
        raise ConnectionError(str(error)) from error
    except OSError:
        raise
    except HTTPException as error:
        raise NotUnderstood("something that is not HTTP") from error
