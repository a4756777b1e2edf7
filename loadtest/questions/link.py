"""The network between this machine and a server: which interface, and how fast it says it is."""

from __future__ import annotations

import fcntl
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SYS_NET = Path("/sys/class/net")
SIOCGIFADDR = 0x8915  # netdevice(7): the IPv4 address of an interface


@dataclass(frozen=True, slots=True)
class Link:
    """The first link on the way. What lies behind it may be slower."""

    interface: str | None  # None: not known
    megabits_per_s: float | None  # None: not known, as of most virtual machines, or there is no wire


def link_to(address: str) -> Link:
    """The link that a request to "host:port" leaves this machine by. Nothing is sent."""
    host, _, port = address.rpartition(":")
    try:
        family, kind, _, _, place = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(place)  # of a datagram socket: it only chooses the route
            own = str(probe.getsockname()[0])
    except (OSError, UnicodeError, ValueError):
        return Link(None, None)
    if own.startswith("127.") or own == "::1":
        return Link("lo", None)
    interface = next((name for _, name in socket.if_nameindex() if _address_of(name) == own), None)
    return Link(interface, _speed(interface) if interface else None)


def _address_of(interface: str) -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket, suppress(OSError):
        asked = struct.pack("256s", interface.encode()[:15])
        return socket.inet_ntoa(fcntl.ioctl(any_socket.fileno(), SIOCGIFADDR, asked)[20:24])
    return None


def _speed(interface: str) -> float | None:
    try:
        speed = int((SYS_NET / interface / "speed").read_text("ascii"))
    except (OSError, ValueError):
        return None
    return float(speed) if speed > 0 else None  # -1: it does not know
