"""What can be measured after a run has ended, on the bytes that it sent: more repeats, the breaking point.

A follow-up is a run of its own to everybody but the reader: it takes its turn in the same line, has events,
a process and an end. So a crash in it can't touch the run that it belongs to.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final

from experiment.records import BackendInfo
from webapp.problems import Refused
from webapp.store.store import Follows, Store

REPEATS, SEARCH, RETRY = "repeats", "search", "retry"
OPENINGS: Final = {
    REPEATS: "Warming up.",
    RETRY: "Warming up.",
    SEARCH: "Searching for the smallest copy that keeps the answer.",
}

# What must be as it was, or two sessions are not about the same server. Embedded ones get a new port
# at each start.
_SAME = ("protocol", "model", "version", "runtime", "precision", "isa", "device_name", "replicas")


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What a follow-up is about: the variants of a run, as they were sent."""

    follows: Follows
    name: str  # of the photo
    true_label: str | None
    variants: Sequence[Mapping[str, Any]]
    store: Store

    @property
    def opening(self) -> str:
        """What is said when it begins."""
        return OPENINGS[self.follows.kind]

    @property
    def stream(self) -> IO[bytes]:
        """All their bytes, one after another."""
        return io.BufferedReader(_Stored(self.store, self.follows.run_id, self.variants))

    @property
    def job(self) -> dict[str, Any]:
        """What the timing process is told; see more_worker.py."""
        return {
            "name": self.name,
            "true_label": self.true_label,
            "size_bytes": sum(each["size_bytes"] for each in self.variants),
            "more": {"kind": self.follows.kind, "variants": list(self.variants)},
        }

    def discard(self) -> None:
        """It takes nothing on disk."""


class _Stored(io.RawIOBase):
    """The stored bytes of some variants as one stream; one part of them is held at a time."""

    def __init__(self, store: Store, run_id: str, variants: Sequence[Mapping[str, Any]]):
        self._parts = _parts(store, run_id, variants)
        self._left = memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As much as fits of the part at hand."""
        if not self._left:
            self._left = memoryview(next(self._parts, b""))
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def _parts(store: Store, run_id: str, variants: Sequence[Mapping[str, Any]]) -> Iterator[bytes]:
    for each in variants:
        parts = store.blob(run_id, each["id"])
        if parts is None:
            raise Refused(
                "no_bytes", f"The bytes of {each['id']} are no longer stored. Start a new run.", 410
            )
        yield from (part for part in parts if part)


def still_the_same(before: Sequence[Mapping[str, Any]], now: Sequence[BackendInfo]) -> list[BackendInfo]:
    """The servers of a run as they are now. Raises Refused where one has become another, or is gone."""
    here = {info.name: info for info in now}
    return [_same(each, here.get(each["name"])) for each in before]


def _same(before: Mapping[str, Any], now: BackendInfo | None) -> BackendInfo:
    name = before["name"]
    if now is None:
        raise Refused("backend_changed", f"{name} is no longer one of the backends. Start a new run.", 409)
    if now.state != "ready":
        why = now.detail or "It does not answer."
        raise Refused("backend_changed", f"{name} is not ready: {why} Try again when it is.", 409)
    addresses = (before["address"], now.address) if not now.embedded else ("", "")
    known = [key for key in _SAME if before.get(key) is not None]  # one that was down had told nothing
    changed = [key for key in known if before[key] != _plain(getattr(now, key))]
    if changed or addresses[0] != addresses[1]:
        what = changed[0] if changed else "address"
        old, new = before.get(what), getattr(now, what)
        raise Refused(
            "backend_changed",
            f"{name} is no longer what the run measured ({what}: {old}, now {new}). Start a new run.",
            409,
        )
    return now


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
