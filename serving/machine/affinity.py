"""Which cores the server may use. Must run before TensorFlow starts its threads."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass

from serving.errors import StartRefused


@dataclass(frozen=True)
class Pinning:
    """The cores of this process, and how many were wanted."""

    cores: tuple[int, ...]
    wanted: int | None  # None: nobody asked for a number

    def __str__(self) -> str:
        short = self.wanted is not None and self.wanted > len(self.cores)
        note = f" ({self.wanted} wanted, {len(self.cores)} on this machine)" if short else ""
        return f"cores {','.join(map(str, self.cores))}{note}"


def choose(cpus: int | None, cores: Collection[int] | None, allowed: Collection[int]) -> Pinning:
    """The cores to run on. Fewer than `cpus` where the machine has fewer; it says so.

    Raises StartRefused when a core of `cores` does not exist or is not ours to use.
    """
    if cores is None:
        return Pinning(tuple(sorted(allowed)[:cpus]), cpus)
    missing = sorted(set(cores) - set(allowed))
    if missing:
        raise StartRefused(
            f"--cores names {_listed(missing)}, but this process may use only {_listed(sorted(allowed))}."
        )
    return Pinning(tuple(sorted(cores))[:cpus], cpus)


def pin(cpus: int | None, cores: Collection[int] | None) -> Pinning:
    """Pin the calling thread, and with it every thread that it starts later."""
    pinning = choose(cpus, cores, os.sched_getaffinity(0))
    os.sched_setaffinity(0, pinning.cores)
    return pinning


def _listed(cores: Collection[int]) -> str:
    return ("core " if len(cores) == 1 else "cores ") + ", ".join(map(str, cores))
