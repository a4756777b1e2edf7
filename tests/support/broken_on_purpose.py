"""A target that the fuzzer has to find broken: see test_fuzz.py."""

from __future__ import annotations

import os
import time

from fuzz.target import Target


def _feed(data: bytes) -> str:
    if data[:1] == b"b":
        raise ValueError("a bug")
    if data[:1] == b"c":
        os._exit(3)
    if data[:1] == b"h":
        time.sleep(3600)
    return "read"


TARGET = Target("broken_on_purpose", lambda: [b"bug", b"crash", b"hang", b"fine", b"good"], _feed)
