"""Who holds a worker's name: a process of a machine, in a form that another process there can check."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path

_SEPARATOR = "|"  # not in host names


def new_token() -> str:
    """A text that only this holder has: host, process id, where that id counts, when it began, chance."""
    pid = os.getpid()
    parts = (socket.gethostname(), str(pid), _space(), _began(pid) or "", secrets.token_hex(8))
    return _SEPARATOR.join(parts)


def place_of_holder(token: str) -> tuple[str, int | None]:
    """Host and process id of a holder."""
    host, _, rest = token.partition(_SEPARATOR)
    pid = rest.partition(_SEPARATOR)[0]
    return host, int(pid) if pid.isdigit() else None


def is_gone(token: str) -> bool:
    """Whether its process has certainly ended. False also: it runs where this process can't see."""
    parts = token.split(_SEPARATOR)
    if len(parts) != 5:
        return False
    _, pid, space, began, _ = parts
    if not space or space != _space() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)  # only a question; /proc may hide other users' processes
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return _began(int(pid)) != began


def _space() -> str:
    """Where process ids count: this boot of this machine, and the container. "": not known."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}.{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def _began(pid: int) -> str | None:
    """When the process began, in ticks since boot; None: there is no such process, or it is a zombie."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return None if state in {"Z", "X"} else fields[18]
    except (OSError, ValueError, IndexError):
        return None
