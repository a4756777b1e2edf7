"""The runtimes, which load a model's file and compute with it: a module and a row of RUNTIMES for every one.

A runtime's module has a function `load(file, setting) -> Model`. It is imported only when it is needed, so a
runtime need not be installed; if one is missing, the error says how to install it.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path

from serving.errors import LoadFailed
from serving.machine import isa
from serving.runtimes.base import BF16, F32, Model, Setting, contents

AUTO = "auto"


@dataclass(frozen=True)
class Runtime:
    """The files that a runtime takes, and the precisions in which it computes."""

    name: str
    own_files: tuple[str, ...]  # `auto` chooses it for these
    also_reads: tuple[str, ...] = ()  # it takes these only when chosen by name
    precisions: tuple[str, ...] = (F32,)
    install: str = ""  # the command that installs it; empty: it is always installed


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
    """Load the model in a version's directory with the runtime of that name, or AUTO. Raises LoadFailed."""
    runtime, file = choose(directory, name)
    if setting.precision not in runtime.precisions:
        raise LoadFailed(
            f"{runtime.name} computes in {' or '.join(runtime.precisions)}, not in {setting.precision}."
        )
    isa.check(runtime.name)
    try:
        module = importlib.import_module(f"serving.runtimes.{runtime.name}")
    except ImportError as problem:
        raise LoadFailed(
            f"The runtime {runtime.name} is not installed ({problem}). Get it with `{runtime.install}`."
        ) from problem
    model: Model = module.load(file, setting)
    return model


def choose(directory: Path, name: str = AUTO) -> tuple[Runtime, Path]:
    """The runtime and the file that it loads. Raises LoadFailed when no file fits, or several do."""
    rows = list(RUNTIMES.values()) if name == AUTO else [RUNTIMES[name]]
    for row in rows:
        patterns = row.own_files if name == AUTO else (*row.own_files, *row.also_reads)
        for pattern in patterns:
            files = sorted(file for file in directory.glob(pattern) if file.is_file())
            if len(files) > 1:
                names = ", ".join(file.name for file in files)
                raise LoadFailed(f"{directory} holds several models: {names}. Leave only one of them there.")
            if files:
                return row, files[0]
    known = dict.fromkeys(pattern for row in rows for pattern in (*row.own_files, *row.also_reads))
    wanted = ", ".join(known)
    whose = "" if name == AUTO else f" for {name}"
    raise LoadFailed(f"{directory} holds no model{whose}: looked for {wanted}, found {contents(directory)}.")
