"""IP addresses and free ports."""

from __future__ import annotations

import ipaddress
import socket

_given_ports: set[int] = set()


def is_ip_address(host: str) -> bool:
    """Whether `host` is a numeric address (IPv4, or IPv6 without brackets) and not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether `host` means this machine only: `localhost`, or an address such as 127.0.0.1 or ::1."""
    return host == "localhost" or (is_ip_address(host) and ipaddress.ip_address(host).is_loopback)


def free_port() -> int:
    """A TCP port on which nobody listens now, another one at every call.

    It is not reserved: another program may take it before the caller listens.
    """
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in _given_ports:
            _given_ports.add(port)
            return port
