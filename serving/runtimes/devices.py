"""What this machine can compute on. Cheap where there is no GPU driver: no runtime is even loaded."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

# NVIDIA's driver makes these on Linux; WSL 2 passes a GPU through as /dev/dxg. The Makefile goes by them too.
GPU_DEVICE_FILES = ("nvidia[0-9]*", "dxg")
CPU_BUILD = "tensorflow-cpu"
CUDA = 'Its CUDA libraries come with pip install "tensorflow[and-cuda]".'
OTHERWISE = "Or use --runtime pytorch with a PyTorch that has CUDA"
GPU_FACTS = Path("/proc/driver/nvidia/gpus")


def look(runtime: str = "auto") -> dict[str, Any]:
    """The devices that a runtime can use ("auto": any) and, where there is no GPU to use, the reason.

    {"devices": [{"type": "CPU", "cores": [0, 1]},
                 {"type": "GPU", "name": "NVIDIA H200", "memory_bytes": 150000000000, "runtime": "pytorch"}],
     "no_gpu": null}
    """
    gpus, reason = _gpus([runtime] if runtime != "auto" else list(GPUS_OF))
    return {"devices": [{"type": "CPU", "cores": sorted(os.sched_getaffinity(0))}, *gpus], "no_gpu": reason}


def may_have_gpu() -> bool:
    """Whether there is a driver to ask. Costs nothing."""
    return any(any(Path("/dev").glob(pattern)) for pattern in GPU_DEVICE_FILES)


def remedy() -> str:
    """How TensorFlow gets to use a GPU that is there, as sentences."""
    try:
        distribution(CPU_BUILD)
    except PackageNotFoundError:
        return CUDA
    return (
        f"TensorFlow is installed here as {CPU_BUILD}, which has no code for GPUs: "
        f"`TENSORFLOW=tensorflow make run` replaces it by the build that has. {CUDA}"
    )


def gpu_name() -> str | None:
    """The first GPU's model as its driver names it; None where the driver does not say."""
    for facts in sorted(GPU_FACTS.glob("*/information")):
        for line in facts.read_text("utf-8", "replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "Model":
                return value.strip()
    return None


def _gpus(runtimes: Sequence[str]) -> tuple[list[dict[str, Any]], str | None]:
    """Those of the first runtime that has one, or why there is none."""
    if not may_have_gpu():
        return [], "no NVIDIA device on this machine"
    for runtime in runtimes:
        if found := GPUS_OF.get(runtime, list)():
            return [{"type": "GPU", **each, "runtime": runtime} for each in found], None
    return [], f"there is an NVIDIA device, but {_names(runtimes)} use it. {remedy()} {OTHERWISE}."


def _names(runtimes: Sequence[str]) -> str:
    return f"{runtimes[0]} can't" if len(runtimes) == 1 else f"neither {' nor '.join(runtimes)} can"


def _of_tensorflow() -> list[dict[str, Any]]:
    try:
        from serving.tensorflow_c.library import CallFailed
        from serving.tensorflow_c.session import devices
    except ImportError:
        return []
    try:
        found = devices()
    except (CallFailed, OSError):  # CUDA fails, or only the protocol's messages are installed
        return []
    return [{"name": gpu_name(), "memory_bytes": each.memory_bytes} for each in found if each.type == "GPU"]


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
