"""What every runtime takes and gives: a setting in, a model with signatures out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from serving.values.signatures import Signature

F32, BF16 = "f32", "bf16"
INT8 = "int8"  # of a file that was quantised; nobody asks for it

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Setting:
    """How a model should be computed."""

    threads: int = 0  # within an operation; 0: the runtime decides
    inter_op_threads: int = 0  # operations side by side; 0: the runtime decides
    precision: str = F32  # of the arithmetic; another one is never chosen silently
    use_gpu: bool = False
    gpu_memory_fraction: float = 0.0  # of the GPU's memory, taken at once; 0: as needed
    saved_model_tags: tuple[str, ...] = ("serve",)

    @property
    def thread_count(self) -> int:
        """`threads` as a number of one or more: by default one for each core that is ours to use."""
        return self.threads or len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class About:
    """What really computes: goes into the report beside every figure."""

    runtime: str  # with its version: "OpenVINO 2026.4.0"
    precision: str
    device: str  # "CPU" or "GPU"
    device_name: str | None = None  # of a GPU
    device_memory_bytes: int | None = None


class Model(Protocol):
    """What a runtime loads from a file. Its methods may be called from several threads at once."""

    @property
    def signatures(self) -> Mapping[str, Signature]: ...
    @property
    def about(self) -> About: ...

    def infer(self, signature_name: str, inputs: Arrays) -> Arrays:
        """All outputs of a signature, by name. The inputs fit it already. Raises ServingError."""

    def close(self) -> None:
        """Give the memory back. Nobody infers any more."""
