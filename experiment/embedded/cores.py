"""Which cores each embedded backend gets, and each of its replicas."""

from __future__ import annotations

from collections.abc import Sequence


def share_out(wanted: Sequence[int], available: Sequence[int]) -> list[tuple[int, ...]]:
    """Core numbers for each backend, as many as it wants or as there are.

    Where the machine has enough cores, and one to spare for the app itself, no two
    backends share any; else each takes them from the top, and those that overlap take
    turns (schedule.turn_groups). The first core is used last: interrupts and the rest of
    the system tend to be there.
    """
    cores = sorted(available)
    if sum(wanted) + 1 > len(cores):
        return [tuple(cores[-count:]) for count in wanted]
    shares, end = [], len(cores)
    for count in wanted:
        shares.append(tuple(cores[end - count : end]))
        end -= count
    return shares


def share_of_each(cores: Sequence[int], cpus: int, replicas: int) -> list[tuple[int, ...]]:
    """Core numbers for each replica of one backend: `cpus` of its cores, apart if there are enough."""
    size, end = min(cpus, len(cores)), len(cores)
    return [tuple(sorted(cores[(at * size + i) % end] for i in range(size))) for at in range(replicas)]
