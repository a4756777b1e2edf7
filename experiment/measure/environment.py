"""What the measurements were taken on and with. It travels with every report."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import Any

from PIL import __version__ as pillow_version
from PIL import features

from experiment import __version__


def environment() -> dict[str, Any]:
    """The machine and the versions, read now. Keys are those of the report's JSON."""
    return {
        "app_version": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu_model": cpu_model(),
        "cpu_count": len(os.sched_getaffinity(0)),
        "load_1m": round(os.getloadavg()[0], 2),
        "memory_mb": _memory_mb(),
        "pillow": pillow_version,
        "libjpeg_turbo": features.version_feature("libjpeg_turbo"),
        "clock_resolution_us": time.get_clock_info("perf_counter").resolution * 1e6,
        "started_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def cpu_model() -> str | None:
    """The processor's name as the kernel tells it; None where it does not."""
    for line in _lines("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or None


def _memory_mb() -> int | None:
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemTotal"):
            return int(line.split()[1]) // 1024
    return None


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text("utf-8").splitlines()
    except OSError:
        return []
