"""What this machine can compute on. Cheap where there is no GPU driver: no runtime is even loaded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

# NVIDIA's driver makes these on Linux; WSL 2 passes a GPU through as /dev/dxg.
GPU_DEVICE_FILES = ("nvidia[0-9]*", "dxg")
INSTALL = 'Its CUDA libraries come with pip install "tensorflow[and-cuda]".'
GPU_FACTS = Path("/proc/driver/nvidia/gpus")


def look() -> dict[str, Any]:
    """The devices and, where there is no GPU to use, the reason.

    {"devices": [{"type": "CPU", "cores": [0, 1]},
                 {"type": "GPU", "name": "NVIDIA H200", "memory_bytes": 150000000000}], "no_gpu": null}
    """
    gpus, reason = _gpus()
    return {"devices": [{"type": "CPU", "cores": sorted(os.sched_getaffinity(0))}, *gpus], "no_gpu": reason}


def may_have_gpu() -> bool:
    """Whether there is a driver to ask. Costs nothing."""
    return any(any(Path("/dev").glob(pattern)) for pattern in GPU_DEVICE_FILES)


def gpu_name() -> str | None:
    """The first GPU's model as its driver names it; None where the driver does not say."""
    for facts in sorted(GPU_FACTS.glob("*/information")):
        for line in facts.read_text("utf-8", "replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "Model":
                return value.strip()
    return None


def _gpus() -> tuple[list[dict[str, Any]], str | None]:
    if not may_have_gpu():
        return [], "no NVIDIA device on this machine"
    from serving.runtimes.tensorflow_session import devices

    found = [device for device in devices() if device.type == "GPU"]
    if not found:
        return [], f"there is an NVIDIA device, but TensorFlow can't use it. {INSTALL}"
    return [{"type": "GPU", "name": gpu_name(), "memory_bytes": each.memory_bytes} for each in found], None
