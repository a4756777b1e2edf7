"""What every kind of store has in common: a list of files, and the bytes of each from an offset on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from models.problems import FetchFailed

PIECE_BYTES = 16 * 1024  # of a connection that breaks, a part of a piece is lost
CONNECT_S, SILENCE_S = 10.0, 30.0  # longest waits: for a connection, and for the next byte


class Broken(Exception):
    """The connection ended, or a server was busy. What has arrived is good, and the rest may be asked for."""


class Changed(FetchFailed):
    """The file is no longer the one that was listed."""

    def __init__(self, shown: str):
        super().__init__(f"{shown} changed while it was fetched. Run the command again for the new one.")


@dataclass(frozen=True)
class Sum:
    """A checksum that the store tells, in hexadecimal."""

    algorithm: str  # a name of hashlib
    digits: str


@dataclass(frozen=True)
class RemoteFile:
    """A file of a store."""

    name: str  # below the source's address, with slashes
    size_bytes: int | None  # None: the server does not say
    identity: str  # another one as soon as the bytes are others; empty: the server tells none
    sum: Sum | None = None
    is_layer: bool = False  # of an image: a tar that holds one or several folders of the model


class Source(Protocol):
    """A model at an address. `shown` is the address without passwords."""

    shown: str

    def files(self) -> Sequence[RemoteFile]:
        """What lies there now. Raises FetchFailed."""

    def read(self, file: RemoteFile, offset: int) -> Iterator[bytes]:
        """The bytes from `offset` on. Raises Broken if it is worth another try, Changed and FetchFailed."""


def without_secrets(address: str) -> str:
    """The address as it may be logged: without a user, a password, or a query, which may be signed."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def refused(shown: str, said: str, credentials: str) -> FetchFailed:
    """The sentence for a 401 or 403. `said` is the server's own word for it."""
    return FetchFailed(f"{shown} may not be read ({said}). {credentials}")
