"""Which process this is, so that another one on the same machine can tell whether it still lives."""

from __future__ import annotations

import os
from pathlib import Path


def this_process() -> str:
    """Machine, namespace of process numbers, number and start of this process; "" where /proc lacks them."""
    place, found = _place(), _state_and_start(os.getpid())
    return f"{place}/{os.getpid()}/{found[1]}" if place and found else ""


def is_known_dead(process: str) -> bool:
    """Whether a process of this machine has ended. False also if it runs elsewhere or nobody can tell."""
    place, _, rest = process.partition("/")
    number, _, started = rest.partition("/")
    if not place or place != _place() or not number.isdigit():
        return False
    try:
        os.kill(int(number), 0)  # only a question
    except ProcessLookupError:
        return True
    except OSError:
        pass  # it belongs to somebody else
    found = _state_and_start(int(number))
    return found is not None and (found[0] in "ZX" or found[1] != started)


def _place() -> str:
    try:
        namespace = Path("/proc/self/ns/pid").readlink()
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}-{namespace}"
    except OSError:
        return ""


def _state_and_start(number: int) -> tuple[str, str] | None:
    """Its state, "Z" for ended, and its start in clock ticks since the machine's; None: it can't be seen."""
    try:
        stat = Path(f"/proc/{number}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # after the name, which may hold anything; proc(5), field 3 on
    return fields[0], fields[19]
