"""How many uploads may arrive at once, from whom, and how fast they must come."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from webapp.problems import Refused

PATIENCE_S = 5.0  # after which an upload counts as slow
SLOWEST_BYTES_PER_S = 20_000  # on average, from then on
MOST_SLOW = 2  # uploads of one address, for certain; further ones as long as most places are free
LOOK_AGAIN_S = 1.0  # how soon those notice that places are wanted


class Places:
    """Places for uploads. One address can't take the last one, nor go slowly in more than MOST_SLOW."""

    def __init__(self, count: int):
        self._count = count
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()  # by address
        self._slow: Counter[str] = Counter()

    @contextmanager
    def taken(self, address: str | None) -> Iterator[str]:
        """Hold a place; yields whose it is. Raises Refused when there is none."""
        owner = _owner(address)
        with self._lock:
            free = self._count - self._taken.total()
            if free < 1 or (free == 1 and self._taken[owner]):
                raise Refused(
                    "too_many_uploads", "Other uploads are in progress. Try again in a few seconds.", 429, 5
                )
            self._taken[owner] += 1
        try:
            yield owner
        finally:
            self._give_back(self._taken, owner)

    def take_slow(self, owner: str) -> bool:
        """Whether one more upload of `owner` may take its time."""
        with self._lock:
            if self._slow[owner] >= MOST_SLOW:
                return False
            self._slow[owner] += 1
            return True

    @property
    def are_plenty(self) -> bool:
        """Whether more than half of the places are free."""
        with self._lock:
            return 2 * self._taken.total() < self._count

    def end_slow(self, owner: str) -> None:
        """It has ended."""
        self._give_back(self._slow, owner)

    def _give_back(self, counter: Counter[str], owner: str) -> None:
        with self._lock:
            counter[owner] -= 1
            if not counter[owner]:
                del counter[owner]


class UploadPace:
    """The pace of one upload: patient at first, then no slower than SLOWEST_BYTES_PER_S."""

    def __init__(self, places: Places, owner: str, longest_s: float):
        self._places = places
        self._owner = owner
        self._longest_s = longest_s
        self._started = time.monotonic()
        self._size_bytes = 0
        self._is_slow = False
        self.is_late = False
        self.is_one_too_many = False  # late because others of its address take their time too

    def got(self, size_bytes: int) -> None:
        """So many bytes have come."""
        self._size_bytes += size_bytes

    def left_s(self) -> float:
        """How long to wait for the next bytes; 0 or less: no longer."""
        passed_s = time.monotonic() - self._started
        earned_s = self._size_bytes / SLOWEST_BYTES_PER_S
        left_s = min(PATIENCE_S + earned_s, self._longest_s) - passed_s
        self.is_one_too_many = False
        if left_s > 0 and passed_s >= PATIENCE_S:
            self._is_slow = self._is_slow or self._places.take_slow(self._owner)
            if not self._is_slow:
                self.is_one_too_many = not self._places.are_plenty
                left_s = 0.0 if self.is_one_too_many else min(left_s, LOOK_AGAIN_S)
        self.is_late = left_s <= 0
        return left_s

    def end(self) -> None:
        """The upload has come, or was given up."""
        if self._is_slow:
            self._places.end_slow(self._owner)


def _owner(address: str | None) -> str:
    """One who has an IPv6 network has all its addresses."""
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return address or ""
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
