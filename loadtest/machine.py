"""shares_machine(): whether a target runs on the machine that generates the load."""

from __future__ import annotations

import ipaddress
import socket
from functools import cache

from experiment.records import BackendInfo


def shares_machine(info: BackendInfo) -> bool:
    """Whether one of its replicas does, as far as its address says. Looks up no names."""
    return info.embedded or any(map(is_on_this_machine, filter(None, info.address.split(","))))


@cache
def is_on_this_machine(address: str) -> bool:
    """Whether "host:port" is loopback, or has this machine's name or one of its own addresses."""
    host = address.rpartition(":")[0].strip("[]").lower()
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return host in {"localhost", socket.gethostname().lower()}
    return found.is_loopback or _is_own(host, socket.AF_INET6 if found.version == 6 else socket.AF_INET)


def _is_own(host: str, family: socket.AddressFamily) -> bool:
    """Only an address of one's own can be bound."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return True
