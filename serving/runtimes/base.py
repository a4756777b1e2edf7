"""What all runtimes share: the settings that they get, the model that they return, and their errors."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from common.words import first_line
from serving.errors import InvalidArgument, LoadFailed, Overloaded, ServingError
from serving.values.signatures import Signature

F32, BF16 = "f32", "bf16"
INT8 = "int8"  # of a file that was quantised; not a choice

NO_REASON = "the library gave no reason"
# The libraries have no error types that distinguish a wrong input from a failure of their own.
ABOUT_THE_INPUT = re.compile(
    r"shapes?\b|sizes?\b|dimensions?\b|\bdims?\b|\brank\b|\bd?types?\b|channels\b|\bax[ie]s\b|broadcast",
    re.IGNORECASE,
)
OUT_OF_MEMORY = re.compile(r"out of memory|failed to allocate memory|can't allocate memory", re.IGNORECASE)

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Setting:
    """Threads, precision and device for a model."""

    threads: int = 0  # within an operation; 0: the runtime decides
    inter_op_threads: int = 0  # operations side by side; 0: the runtime decides
    precision: str = F32  # of the arithmetic; a runtime never changes it by itself
    use_gpu: bool = False
    gpu_memory_fraction: float = 0.0  # of the GPU's memory, taken at once; 0: as needed
    saved_model_tags: tuple[str, ...] = ("serve",)

    @property
    def thread_count(self) -> int:
        """`threads`, or one for every core that this process may use."""
        return self.threads or len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class About:
    """The runtime, precision and device that compute a model. A report shows them beside every figure."""

    runtime: str  # with its version: "OpenVINO 2026.4.0"
    precision: str
    device: str  # "CPU" or "GPU"
    device_name: str | None = None  # of a GPU
    device_memory_bytes: int | None = None


class Model(Protocol):
    """A loaded model. Its methods may be called from several threads at once."""

    @property
    def signatures(self) -> Mapping[str, Signature]: ...
    @property
    def about(self) -> About: ...

    def infer(self, signature_name: str, inputs: Arrays) -> Arrays:
        """All outputs of a signature by name. The inputs were checked before. Raises ServingError."""

    def close(self) -> None:
        """Give the memory back. Nothing may be called after this."""


def load_failed(file: Path, library: str, problem: Exception | str, advice: str) -> LoadFailed:
    """The error for a file that a library can't load; `advice` is a sentence that says what to do."""
    return LoadFailed(
        f"{file} can't be loaded with {library}: {first_line(str(problem), NO_REASON)} {advice}"
    )


def run_failed(library: str, problem: Exception | str) -> ServingError:
    """The error for a run of a model that raised: the input's fault, too little memory, or the library's."""
    line = f"{library}: {first_line(str(problem), NO_REASON)}"
    if isinstance(problem, MemoryError) or OUT_OF_MEMORY.search(line):
        return Overloaded(f"{line} There is not enough memory for this input.")
    return InvalidArgument(line) if ABOUT_THE_INPUT.search(line) else ServingError(line)


def contents(directory: Path) -> str:
    """The first few names in a directory, for messages."""
    names = sorted(entry.name for entry in directory.iterdir()) if directory.is_dir() else []
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more if names else "nothing"
