"""Which addresses a server may have that somebody adds on the page: PIXELCOST_ADD_SERVERS_ALLOWED.

    10.1.0.0/16:8500-8501, [fd00::/8]:8500, tf-*.example.org, 127.0.0.1:*

An entry is a network or a pattern of host names, and ports after a colon; without them TensorFlow Serving's,
8500 and 8501. A name is resolved once, all its addresses are checked, and only those that were checked are
used: a name that resolves to something else a moment later (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from common.addresses import is_ip_address
from common.checks import Expected
from experiment.backends.replicas import RESOLVE_TIMEOUT_S, Resolver

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

EXAMPLE: Final = "10.1.0.0/16:8500,tf-*.example.org:8500-8501"
ANYWHERE: Final = "0.0.0.0/0:*,[::/0]:*"
USUAL_PORTS: Final = (8500, 8501)
MOST_ADDRESSES: Final = 16  # of one name, whose servers take turns
LONGEST_ADDRESS: Final = 260  # characters: a host name has at most 253

# Never a model server: this network, link-local (metadata of clouds), multicast, reserved; the metadata of
# some clouds at other addresses; IPv6 that is another spelling of IPv4 or leads to it through a translator.
NEVER: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"),
        *("100.100.100.200/32", "168.63.129.16/32", "192.0.0.0/24", "fd00:ec2::/32"),
        *("::/128", "fe80::/10", "fec0::/10", "ff00::/8"),
        *("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96", "2001::/32", "2002::/16"),
    )
)
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")  # IPv4 in the last 32 bits; ::1 is in it too
_ADDRESS = re.compile(r"(\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>[0-9]{1,5})")
_ENTRY = re.compile(
    r"(\[(?P<ipv6>[0-9A-Fa-f:./]+)\]|(?P<host>[^\[\]:\s]+))(:(?P<ports>\*|[0-9]+(-[0-9]+)?))?"
)
_PATTERN = re.compile(r"[a-z0-9*_]([a-z0-9*_.-]*[a-z0-9*_])?")
_NUMERIC = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")  # the last part of an IPv4 address, however it is written


class NotAllowed(Exception):
    """The address is not allowed, or its name is not known: which of the two is not said."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the list: a network or a pattern of names, and the ports."""

    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None
    pattern: str
    ports: tuple[int, int]

    def may_hold(self, name: str | None, port: int) -> bool:
        """Whether it can allow this port of a host of that name (None: it was written as an address)."""
        is_port = self.ports[0] <= port <= self.ports[1]
        return is_port and (self.network is not None or (name is not None and self._names(name)))

    def holds(self, name: str | None, ip: IPAddress) -> bool:
        """Whether it allows this address. A pattern of names allows this machine only as `localhost`."""
        if self.network is not None:
            return ip in self.network
        return name is not None and self._names(name) and (not ip.is_loopback or self.pattern == "localhost")

    def _names(self, name: str) -> bool:
        return fnmatchcase(name, self.pattern)


def parse_allowed(text: str) -> tuple[Entry, ...]:
    """The entries of a list, with commas, semicolons or spaces between them. Raises Expected."""
    return tuple(entry for part in re.split(r"[\s,;]+", text.strip()) if part for entry in _entries(part))


def allowed_text(text: str) -> str:
    """Parses the setting. Raises Expected."""
    parse_allowed(text)
    return text.strip()


def checked(
    address: str,
    allowed: Sequence[Entry],
    resolve: Resolver | None = None,
    timeout_s: float = RESOLVE_TIMEOUT_S,
) -> str:
    """The addresses of "host:port" as "ip:port,ip:port", each one allowed: connect to these, not to the name.

    A name is looked up only if the list may allow it. Raises ValueError for what is not host:port, whatever
    the list says, and NotAllowed.
    """
    host, port = split(address)
    name = None if is_ip_address(host) else host.lower().removesuffix(".")
    possible = [entry for entry in allowed if entry.may_hold(name, port)]
    if not possible:
        raise NotAllowed
    found = [host] if name is None else _looked_up(host, port, resolve or all_addresses, timeout_s)
    ips = [_plain(ipaddress.ip_address(text)) for text in found]
    if not 1 <= len(ips) <= MOST_ADDRESSES:
        raise NotAllowed
    for ip in ips:
        if _is_never_allowed(ip) or not any(entry.holds(name, ip) for entry in possible):
            raise NotAllowed
    used = [ip for ip in ips if ip.version == 4] or ips  # a host that has both is still one host
    return ",".join(
        f"[{ip}]:{port}" if ip.version == 6 else f"{ip}:{port}" for ip in sorted(set(used), key=int)
    )


def split(address: str) -> tuple[str, int]:
    """Host (IPv6 without its brackets) and port of "host:port". Raises ValueError with what is wrong.

    >>> split("[::1]:8500")
    ('::1', 8500)
    """
    found = _ADDRESS.fullmatch(address) if len(address) <= LONGEST_ADDRESS else None
    if found is None:
        raise ValueError(
            "must be host:port, like gpu-box:8500 or 10.1.2.3:8500; an IPv6 address is in brackets"
        )
    host, port = found["ipv6"] or found["host"], int(found["port"])
    if not 1 <= port <= 65535:
        raise ValueError("must have a port from 1 to 65535")
    is_numeric = _NUMERIC.fullmatch(host.rstrip(".").rpartition(".")[2])
    is_odd = ":" not in host if found["ipv6"] else is_numeric and not is_ip_address(host)
    if is_odd or (found["ipv6"] and not is_ip_address(host)):
        raise ValueError("must begin with an address like 10.1.2.3 or [fd00::1], or a host name")
    return host, port


def all_addresses(host: str, port: int) -> list[str]:
    """Every IP address of a host, of both families. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(place[0]).partition("%")[0] for _, _, _, _, place in found]


def _looked_up(host: str, port: int, resolve: Resolver, timeout_s: float) -> Sequence[str]:
    pool = ThreadPoolExecutor(1, "resolve")  # getaddrinfo has no time limit of its own
    try:
        return pool.submit(resolve, host, port).result(timeout_s)
    except (OSError, UnicodeError, NotInTime):
        raise NotAllowed from None
    finally:
        pool.shutdown(wait=False)


def _plain(ip: IPAddress) -> IPAddress:
    """IPv4 that was written as IPv6 (::ffff:10.1.2.3) as IPv4."""
    return (ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None) or ip


def _is_never_allowed(ip: IPAddress) -> bool:
    is_compatible = ip in _COMPATIBLE and not ip.is_loopback
    return is_compatible or any(ip in network for network in NEVER)


def _entries(text: str) -> Iterator[Entry]:
    found = _ENTRY.fullmatch(text)
    if found is None:
        raise Expected(f"a list like `{EXAMPLE}`; `{text}` is no network, name or address")
    host = (found["ipv6"] or found["host"]).lower()
    network, pattern = _network(host), "" if _network(host) else _pattern(host)
    for ports in _ports(found["ports"]):
        yield Entry(network, pattern, ports)


def _network(host: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(host)
    except ValueError as problem:
        if "/" in host or ":" in host or _NUMERIC.fullmatch(host.rpartition(".")[2]):
            raise Expected(f"a list like `{EXAMPLE}`; {problem}") from None
        return None


def _pattern(host: str) -> str:
    if not _PATTERN.fullmatch(host):
        raise Expected(f"a list like `{EXAMPLE}`; `{host}` is no host name")
    return host


def _ports(text: str | None) -> Iterator[tuple[int, int]]:
    if text is None:
        yield from ((port, port) for port in USUAL_PORTS)
        return
    low, _, high = ("1-65535" if text == "*" else text).partition("-")
    first, last = int(low), int(high or low)
    if not 1 <= first <= last <= 65535:
        raise Expected(f"a list like `{EXAMPLE}`; `{text}` are no ports from 1 to 65535")
    yield first, last
