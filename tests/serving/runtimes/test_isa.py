"""Holding a runtime to an instruction set: what is refused, and that each switch really does it."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import nullcontext

import pytest

import serving  # noqa: F401  # isort: skip  # first: it keeps TensorFlow's Python out of this process
from serving.errors import LoadFailed, StartRefused
from serving.machine import isa
from serving.runtimes import RUNTIMES, load
from serving.runtimes.base import Setting
from tests.support.processes.serving_process import ROOT, default_model_dir

EVERYTHING = {flag for level in isa.LEVELS.values() for flag in level.cpu_flags}


def test_every_runtime_has_a_switch_or_is_refused_by_name():
    for name in RUNTIMES:
        if name in isa.SWITCHES:
            assert isa.environment(name, "avx2", EVERYTHING)
        else:
            with pytest.raises(StartRefused, match=f"the runtime {name} has no switch"):
                isa.environment(name, "avx2", EVERYTHING)


@pytest.mark.parametrize(
    ("runtime", "level", "flags", "message"),
    [
        ("openvino", "sse5", EVERYTHING, "isa 'sse5' is unknown. Choose sse41, avx, avx2"),
        ("openvino", "sse41", EVERYTHING, "can only be limited to avx, avx2, avx512, avx512_bf16"),
        ("opencv", "avx512_bf16", EVERYTHING, "can only be limited to sse41, avx, avx2, avx512"),
        (
            "tensorflow",
            "avx512",
            EVERYTHING - {"avx512vl"},
            "this CPU does not have avx512vl. Choose a lower one",
        ),
        ("tensorflow", "avx2", {"avx2", "fma"}, "this CPU does not have sse4_1, avx"),
    ],
)
def test_a_level_that_can_not_be_had_is_refused(runtime, level, flags, message):
    with pytest.raises(StartRefused, match=message.replace(".", r"\.")):
        isa.environment(runtime, level, flags)


def test_a_level_without_a_runtime_holds_them_all():
    found = isa.environment("auto", "avx2", EVERYTHING)
    assert found[isa.ONEDNN] == "AVX2"
    assert {"ATEN_CPU_CAPABILITY", "OPENCV_CPU_DISABLE"} <= found.keys()


def test_a_model_whose_runtime_would_not_obey_is_not_loaded(monkeypatch, tmp_path):
    monkeypatch.setenv(isa.LEVEL, "avx2")
    (tmp_path / "model.tflite").touch()
    with pytest.raises(LoadFailed, match="isa=avx2: the runtime litert has no switch"):
        load(tmp_path, "auto", Setting())


def test_no_level_changes_nothing(monkeypatch):
    monkeypatch.setattr(os, "environ", {})
    isa.apply("onnxruntime", "")
    assert os.environ == {}


@pytest.mark.parametrize(
    ("flags", "level", "is_refused"),
    [
        ({"avx512_bf16"}, None, False),
        ({"avx512_bf16"}, "avx512_bf16", False),
        ({"avx512_bf16"}, "avx512", True),
        ({"amx_bf16"}, None, False),
        ({"avx512f"}, None, True),
    ],
)
def test_bf16_is_refused_where_it_would_be_imitated(monkeypatch, flags, level, is_refused):
    monkeypatch.setattr(isa, "cpu_flags", lambda: flags)
    monkeypatch.setattr(isa, "held_to", lambda: level)
    with pytest.raises(LoadFailed, match="emulate bf16") if is_refused else nullcontext():
        isa.require_bf16()


# That a switch works is seen in what the runtime itself says that it uses.

SAYS = {"avx": "isa:Intel AVX\n", "avx2": "isa:Intel AVX2\n", "avx512": "isa:Intel AVX-512 with AVX512BW"}

OPENVINO = """
import sys
from pathlib import Path
from serving.machine import isa
isa.apply("openvino", sys.argv[2])
from serving.runtimes import openvino
from serving.runtimes.base import Setting
import numpy as np
# Without the card: while oneDNN talks, this version of OpenVINO gives outputs without rows.
model = openvino.load(Path(sys.argv[1]) / "saved_model.pb", Setting(threads=1))
model.infer("classify_pixels", {"pixels": np.zeros((1, 224, 224, 3), np.float32)})
"""
TENSORFLOW = """
import sys, tensorflow as tf
tf.nn.conv2d(tf.zeros([1, 32, 32, 8]), tf.zeros([3, 3, 8, 8]), 1, "SAME")
"""
PYTORCH = """
import torch
print("ATen:", torch.backends.cpu.get_cpu_capability())
torch.nn.Conv2d(32, 32, 3)(torch.zeros(4, 32, 64, 64))
"""
OPENCV = "import cv2; print(cv2.getCPUFeaturesLine())"


def said(script: str, *arguments: str, **variables: str) -> str:
    command = [sys.executable, "-c", script, *arguments]
    settings = {**os.environ, "ONEDNN_VERBOSE": "1", "CUDA_VISIBLE_DEVICES": "-1", **variables}
    done = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def variables(runtime: str, level: str) -> dict[str, str]:
    """Of a level that this CPU has; else the test is skipped."""
    try:
        return dict(isa.environment(runtime, level, isa.cpu_flags()))
    except StartRefused as problem:
        pytest.skip(str(problem))


@pytest.mark.parametrize("level", ["avx", "avx2", "avx512"])
def test_openvino_uses_no_more_than_it_is_held_to(level):
    variables("openvino", level)
    assert SAYS[level] in said(OPENVINO, str(default_model_dir() / "1"), level)


def test_tensorflow_uses_no_more_than_it_is_held_to():
    assert SAYS["avx2"] in said(TENSORFLOW, **variables("tensorflow", "avx2"))


def test_pytorch_uses_no_more_than_it_is_held_to():
    pytest.importorskip("torch", reason="PyTorch is not installed")
    heard = said(PYTORCH, **variables("pytorch", "avx2"))
    assert SAYS["avx2"] in heard
    assert "ATen: AVX2" in heard


def test_opencv_uses_no_more_than_it_is_held_to():
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    heard = said(OPENCV, **variables("opencv", "sse41")).split()
    assert "*SSE4.1" in heard
    assert {"*AVX", "*AVX2", "*AVX512-SKX"}.isdisjoint(heard)
