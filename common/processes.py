"""Child processes: how they end."""

from __future__ import annotations

import ctypes
import signal
import subprocess

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with_parent() -> None:
    """For `preexec_fn`, or first in the child: the kernel ends the child (SIGTERM) when its parent is gone.

    It counts the thread that started the child as the parent, so start it from one that lives long enough.
    Without Linux nothing happens.
    """
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def end(process: subprocess.Popen[bytes], timeout_s: float) -> None:
    """Ask a process to end (SIGTERM), and kill it if it has not after `timeout_s`."""
    process.terminate()
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
