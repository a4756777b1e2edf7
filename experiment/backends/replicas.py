"""The replicas of a backend, which get requests in turn. A headless Service's name has several addresses;
embedded replicas are listed as "host:port,host:port".

A kept-alive connection stays with one replica, so a single connection would measure one replica instead of
the service. gRPC's own round_robin would spread the requests too, but not report which replica answered.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import replace
from threading import Event, Lock, Thread
from typing import Generic, Protocol, TypeVar

from common.addresses import is_ip_address
from experiment.records import BackendInfo

RESOLVE_TIMEOUT_S = 2.0
LOOK_AGAIN_S = 1.0
PAUSE_S = 2.0  # a replica that did not answer gets no requests for this time,
MOST_PAUSE_S = 60.0  # then for twice as long, up to this, until it answers again

Resolver = Callable[[str, int], Sequence[str]]  # host and port -> IP addresses; may raise OSError


class Openable(Protocol):
    """A connection of either protocol."""

    def open(self, timeout_s: float) -> None: ...

    def close(self) -> None: ...


Connection = TypeVar("Connection", bound=Openable)


def look_up(host: str, port: int) -> list[str]:
    """The IP addresses of a host, IPv4 or else IPv6: a host that has both is still one host."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    by_family: dict[int, list[str]] = {}
    for family, _, _, _, place in found:
        by_family.setdefault(family, []).append(str(place[0]))
    return sorted(set(by_family.get(socket.AF_INET) or by_family.get(socket.AF_INET6) or ()))


def addresses_of(address: str, resolve: Resolver = look_up) -> tuple[str, ...]:
    """The addresses of "host:port" as "ip:port"; empty if the name can't be resolved in RESOLVE_TIMEOUT_S.

    "host:port,host:port" is split and not resolved.
    """
    if "," in address:
        return tuple(address.split(","))
    host, _, port = address.rpartition(":")
    if is_ip_address(host.strip("[]")):
        return (address,)
    pool = ThreadPoolExecutor(1, "resolve")  # getaddrinfo has no time limit of its own
    try:
        found = pool.submit(resolve, host, int(port)).result(RESOLVE_TIMEOUT_S)
    except (OSError, UnicodeError, NotInTime):
        return ()
    finally:
        pool.shutdown(wait=False)
    return tuple(f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}" for ip in found)


def as_one(replicas: Sequence[BackendInfo]) -> BackendInfo:
    """One backend with the addresses of all replicas that are ready, or of all if none is."""
    if len(replicas) == 1:
        return replicas[0]
    ready = [info for info in replicas if info.state == "ready"]
    others = [info for info in replicas if info.state != "ready"]
    present = ready or sorted(others, key=lambda info: info.state != "loading")
    words = [info.detail for info in (*ready[:1], *others[:1])]
    if others:
        verb = "answers" if len(ready) == 1 else "answer"
        words.insert(-1, f"{len(ready)} of {len(replicas)} replicas {verb}.")
    address = ",".join(info.address for info in present)
    return replace(present[0], address=address, replicas=len(present), detail=" ".join(words))


class Replicas(Generic[Connection]):
    """Connections to all replicas, to use in turn. A name with one address gets one connection to the name.

    A replica that did not answer is left out until its port can be reached again: it costs one failed
    request.
    """

    def __init__(self, address: str, connect: Callable[[str], Connection], resolve: Resolver = look_up):
        self._address = address
        self._connect = connect
        self._resolve = resolve
        self._lock = Lock()
        self._closed = Event()
        self._out: set[str] = set()
        self._pauses_s: dict[str, float] = {}  # address -> how long it was left out the last time
        self._retired: list[Connection] = []
        self._turn = 0
        found = addresses_of(address, resolve)
        self._is_single = len(found) < 2
        self._open = {place: connect(place) for place in ((address,) if self._is_single else found)}

    def open(self, timeout_s: float) -> None:
        """Connect to all at once. Failures show when a request is sent."""
        with self._lock:
            connections = list(self._open.values())
        with ThreadPoolExecutor(len(connections), "connect") as pool:
            for connection in connections:
                pool.submit(connection.open, timeout_s)

    def next(self) -> tuple[str | None, Connection]:
        """The next replica's address (None: the only one) and connection."""
        with self._lock:
            ready = [address for address in self._open if address not in self._out] or list(self._open)
            self._turn += 1
            chosen = ready[self._turn % len(ready)]
            return None if self._is_single else chosen, self._open[chosen]

    def answered(self, address: str | None) -> None:
        """The replica answered: its next pause is a short one again."""
        self._pauses_s.pop(address or "", None)

    def lost(self, address: str | None) -> None:
        """The replica did not answer: leave it out until it can be reached or the name resolves to others."""
        if address is None:
            return  # reconnecting resolves the name again
        with self._lock:
            if address in self._out:
                return
            self._out.add(address)
            pause_s = min(MOST_PAUSE_S, 2 * self._pauses_s.get(address, PAUSE_S / 2))
            self._pauses_s[address] = pause_s
        Thread(target=self._bring_back, args=(address, pause_s), name="replicas", daemon=True).start()

    def close(self) -> None:
        """Close every connection."""
        self._closed.set()
        with self._lock:
            for connection in [*self._open.values(), *self._retired]:
                connection.close()

    def _bring_back(self, address: str, pause_s: float) -> None:
        self._take_stock()
        self._closed.wait(pause_s)
        while not self._closed.is_set() and address in self._open and not is_reachable(address):
            self._closed.wait(LOOK_AGAIN_S)
            self._take_stock()
        with self._lock:
            self._out.discard(address)

    def _take_stock(self) -> None:
        """Resolve the name again: drop addresses that are gone, connect to new ones."""
        found = addresses_of(self._address, self._resolve)
        with self._lock:
            if not found or self._closed.is_set():
                return
            for gone in self._open.keys() - set(found):
                self._retired.append(self._open.pop(gone))  # a request to it may be under way
            for new in found:
                if new not in self._open:
                    self._open[new] = self._connect(new)


def is_reachable(address: str) -> bool:
    """Whether something listens at "ip:port"."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=RESOLVE_TIMEOUT_S).close()
    except OSError:
        return False
    return True
