"""Lets the loading of a new version give way to the requests that are being answered."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

LOWEST = 19


def lower() -> None:
    """Give the calling thread the lowest priority. It can't go back, so it must not serve later."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST)


def run_low(work: Callable[[], None]) -> None:
    """Do it in a thread of the lowest priority, and wait for it. Raises what it raises."""
    with ThreadPoolExecutor(1, initializer=lower) as thread:
        thread.submit(work).result()
