"""Addresses and ports."""

from __future__ import annotations

import ipaddress
import socket

_given_ports: set[int] = set()


def is_ip_address(host: str) -> bool:
    """Whether it is an address in numbers, IPv4 or IPv6 without brackets, and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def free_port() -> int:
    """A TCP port of this machine that nobody listens on now, and that this process was not given before.

    Who was given one may not listen yet; another program may take it any time.
    """
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in _given_ports:
            _given_ports.add(port)
            return port
