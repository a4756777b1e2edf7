"""Notices that the process that started this one has gone, even if it was killed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

LOOK_EVERY_S = 0.5


def when_orphaned(parent_pid: int, then: Callable[[], None]) -> None:
    """Call `then` once, from a thread of its own, when `parent_pid` is our parent no more.

    Looks every half second: PR_SET_PDEATHSIG would be sooner, but it fires when the *thread*
    that started us ends, which a parent with threads does all the time.
    """

    def watch() -> None:
        pause = threading.Event()
        while os.getppid() == parent_pid:
            pause.wait(LOOK_EVERY_S)
        then()

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
