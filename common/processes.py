"""Child processes that end with their parent."""

from __future__ import annotations

import ctypes
import signal

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with_parent() -> None:
    """For `preexec_fn`, or first in the child: the kernel ends the child (SIGTERM) when its parent is gone.

    It counts the thread that started the child as the parent, so start it from one that lives long enough.
    Without Linux nothing happens.
    """
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
