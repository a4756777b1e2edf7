"""The part of `make bench` that is about the queue: the same as python -m bench.queue, for a shorter time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.queue import cost, keda, kill, overload
from bench.queue.work import Plan

JOBS = 2000
SECONDS = 20.0


def bench() -> Iterator[str]:
    """The lines to print."""
    for rules in sorted(kill.RULES, reverse=True):
        yield f"killed, rules: {rules}"
        yield from kill.lines(kill.run(Plan("", Path(), jobs=JOBS), kill.Nemesis(), rules, stuck_s=20))
    yield from overload.lines(overload.run(overload.Load(seconds=SECONDS)))
    yield from cost.bench()
    yield from keda.bench()
