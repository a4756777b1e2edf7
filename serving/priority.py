"""Lets the loading of a new version give way to the requests that are being answered."""

from __future__ import annotations

import os
import threading

LOWEST = 19


def lower() -> None:
    """Give the calling thread the lowest priority. It can't go back, so it must not serve later."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST)
