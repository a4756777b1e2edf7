"""Which backends may have slowed each other down by being asked at the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

from experiment.records import LOOPBACK, BackendInfo, Order

NOT_THERE = frozenset({"absent", "down", "loading", "wrong_model", "wrong_signature"})

_Together = Callable[[BackendInfo, BackendInfo], bool]


def rivals_for_cores(backends: Sequence[BackendInfo], order: Order) -> dict[str, tuple[str, ...]]:
    """Backend name -> names of those that certainly used its cores at the same time.

    Only embedded backends have known cores; a queue uses those of the model servers that its workers ask.
    Only the order "parallel" sends to them at once; under "auto" those that overlap take turns.
    """
    if order != "parallel":
        return {}
    return _rivals(backends, _share_cores)


def rivals_for_machine(backends: Sequence[BackendInfo], order: Order) -> dict[str, tuple[str, ...]]:
    """Backend name -> names of those that were asked at the same time on the same host.

    They may still have cores of their own (containers pinned apart): so this only earns a warning.
    """
    if order in {"in_turns", "one_at_a_time"}:
        return {}
    return _rivals(backends, _share_host)


def host_of(info: BackendInfo) -> str:
    """The host that answers: "tf-gpu", "[::1]"; every name of this machine as "localhost". Of a queue the
    first host that its workers ask; "" if they don't say."""
    if info.protocol == "queue":
        return min(info.asked_servers, default="").rpartition(":")[0]
    host = info.address.partition(",")[0].rpartition(":")[0].lower()
    return "localhost" if host in LOOPBACK else host


def _rivals(backends: Sequence[BackendInfo], together: _Together) -> dict[str, tuple[str, ...]]:
    present = [info for info in backends if info.state not in NOT_THERE]
    found: dict[str, list[str]] = {}
    for first, second in combinations(present, 2):
        if together(first, second):
            found.setdefault(first.name, []).append(second.name)
            found.setdefault(second.name, []).append(first.name)
    return {name: tuple(names) for name, names in found.items()}


def _share_cores(first: BackendInfo, second: BackendInfo) -> bool:
    return bool(set(first.cores or ()) & set(second.cores or ())) or _share_server(first, second)


def _share_server(first: BackendInfo, second: BackendInfo) -> bool:
    """Whether a queue ends at a model server that the other one asks too."""
    return "queue" in {first.protocol, second.protocol} and bool(first.asked_servers & second.asked_servers)


def _share_host(first: BackendInfo, second: BackendInfo) -> bool:
    if (first.embedded and second.embedded) or _share_server(first, second):
        return False  # what they share is known, and decides
    over_a_network = {first.protocol, second.protocol} <= {"grpc", "rest", "queue"}
    return over_a_network and bool(host_of(first)) and host_of(first) == host_of(second)
