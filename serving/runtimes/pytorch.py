"""TorchScript (.pt, .pth) and torch.export (.pt2) files with PyTorch, on the CPU or a GPU.

A TorchScript file does not hold the shapes and types of its inputs: they are served as float32 of any
shape. With bf16 PyTorch's autocast chooses the operations; inputs and outputs stay float32.
"""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"  # else torch.export.load would unpickle anything
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait by spinning take cores from others

import numpy as np
import torch

from serving.errors import LoadFailed
from serving.machine import isa
from serving.model_files.torch_archive import EXPORT_INSTEAD, SCRIPT, kind
from serving.model_files.torch_names import Program, exported_program, scripted_program
from serving.runtimes.base import BF16, About, Arrays, Setting, load_failed, run_failed
from serving.values.signatures import DEFAULT_SIGNATURE, Signature

LIBRARY = f"PyTorch {torch.__version__}"


class TorchModel:
    """A module with named inputs and outputs, which may run in several threads at once."""

    def __init__(self, program: Program, setting: Setting, device: torch.device):
        self._run: Any = program.run
        self._device = device
        self._is_bf16 = setting.precision == BF16
        self.about = _about(setting, device)
        self.signatures: Mapping[str, Signature] = {
            DEFAULT_SIGNATURE: Signature(DEFAULT_SIGNATURE, program.inputs, program.outputs)
        }

    def infer(self, signature_name: str, inputs: Arrays) -> Arrays:
        order = self.signatures[signature_name].inputs
        try:
            with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, self._is_bf16):
                outputs = self._run(*(self._tensor(inputs[alias]) for alias in order))
                return {alias: _array(tensor) for alias, tensor in outputs.items()}
        except Exception as problem:  # a model's own code may raise anything
            raise run_failed(LIBRARY, _reason(problem)) from problem

    def close(self) -> None:
        self._run = None
        gc.collect()  # torch's modules and graphs hold each other
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        """The array on the device. Read-only arrays are copied first: PyTorch warns about them."""
        return torch.from_numpy(array if array.flags.writeable else array.copy()).to(self._device)


def load(file: Path, setting: Setting) -> TorchModel:
    """Raises LoadFailed when the file is damaged, a pickle, or has inputs other than tensors."""
    _set_threads(setting)
    device = torch.device("cuda" if setting.use_gpu and torch.cuda.is_available() else "cpu")
    if setting.precision == BF16 and device.type == "cpu":
        isa.require_bf16()
    read = scripted_program if kind(file) == SCRIPT else exported_program
    try:
        program = read(file, device)
    except LoadFailed:
        raise
    except Exception as problem:  # its errors have no common type
        raise load_failed(file, LIBRARY, problem, EXPORT_INSTEAD) from problem
    return TorchModel(program, setting, device)


def _set_threads(setting: Setting) -> None:
    """Thread counts and float precision, which PyTorch has once for the whole process."""
    torch.set_num_threads(setting.thread_count)
    with contextlib.suppress(RuntimeError):  # it can be set only once
        torch.set_num_interop_threads(setting.inter_op_threads or 1)
    for backend in (torch.backends.cuda.matmul, torch.backends.cudnn):
        backend.allow_tf32 = False  # so f32 is f32 on a GPU, too


def _about(setting: Setting, device: torch.device) -> About:
    if device.type == "cpu":
        return About(LIBRARY, setting.precision, "CPU")
    card: Any = torch.cuda.get_device_properties(device)
    return About(LIBRARY, setting.precision, "GPU", card.name, card.total_memory)


def _reason(problem: Exception) -> Exception | str:
    """TorchScript's messages begin with a place in the model, and end with the reason."""
    text = str(problem).strip()
    return text.splitlines()[-1] if text.startswith("The following operation failed") else problem


def _array(tensor: torch.Tensor) -> np.ndarray:
    """A tensor as an array; 16-bit floats become float32."""
    is_short = tensor.dtype in (torch.bfloat16, torch.float16)
    array: np.ndarray = (tensor.float() if is_short else tensor).cpu().numpy()
    return array
