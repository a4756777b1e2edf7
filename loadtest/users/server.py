"""SERVER: one name for a model server, whichever protocol the users speak."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from loadtest.errors import LoadRefused
from loadtest.users.kinds import Protocol

DEFAULT_SERVER = "127.0.0.1"
GRPC_PORT, REST_PORT = 8500, 8501  # TensorFlow Serving's own

_SERVER = re.compile(
    r"(?P<http>http://)?(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:(?P<port>[0-9]{1,5}))?/?(\?rest=(?P<rest>[0-9]{1,5}))?"
)


class Addresses(NamedTuple):
    """Where the server listens, each "host:port"."""

    grpc: str
    rest: str

    def of(self, protocol: Protocol) -> str:
        """The address of a protocol."""
        return self.grpc if protocol == "grpc" else self.rest

    @property
    def text(self) -> str:
        """As SERVER, whatever the protocols."""
        return f"{self.grpc}?rest={self.rest.rpartition(':')[2]}"


def addresses_of(server: str, protocols: Collection[Protocol]) -> Addresses:
    """Both addresses of `server`, with the default port where it names none. Raises LoadRefused.

    A port after `http://` is REST's. Without `http://` it is gRPC's, or REST's where all users speak REST.
    With `?rest=`, as in TF_SERVERS, that is REST's port, and the other one gRPC's.

    >>> addresses_of("http://tf-cpu", ["rest", "grpc"])
    Addresses(grpc='tf-cpu:8500', rest='tf-cpu:8501')
    >>> addresses_of("tf-cpu:9000?rest=9001", ["rest", "grpc"])
    Addresses(grpc='tf-cpu:9000', rest='tf-cpu:9001')
    """
    found = _SERVER.fullmatch(server.strip())
    if found is None:
        raise LoadRefused(_what_is_wrong(server.strip()))
    port, rest_port = found["port"], found["rest"]
    is_rests = rest_port is None and (bool(found["http"]) or set(protocols) == {"rest"})
    grpc_port = port if port and not is_rests else str(GRPC_PORT)
    rest_port = rest_port or (port if port and is_rests else str(REST_PORT))
    for each in (grpc_port, rest_port):
        if not 0 < int(each) < 65536:
            raise LoadRefused(f"SERVER has the port {each}; ports go from 1 to 65535.")
    return Addresses(f"{found['host']}:{grpc_port}", f"{found['host']}:{rest_port}")


def _what_is_wrong(server: str) -> str:
    how = "Write host, host:port, http://host:port, or host:8500?rest=8501 for both ports."
    if not server:
        return f"SERVER is empty. {how}"
    if server.startswith("https://"):
        return f"SERVER is {server}: encrypted connections are not supported. {how}"
    if server.count(":") > 1 and "[" not in server and "//" not in server:
        return f"SERVER is {server}; an IPv6 host stands in brackets, like [::1]:8500. {how}"
    return f"SERVER is {server}, which is not a host with a port. {how}"
