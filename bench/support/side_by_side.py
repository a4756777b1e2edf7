"""Two or more ways to do the same, compared in one run.

Every block does each of them once, in random order, so that a slow minute of the
machine hits all alike. Compared is CPU time on one core, so that a neighbour doesn't count.
"""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from experiment.report.statistics import median_interval

Times = Mapping[str, list[float]]


@contextmanager
def on_one_core() -> Iterator[None]:
    """Everything in the block shares a single core."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def cpu_times_ms(ways: Mapping[str, Callable[[], object]], blocks: int, seed: int = 0) -> Times:
    """CPU milliseconds of each way in each block, after one block that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    order, shuffle = list(ways), random.Random(seed).shuffle
    for block in range(blocks + 1):
        shuffle(order)
        for name in order:
            started_s = time.process_time()
            ways[name]()
            if block:
                times[name].append((time.process_time() - started_s) * 1000)
    return times


def ratio(times: Times, slow: str, fast: str) -> str:
    """How many times faster `fast` is: median over the blocks, with its 95 % interval."""
    ratios = [one / other for one, other in zip(times[slow], times[fast], strict=True)]
    interval = median_interval(ratios)
    shown = f"{interval[0]:.1f}-{interval[1]:.1f}" if interval else "too few blocks"
    return f"{statistics.median(ratios):.1f}x (95 %: {shown})"
