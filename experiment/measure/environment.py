"""environment(): the machine and the versions that measured. Every report has them."""

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
    memory = _kernel_value("/proc/meminfo", "MemTotal")  # "16384000 kB"
    return {
        "app_version": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu_model": cpu_model(),
        "cpu_count": len(os.sched_getaffinity(0)),
        "load_1m": round(os.getloadavg()[0], 2),
        "memory_mb": int(memory.split()[0]) // 1024 if memory else None,
        "pillow": pillow_version,
        "libjpeg_turbo": features.version_feature("libjpeg_turbo"),
        "clock_resolution_us": time.get_clock_info("perf_counter").resolution * 1e6,
        "started_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def cpu_model() -> str | None:
    """The processor's name, "AMD EPYC 9B14"; None if the kernel does not report it."""
    return _kernel_value("/proc/cpuinfo", "model name") or platform.processor() or None


def _kernel_value(path: str, key: str) -> str | None:
    """The value of the first line "key : value" of a file of the kernel."""
    try:
        lines = [line.partition(":") for line in Path(path).read_text("utf-8").splitlines()]
    except OSError:
        return None
    return next((value.strip() for name, _, value in lines if name.strip() == key), None)
