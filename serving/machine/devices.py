"""The devices of this machine. Without a GPU driver no runtime is loaded to find them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

# NVIDIA's driver makes these on Linux; WSL 2 passes a GPU through as /dev/dxg. The Makefile has them, too.
GPU_DEVICE_FILES = ("nvidia[0-9]*", "dxg")
CPU_BUILD = "tensorflow-cpu"
CUDA = 'Its CUDA libraries come with pip install "tensorflow[and-cuda]".'
OTHERWISE = "Or use --runtime pytorch with a PyTorch that has CUDA"
GPU_FACTS = Path("/proc/driver/nvidia/gpus")


def look(runtime: str = "auto") -> dict[str, Any]:
    """The devices that a runtime can use ("auto": any runtime), and the reason if it can't use a GPU.

    {"devices": [{"type": "CPU", "cores": [0, 1]},
                 {"type": "GPU", "name": "NVIDIA H200", "memory_bytes": 150000000000, "runtime": "pytorch"}],
     "no_gpu": null}
    """
    gpus, reason = _gpus([runtime] if runtime != "auto" else list(GPUS_OF))
    return {"devices": [{"type": "CPU", "cores": sorted(os.sched_getaffinity(0))}, *gpus], "no_gpu": reason}


def may_have_gpu() -> bool:
    """Whether a GPU driver is present. Costs nothing."""
    return any(any(Path("/dev").glob(pattern)) for pattern in GPU_DEVICE_FILES)


def remedy() -> str:
    """Sentences that say what TensorFlow needs to use the GPU."""
    try:
        distribution(CPU_BUILD)
    except PackageNotFoundError:
        return CUDA
    return (
        f"TensorFlow is installed here as {CPU_BUILD}, which has no code for GPUs: "
        f"`TENSORFLOW=tensorflow make run` replaces it with the build that has it. {CUDA}"
    )


def gpu_name() -> str | None:
    """The name of the first GPU's model in the files of its driver; None if it is not there."""
    for facts in sorted(GPU_FACTS.glob("*/information")):
        for line in facts.read_text("utf-8", "replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "Model":
                return value.strip()
    return None


def _gpus(runtimes: Sequence[str]) -> tuple[list[dict[str, Any]], str | None]:
    """The GPUs that the first of the runtimes with any can use, or why there are none."""
    if not may_have_gpu():
        return [], "no NVIDIA device on this machine"
    for runtime in runtimes:
        if found := GPUS_OF.get(runtime, list)():
            return [{"type": "GPU", **gpu, "runtime": runtime} for gpu in found], None
    none = f"{runtimes[0]} can't" if len(runtimes) == 1 else f"neither {' nor '.join(runtimes)} can"
    return [], f"an NVIDIA device is present, but {none} use it. {remedy()} {OTHERWISE}."


def _of_tensorflow() -> list[dict[str, Any]]:
    try:
        from serving.tensorflow_c.library import CallFailed
        from serving.tensorflow_c.session import devices
    except ImportError:
        return []
    try:
        found = devices()
    except (CallFailed, OSError):  # CUDA fails, or TensorFlow's library is not installed
        return []
    gpus = [device for device in found if device.type == "GPU"]
    return [{"name": gpu_name(), "memory_bytes": gpu.memory_bytes} for gpu in gpus]


def _of_pytorch() -> list[dict[str, Any]]:
    try:
        import torch
    except ImportError:
        return []
    if not torch.cuda.is_available():
        return []
    cards: list[Any] = [torch.cuda.get_device_properties(at) for at in range(torch.cuda.device_count())]
    return [{"name": card.name, "memory_bytes": card.total_memory} for card in cards]


GPUS_OF: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "tensorflow": _of_tensorflow,
    "pytorch": _of_pytorch,
}
