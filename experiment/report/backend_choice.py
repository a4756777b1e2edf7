"""On which backend to serve a variant, and how the others compare with it.

Two backends differ measurably only if the 95 % intervals of their times do not overlap. Of those that
are not measurably slower than the fastest the cheapest is chosen: a few microseconds may be luck.
"""

from __future__ import annotations

from collections.abc import Sequence

from experiment.records import BackendInfo
from experiment.report.goals import Candidate
from experiment.wording import count, milliseconds, number, ratio, times


def cheapest_alike(candidates: Sequence[Candidate]) -> Candidate:
    """The fastest of `candidates`, or a cheaper one that is not measurably slower."""
    by_speed = sorted(candidates, key=lambda candidate: candidate.total_ms)
    best = fastest = by_speed[0]
    for candidate in by_speed[1:]:
        if overlaps(candidate, fastest) and _is_cheaper(candidate.backend, best.backend):
            best = candidate
    return best


def overlaps(first: Candidate, second: Candidate) -> bool:
    """Whether both have a 95 % interval of their time, and these meet."""
    are_apart = is_faster(first, second) or is_faster(second, first)
    return None not in {first.interval_ms, second.interval_ms} and not are_apart


def is_faster(first: Candidate, second: Candidate) -> bool:
    """Whether the 95 % intervals of their times lie apart. Without intervals nothing is claimed."""
    mine, theirs = first.interval_ms, second.interval_ms
    return mine is not None and theirs is not None and mine[1] < theirs[0]


def compared(best: Candidate, other: Candidate) -> str:
    """One sentence about another backend with the same variant."""
    name, price = other.backend.name, price_words(other.backend, best.backend)
    if is_faster(best, other):
        factor = times(ratio(other.total_ms, best.total_ms))
        return f"On {name} it takes {factor} as long ({milliseconds(other.total_ms)}){price}."
    if is_faster(other, best):
        factor = times(ratio(best.total_ms, other.total_ms))
        return f"On {name} it is {factor} faster ({milliseconds(other.total_ms)}){price}."
    mine, theirs = milliseconds(best.total_ms), number(other.total_ms)
    both = f"(both {mine})" if mine == f"{theirs} ms" else f"({theirs} vs {mine})"
    if not overlaps(best, other):
        return f"{name} has too few samples to compare {both}."
    return f"{name} is no faster within the margin of error {both}."


def price_words(dearer: BackendInfo, than: BackendInfo) -> str:
    """ ", at 4.0x the price per hour", or nothing where a price is not known."""
    if not dearer.price_per_hour or not than.price_per_hour or dearer.name == than.name:
        return ""
    return f", at {times(dearer.price_per_hour / than.price_per_hour)} the price per hour"


def fewer_cores(info: BackendInfo) -> str | None:
    """ "2 cores" where the machine has fewer than the backend's name promises, else None."""
    if not info.embedded or info.cpus is None or not info.cores or len(info.cores) >= info.cpus:
        return None
    return count(len(info.cores), "core")


def _is_cheaper(first: BackendInfo, second: BackendInfo) -> bool:
    """By price where both are known, else by how many CPUs they promise, then by their cores."""
    if first.price_per_hour is not None and second.price_per_hour is not None:
        return first.price_per_hour < second.price_per_hour
    if first.cpus is not None and second.cpus is not None and first.cpus != second.cpus:
        return first.cpus < second.cpus
    if first.cores and second.cores:
        return len(first.cores) < len(second.cores)
    return False
