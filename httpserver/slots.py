"""Slots for uploads: how many may arrive at the same time, also from one address, and how fast they must."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Request
from werkzeug.exceptions import RequestTimeout

from httpserver.client_socket import ClientSocket
from httpserver.problems import Refused

PATIENCE_S = 5.0  # after which an upload counts as slow
SLOWEST_BYTES_PER_S = 20_000  # on average, from then on
MOST_SLOW = 2  # slow uploads that one address may always have; more only while most slots are free
LOOK_AGAIN_S = 1.0  # how soon those notice that slots are needed


class UploadSlots:
    """One address can't take the last slot, nor have more than MOST_SLOW slow uploads while slots are few."""

    def __init__(self, count: int):
        self._count = count
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()  # by address
        self._slow: Counter[str] = Counter()

    @contextmanager
    def taken(self, address: str | None) -> Iterator[str]:
        """Hold a slot; yields whose it is. Raises Refused if none is free."""
        owner = _owner(address)
        with self._lock:
            free = self._count - self._taken.total()
            if free < 1 or (free == 1 and self._taken[owner]):
                why = "Other uploads are in progress. Try again in a few seconds."
                raise Refused("too_many_uploads", why, 429, 5)
            self._taken[owner] += 1
        try:
            yield owner
        finally:
            self._give_back(self._taken, owner)

    def take_slow(self, owner: str) -> bool:
        """Count one more slow upload of `owner`. Returns whether it is within MOST_SLOW."""
        with self._lock:
            if self._slow[owner] >= MOST_SLOW:
                return False
            self._slow[owner] += 1
            return True

    @property
    def are_plenty(self) -> bool:
        """Whether more than half of the slots are free."""
        with self._lock:
            return 2 * self._taken.total() < self._count

    def end_slow(self, owner: str) -> None:
        """A slow upload has ended."""
        self._give_back(self._slow, owner)

    def _give_back(self, counter: Counter[str], owner: str) -> None:
        with self._lock:
            counter[owner] -= 1
            if not counter[owner]:
                del counter[owner]


class UploadPace:
    """The pace of one upload: patient at first, then no slower than SLOWEST_BYTES_PER_S."""

    def __init__(self, slots: UploadSlots, owner: str, longest_s: float):
        self._slots = slots
        self._owner = owner
        self._longest_s = longest_s
        self._started = time.monotonic()
        self._size_bytes = 0
        self._is_slow = False
        self.is_late = False
        self.is_one_too_many = False  # late only because its address has other slow uploads

    def got(self, size_bytes: int) -> None:
        """Count bytes that have arrived."""
        self._size_bytes += size_bytes

    def left_s(self) -> float:
        """How long to wait for the next bytes, in seconds; 0 or less: no longer."""
        passed_s = time.monotonic() - self._started
        earned_s = self._size_bytes / SLOWEST_BYTES_PER_S
        left_s = min(PATIENCE_S + earned_s, self._longest_s) - passed_s
        self.is_one_too_many = False
        if left_s > 0 and passed_s >= PATIENCE_S:
            self._is_slow = self._is_slow or self._slots.take_slow(self._owner)
            if not self._is_slow:
                self.is_one_too_many = not self._slots.are_plenty
                left_s = 0.0 if self.is_one_too_many else min(left_s, LOOK_AGAIN_S)
        self.is_late = left_s <= 0
        return left_s

    def end(self) -> None:
        """The upload is complete, or was given up."""
        if self._is_slow:
            self._slots.end_slow(self._owner)


@contextmanager
def paced(request: Request, pace: UploadPace) -> Iterator[None]:
    """Let the block read the body no slower than `pace` allows. Raises Refused or RequestTimeout."""
    connection: ClientSocket | None = request.environ.get("gunicorn.socket")
    if connection is None:
        yield
        return
    connection.pace = pace
    try:
        yield
    except Exception:
        if pace.is_one_too_many:
            why = "Other uploads from your address are in progress. Send this one when they are done."
            raise Refused("too_many_uploads", why, 429, 10) from None
        if pace.is_late:
            raise RequestTimeout from None
        raise
    finally:
        connection.pace = None
        pace.end()


def _owner(address: str | None) -> str:
    """The address; for IPv6 its network, as one client may have all addresses of it."""
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return address or ""
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
