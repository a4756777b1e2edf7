"""What this machine can compute on. Cheap where there is no GPU: TensorFlow is not even imported."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from serving.errors import StartRefused

# NVIDIA's driver makes these on Linux; WSL 2 passes a GPU through as /dev/dxg.
GPU_DEVICE_FILES = ("nvidia[0-9]*", "dxg")


def look() -> dict[str, Any]:
    """The devices and, where there is no GPU to use, the reason.

    {"devices": [{"type": "CPU", "cores": [0, 1]}, {"type": "GPU", "name": "NVIDIA H200"}], "no_gpu": null}
    """
    gpus, reason = _gpus()
    return {"devices": [{"type": "CPU", "cores": sorted(os.sched_getaffinity(0))}, *gpus], "no_gpu": reason}


def may_have_gpu() -> bool:
    """Whether there is a driver to ask. Costs nothing."""
    return any(any(Path("/dev").glob(pattern)) for pattern in GPU_DEVICE_FILES)


def require_gpu() -> None:
    """Raises StartRefused where TensorFlow has no GPU to use."""
    gpus, reason = _gpus()
    if not gpus:
        raise StartRefused(f"--device gpu: {reason}. Use --device cpu.")


def _gpus() -> tuple[list[dict[str, Any]], str | None]:
    if not may_have_gpu():
        return [], "no NVIDIA device on this machine"
    import tensorflow as tf

    seen = tf.config.list_physical_devices("GPU")
    if not seen:
        return [], "there is an NVIDIA device, but TensorFlow can't use it: are its CUDA libraries installed?"
    return [{"type": "GPU", "name": _name(tf, device)} for device in seen], None


def _name(tf: Any, device: Any) -> str:
    return str(tf.config.experimental.get_device_details(device).get("device_name", device.name))
