"""The server's own process: its cores, thread priority, memory, and whether its parent is alive."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from serving.errors import StartRefused

LOWEST_PRIORITY = 19
PARENT_CHECK_S = 0.5
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
KEPT_BYTES = 256 << 20  # more than this is handed back all the same
LARGEST_BYTES = 32 << 20  # a larger piece is always fetched from Linux; glibc takes no higher value


@dataclass(frozen=True)
class Pinning:
    """The cores of this process, and how many were wanted."""

    cores: tuple[int, ...]
    wanted: int | None  # None: no number was given

    def __str__(self) -> str:
        short = self.wanted is not None and self.wanted > len(self.cores)
        note = f" ({self.wanted} wanted, {len(self.cores)} on this machine)" if short else ""
        return f"cores {','.join(map(str, self.cores))}{note}"


def choose_cores(cpus: int | None, cores: Collection[int] | None, allowed: Collection[int]) -> Pinning:
    """The cores to run on: at most `cpus` of `cores`, or of all that are allowed.

    Raises StartRefused when a core of `cores` does not exist or this process may not use it.
    """
    missing = sorted(set(cores or ()) - set(allowed))
    if missing:
        raise StartRefused(
            f"--cores names {_listed(missing)}, but this process may use only {_listed(sorted(allowed))}."
        )
    return Pinning(tuple(sorted(allowed if cores is None else cores)[:cpus]), cpus)


def pin(cpus: int | None, cores: Collection[int] | None) -> Pinning:
    """Pin the calling thread, and with it every thread that it starts later.

    Must run before TensorFlow starts its threads. Raises StartRefused as `choose_cores` does.
    """
    pinning = choose_cores(cpus, cores, os.sched_getaffinity(0))
    os.sched_setaffinity(0, pinning.cores)
    return pinning


def _listed(cores: Collection[int]) -> str:
    return ("core " if len(cores) == 1 else "cores ") + ", ".join(map(str, cores))


def lower_priority() -> None:
    """Give the calling thread the lowest priority. It can't go back, so it must not answer requests later."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)


def run_at_low_priority(work: Callable[[], None]) -> None:
    """Do the work in a thread of the lowest priority, and wait for it. Raises what the work raises.

    So the loading of a new version gives way to the requests that are being answered.
    """
    with ThreadPoolExecutor(1, initializer=lower_priority) as thread:
        thread.submit(work).result()


def keep_freed_memory() -> None:
    """Keep the memory of one picture for the next one, in the whole process from now on.

    Decoding a 2048 px PNG takes and frees 50 MB. glibc returns such pieces at once, and Linux clears every
    page before it hands them out again: a third of the time that decoding takes. Does nothing without glibc.
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, LARGEST_BYTES)
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


def when_orphaned(parent_pid: int, then: Callable[[], None]) -> None:
    """Call `then` once, from another thread, when the process `parent_pid` that started this one has gone.

    Looks every half second: PR_SET_PDEATHSIG would be sooner, but it fires when the *thread*
    that started us ends, which a parent with threads does all the time.
    """

    def watch() -> None:
        pause = threading.Event()
        while os.getppid() == parent_pid:
            pause.wait(PARENT_CHECK_S)
        then()

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
