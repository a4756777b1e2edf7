"""The replicas of one backend, which take turns: a headless Service's name has the address of each, and
embedded replicas are listed as "host:port,host:port".

A kept-open connection stays with whom it was opened to, so one connection would measure one replica and call
it the service. gRPC's own round_robin would spread the requests too, but not tell who answered.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import replace
from threading import Event, Lock, Thread
from typing import Generic, Protocol, TypeVar

from experiment.records import BackendInfo

RESOLVE_TIMEOUT_S = 2.0
LOOK_AGAIN_S = 1.0
PAUSE_S = 2.0  # a replica that gave no answer is left out at least so long,
MOST_PAUSE_S = 60.0  # twice as long each further time without an answer between, up to this

Resolver = Callable[[str, int], Sequence[str]]  # host and port to numeric addresses; may raise OSError


class Openable(Protocol):
    """A connection of either protocol."""

    def open(self, timeout_s: float) -> None: ...

    def close(self) -> None: ...


Connection = TypeVar("Connection", bound=Openable)


def look_up(host: str, port: int) -> list[str]:
    """Every address of a host, of one family only: a host with IPv4 and IPv6 is still one host."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    by_family: dict[int, list[str]] = {}
    for family, _, _, _, place in found:
        by_family.setdefault(family, []).append(str(place[0]))
    return sorted(set(by_family.get(socket.AF_INET) or by_family.get(socket.AF_INET6) or ()))


def addresses_of(address: str, resolve: Resolver = look_up) -> tuple[str, ...]:
    """What "host:port" stands for, as "ip:port" each; empty where nothing but the name itself is known.

    A list is taken as it is. Takes at most RESOLVE_TIMEOUT_S.
    """
    if "," in address:
        return tuple(address.split(","))
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


def as_one(replicas: Sequence[BackendInfo]) -> BackendInfo:
    """One backend of servers that take turns: those that are ready; all of them while none is."""
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
    """A connection to each replica, asked in turn. With a single address: one to the name as it is.

    One that gave no answer is left out until its port can be reached again: it costs one request, not many.
    """

    def __init__(self, address: str, connect: Callable[[str], Connection], resolve: Resolver = look_up):
        self._address = address
        self._connect = connect
        self._resolve = resolve
        self._lock = Lock()
        self._closed = Event()
        self._out: set[str] = set()
        self._pauses_s: dict[str, float] = {}  # for how long each was left out the last time
        self._retired: list[Connection] = []
        self._turn = 0
        found = addresses_of(address, resolve)
        self._is_single = len(found) < 2
        self._open = {each: connect(each) for each in ((address,) if self._is_single else found)}

    def open(self, timeout_s: float) -> None:
        """Connect to all of them at once. One that can't be reached is found out when it is asked."""
        with self._lock:
            connections = list(self._open.values())
        with ThreadPoolExecutor(len(connections), "connect") as pool:
            for each in connections:
                pool.submit(each.open, timeout_s)

    def next(self) -> tuple[str | None, Connection]:
        """Whose turn it is: its address, None where the name has but one, and the connection to it."""
        with self._lock:
            ready = [each for each in self._open if each not in self._out] or list(self._open)
            self._turn += 1
            chosen = ready[self._turn % len(ready)]
            return None if self._is_single else chosen, self._open[chosen]

    def answered(self, address: str | None) -> None:
        """That replica is well."""
        if address in self._pauses_s:
            self._pauses_s.pop(address, None)

    def lost(self, address: str | None) -> None:
        """That replica gave no answer: leave it out until it is back, or another is there in its place."""
        if address is None:
            return  # the connection itself looks the name up again
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
        """Ask for the name's addresses: drop those that are gone, connect to new ones."""
        found = addresses_of(self._address, self._resolve)
        with self._lock:
            if not found or self._closed.is_set():
                return
            for gone in self._open.keys() - set(found):
                self._retired.append(self._open.pop(gone))  # a request to it may be under way
            for new in [each for each in found if each not in self._open]:
                self._open[new] = self._connect(new)


def is_reachable(address: str) -> bool:
    """Whether something listens at "ip:port"."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=RESOLVE_TIMEOUT_S).close()
    except OSError:
        return False
    return True


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
