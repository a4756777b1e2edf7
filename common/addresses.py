"""Addresses and ports."""

from __future__ import annotations

import ipaddress
import socket


def is_ip_address(host: str) -> bool:
    """Whether it is an address in numbers, IPv4 or IPv6 without brackets, and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def free_port() -> int:
    """A TCP port of this machine that nobody listens on now. Another program may take it any time."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
