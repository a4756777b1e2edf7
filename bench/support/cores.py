"""Which core does what: callers on one, what is measured on another."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.support.errors import CannotRun


def client_and_server() -> tuple[int, int]:
    """The first and the last core that this process may use. Raises CannotRun if it has only one."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise CannotRun("It needs two cores, one for the callers and one for the server.")
    return cores[0], cores[-1]


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """This process with all its threads, also those that gRPC has started already, on one core."""
    before = os.sched_getaffinity(0)
    _move_to({core})
    try:
        yield
    finally:
        _move_to(before)


def _move_to(cores: Collection[int]) -> None:
    for thread in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):  # it ended meanwhile
            os.sched_setaffinity(int(thread.name), cores)
