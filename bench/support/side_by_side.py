"""Two or more ways to do the same, compared in one run.

Every block does each of them once, in random order, so that a slow minute of the
machine hits all alike.
"""

from __future__ import annotations

import functools
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

Sample = TypeVar("Sample")


def by_turns(
    ways: Mapping[str, Callable[[], Sample]], blocks: int, warmups: int = 1
) -> dict[str, list[Sample]]:
    """What each way returned in each block, after `warmups` blocks that are not counted."""
    samples: dict[str, list[Sample]] = {name: [] for name in ways}
    shuffled = random.Random(0)
    for block in range(-warmups, blocks):
        for name in shuffled.sample(list(ways), len(ways)):
            sample = ways[name]()
            if block >= 0:
                samples[name].append(sample)
    return samples


@contextmanager
def on_one_core() -> Iterator[None]:
    """Everything in the block shares a single core."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def cpu_times_ms(ways: Mapping[str, Callable[[], object]], blocks: int) -> dict[str, list[float]]:
    """CPU milliseconds of each way in each block. CPU time, so that a neighbour doesn't count."""
    return by_turns({name: functools.partial(_cpu_ms, way) for name, way in ways.items()}, blocks)


def _cpu_ms(way: Callable[[], object]) -> float:
    started_s = time.process_time()
    way()
    return (time.process_time() - started_s) * 1000
