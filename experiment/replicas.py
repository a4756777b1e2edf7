"""The replicas behind one name: a headless Service's name has the address of each, and they take turns.

A kept-open connection stays with whom it was opened to, so one connection would measure one replica and call
it the service. gRPC's own round_robin would spread the requests too, but not tell who answered.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from threading import Lock
from typing import Generic, Protocol, TypeVar

RESOLVE_TIMEOUT_S = 2.0
SET_ASIDE_S = 2.0  # a replica that gave no answer is left out so long while others can be asked,
MOST_ASIDE_S = 60.0  # twice as long each further time, up to this

Resolver = Callable[[str, int], Sequence[str]]  # host and port to numeric addresses; may raise OSError


class Closable(Protocol):
    """A connection of either protocol."""

    def close(self) -> None: ...


Connection = TypeVar("Connection", bound=Closable)


def look_up(host: str, port: int) -> list[str]:
    """Every address of a host, of one family only: a host with IPv4 and IPv6 is still one host."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    by_family: dict[int, list[str]] = {}
    for family, _, _, _, place in found:
        by_family.setdefault(family, []).append(str(place[0]))
    return sorted(set(by_family.get(socket.AF_INET) or by_family.get(socket.AF_INET6) or ()))


def addresses_of(address: str, resolve: Resolver = look_up) -> tuple[str, ...]:
    """What "host:port" stands for, as "ip:port" each; empty where nothing but the name itself is known.

    Takes at most RESOLVE_TIMEOUT_S.
    """
    host, _, port = address.rpartition(":")
    if _is_numeric(host.strip("[]")):
        return (address,)
    pool = ThreadPoolExecutor(1, "resolve")  # getaddrinfo has no time limit of its own
    try:
        found = pool.submit(resolve, host, int(port)).result(RESOLVE_TIMEOUT_S)
    except (OSError, UnicodeError, NotInTime):
        return ()
    finally:
        pool.shutdown(wait=False)
    return tuple(f"[{each}]:{port}" if ":" in each else f"{each}:{port}" for each in found)


class Replicas(Generic[Connection]):
    """A connection to each replica, asked in turn. With a single address: one to the name as it is."""

    def __init__(self, address: str, connect: Callable[[str], Connection], resolve: Resolver = look_up):
        self._address = address
        self._connect = connect
        self._resolve = resolve
        self._lock = Lock()
        self._aside: dict[str, tuple[float, float]] = {}  # address to until when, and for how long
        self._turn = 0
        found = addresses_of(address, resolve)
        self._is_single = len(found) < 2
        self._open = {each: connect(each) for each in ((address,) if self._is_single else found)}

    def next(self) -> tuple[str | None, Connection]:
        """Whose turn it is: its address, None where the name has but one, and the connection to it."""
        with self._lock:
            now = time.monotonic()
            ready = [each for each in self._open if self._aside.get(each, (0.0, 0.0))[0] <= now] or list(
                self._open
            )
            self._turn += 1
            chosen = ready[self._turn % len(ready)]
            return None if self._is_single else chosen, self._open[chosen]

    def answered(self, address: str | None) -> None:
        """That replica is well."""
        if address in self._aside:
            with self._lock:
                self._aside.pop(address, None)

    def lost(self, address: str | None) -> None:
        """That replica gave no answer: leave it out for a while, and ask who is there by now."""
        if address is None:
            return  # the connection itself looks the name up again
        found = addresses_of(self._address, self._resolve)
        with self._lock:
            for_s = min(MOST_ASIDE_S, 2 * self._aside[address][1]) if address in self._aside else SET_ASIDE_S
            self._aside[address] = (time.monotonic() + for_s, for_s)
            for gone in self._open.keys() - set(found) if found else ():
                self._open.pop(gone).close()
            for new in found:
                if new not in self._open:
                    self._open[new] = self._connect(new)

    def close(self) -> None:
        """Close every connection."""
        for connection in self._open.values():
            connection.close()


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
