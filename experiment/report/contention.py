"""Which backends may have slowed each other down by being asked at the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

from experiment.records import BackendInfo, Order

NOT_THERE = frozenset({"absent", "down", "loading", "wrong_model", "wrong_signature"})

_Together = Callable[[BackendInfo, BackendInfo], bool]
_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "[::1]"})


def rivals_for_cores(backends: Sequence[BackendInfo], order: Order) -> dict[str, tuple[str, ...]]:
    """Backend name -> names of those that certainly used its cores at the same time.

    Only embedded backends have known cores, and only the order "parallel" sends to them
    at once; under "auto" those that overlap take turns.
    """
    if order != "parallel":
        return {}
    return _rivals(backends, lambda one, other: bool(set(one.cores or ()) & set(other.cores or ())))


def rivals_for_machine(backends: Sequence[BackendInfo], order: Order) -> dict[str, tuple[str, ...]]:
    """Backend name -> names of those that were asked at the same time on the same host.

    They may still have cores of their own (containers pinned apart): so this only earns a warning.
    """
    if order == "one_at_a_time":
        return {}
    return _rivals(backends, _share_host)


def host_of(info: BackendInfo) -> str:
    """The host part of the address: "tf-gpu", "[::1]"; every name of this machine as "localhost"."""
    host = info.address.partition(",")[0].rpartition(":")[0].lower()
    return "localhost" if host in _THIS_MACHINE else host


def _rivals(backends: Sequence[BackendInfo], together: _Together) -> dict[str, tuple[str, ...]]:
    present = [info for info in backends if info.state not in NOT_THERE]
    found: dict[str, list[str]] = {}
    for first, second in combinations(present, 2):
        if together(first, second):
            found.setdefault(first.name, []).append(second.name)
            found.setdefault(second.name, []).append(first.name)
    return {name: tuple(names) for name, names in found.items()}


def _share_host(first: BackendInfo, second: BackendInfo) -> bool:
    if first.embedded and second.embedded:
        return False  # their cores are known, and decide
    over_a_network = {first.protocol, second.protocol} <= {"grpc", "rest"}
    return over_a_network and bool(host_of(first)) and host_of(first) == host_of(second)
