"""The runtimes: what can load a model's file and compute with it. One file each, one row each.

A runtime's module has one function, `load(file, setting) -> Model`. It is imported only when
it is asked for, so a runtime that is not installed costs nothing and says how to install it.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.errors import LoadFailed
from serving.machine import isa
from serving.runtimes.base import BF16, F32, Model, Setting
from serving.runtimes.problems import contents

AUTO = "auto"


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
    return model


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


def _module(runtime: Runtime) -> Any:
    try:
        return importlib.import_module(f"serving.runtimes.{runtime.name}")
    except ImportError as problem:
        raise LoadFailed(
            f"The runtime {runtime.name} is not installed ({problem}). Get it with `{runtime.install}`."
        ) from problem
