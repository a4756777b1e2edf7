"""The runtimes: what can load a model's file and compute with it. One file each, one row each.

A runtime's module has one function, `load(file, setting) -> Model`. It is imported only when
it is asked for, so a runtime that is not installed costs nothing and says how to install it.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from serving import card, isa
from serving.errors import LoadFailed
from serving.image_signatures import with_image_signatures
from serving.signatures import Signature

AUTO = "auto"
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


@dataclass(frozen=True)
class Runtime:
    """One row: which files a runtime takes."""

    name: str
    own_files: tuple[str, ...]  # for these `auto` chooses it
    also_reads: tuple[str, ...] = ()  # for these it has to be asked for
    precisions: tuple[str, ...] = (F32,)
    install: str = ""  # how to get it; empty: it is there


SAVED_MODEL = ("saved_model.pb", "saved_model.pbtxt")

RUNTIMES = {
    row.name: row
    for row in (
        Runtime("tensorflow", SAVED_MODEL),
        Runtime("openvino", ("*.xml",), ("saved_model.pb", "*.onnx", "*.tflite"), (F32, BF16)),
        Runtime("onnxruntime", ("*.onnx",), install="pip install onnxruntime"),
        Runtime("litert", ("*.tflite",), install="pip install ai-edge-litert"),
        Runtime("pytorch", ("*.pt2", "*.pt", "*.pth"), precisions=(F32, BF16), install="pip install torch"),
        Runtime("opencv", ("*.caffemodel",), ("*.onnx",), install='pip install "opencv-python-headless<5"'),
    )
}


def load(directory: Path, name: str, setting: Setting) -> Model:
    """Load the model of a version's directory with a runtime's name or AUTO. Raises LoadFailed."""
    runtime, file = choose(directory, name)
    if setting.precision not in runtime.precisions:
        raise LoadFailed(
            f"{runtime.name} computes in {' or '.join(runtime.precisions)}, not in {setting.precision}."
        )
    isa.check(runtime.name)
    model: Model = _module(runtime).load(file, setting)
    return with_image_signatures(model, card.read(directory))


def choose(directory: Path, name: str = AUTO) -> tuple[Runtime, Path]:
    """The runtime and the file that it loads. Raises LoadFailed when there is none, or a choice."""
    rows = list(RUNTIMES.values()) if name == AUTO else [RUNTIMES[name]]
    for row in rows:
        patterns = row.own_files if name == AUTO else (*row.own_files, *row.also_reads)
        for pattern in patterns:
            files = sorted(file for file in directory.glob(pattern) if file.is_file())
            if len(files) > 1:
                names = ", ".join(file.name for file in files)
                raise LoadFailed(f"{directory} holds several models: {names}. Leave one of them there.")
            if files:
                return row, files[0]
    known = dict.fromkeys(pattern for row in rows for pattern in (*row.own_files, *row.also_reads))
    wanted = ", ".join(known)
    whose = "" if name == AUTO else f" for {name}"
    raise LoadFailed(f"{directory} holds no model{whose}: looked for {wanted}, found {contents(directory)}.")


def contents(directory: Path) -> str:
    """The first few names in a directory, for messages."""
    names = sorted(entry.name for entry in directory.iterdir()) if directory.is_dir() else []
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more if names else "nothing"


def _module(runtime: Runtime) -> Any:
    try:
        return importlib.import_module(f"serving.runtimes.{runtime.name}")
    except ImportError as problem:
        raise LoadFailed(
            f"The runtime {runtime.name} is not installed ({problem}). Get it with `{runtime.install}`."
        ) from problem
