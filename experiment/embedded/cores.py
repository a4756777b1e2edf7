"""Assigns the machine's cores to the embedded backends and to their replicas."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def share_out(wanted: Sequence[int], available: Sequence[int]) -> list[tuple[int, ...]]:
    """Core numbers for every backend, as many as it wants, or all that the machine has.

    If the machine has enough cores, and one to spare for the app itself, backends share none. Otherwise all
    take the highest numbers, and those that overlap are measured in turns (schedule.turn_groups). The first
    core is used last, because interrupts and system processes tend to run there.
    """
    cores = sorted(available)
    if sum(wanted) + 1 > len(cores):
        return [tuple(cores[-count:]) for count in wanted]
    shares, end = [], len(cores)
    for count in wanted:
        shares.append(tuple(cores[end - count : end]))
        end -= count
    return shares


def cores_for_one_more(wanted: int, taken: Collection[int], available: Sequence[int]) -> tuple[int, ...]:
    """Core numbers for a backend that comes later: free ones if there are enough, the first core last."""
    cores = sorted(available)
    free = [core for core in cores[1:] if core not in taken]
    return tuple((free if len(free) >= wanted else cores)[-wanted:])


def share_of_each(cores: Sequence[int], cpus: int, replicas: int) -> list[tuple[int, ...]]:
    """Core numbers for every replica of a backend: `cpus` of its cores, different ones if it has enough."""
    size, end = min(cpus, len(cores)), len(cores)
    return [tuple(sorted(cores[(at * size + i) % end] for i in range(size))) for at in range(replicas)]
