"""The default model in every format, what TensorFlow answers to it, and how a server asks a runtime."""

from __future__ import annotations

import functools
import importlib.util
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from serving.runtimes import RUNTIMES, Runtime
from serving.runtimes.base import Model, Setting
from serving.values.signatures import Signature
from tests.support.locks import alone_in
from tests.support.processes.serving_process import ROOT, default_model_dir

PACKAGES = {
    "litert": "ai_edge_litert",
    "openvino": "openvino",
    "onnxruntime": "onnxruntime",
    "opencv": "cv2",
    "pytorch": "torch",
}
# The format that a file's name stands for, what writes it beside TensorFlow, and all its files.
FORMAT_OF = {
    "*.tflite": "tflite",
    "*.onnx": "onnx",
    "*.xml": "openvino",
    "*.pt": "torchscript",
    "*.pt2": "torch_export",
    "*.caffemodel": "caffe",
}
WRITTEN_BY = {"onnx": "tf2onnx", "openvino": "openvino", "torchscript": "torch", "torch_export": "torch"}
ONE_THREAD = Setting(threads=1, inter_op_threads=1)
MODELS = ROOT / "var" / "tests" / "models"
BASE = MODELS / "default-formats"
PHOTOS, SIDE_PX, CLASSES = 8, 224, 1000


@functools.cache
def default_formats_dir(*formats: str) -> Path:
    """The version directory with the default model as SavedModel and in `formats`. Written once.

    Its files are links to where each was written, so none is older than the model.
    """
    written = [default_model_dir() / "1", *(written_as(name) for name in formats)]
    with alone_in(BASE):
        (BASE / "1").mkdir(exist_ok=True)
        for source in (file for directory in written for file in directory.iterdir()):
            link = BASE / "1" / source.name
            if not link.exists():
                link.unlink(missing_ok=True)  # of a checkout that lay elsewhere
                link.symlink_to(source)
    return BASE / "1"


@functools.cache
def written_as(name: str) -> Path:
    """The version directory with the default model in one format. `models convert` locks it itself."""
    out = MODELS / f"default-{name}"
    if name == "caffe":
        with alone_in(out):
            run_module("tests.support.models.make_caffe", written_as("tflite") / "model.tflite", out / "1")
    else:
        run_module("models", "convert", default_model_dir(), "--to", name, "--out", out)
    return out / "1"


def run_module(*command: object) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def is_there(runtime: Runtime) -> bool:
    """Whether this runtime has a module here, and what that needs is installed."""
    if not (ROOT / "serving" / "runtimes" / f"{runtime.name}.py").is_file():
        return False
    package = PACKAGES.get(runtime.name)
    return package is None or importlib.util.find_spec(package) is not None


def is_written(pattern: str) -> bool:
    """Whether a file of this kind can be made of the default model here."""
    package = WRITTEN_BY.get(FORMAT_OF.get(pattern, ""))
    return package is None or importlib.util.find_spec(package) is not None


def require(name: str) -> None:
    """Skip a test module whose runtime is not installed."""
    if not is_there(RUNTIMES[name]):
        pytest.skip(f"{name} is not installed: {RUNTIMES[name].install}", allow_module_level=True)


@dataclass(frozen=True)
class Case:
    """One file of the default model with a runtime that reads it."""

    runtime: Runtime
    pattern: str

    def __str__(self) -> str:
        return f"{self.runtime.name}-{self.pattern.removeprefix('*.')}"

    @property
    def file(self) -> Path:
        formats = [FORMAT_OF[self.pattern]] if self.pattern in FORMAT_OF else []
        return next(default_formats_dir(*formats).glob(self.pattern))

    def load(self, file: Path | None = None, setting: Setting = ONE_THREAD) -> Model:
        module = importlib.import_module(f"serving.runtimes.{self.runtime.name}")
        model: Model = module.load(file or self.file, setting)
        return model


# OpenVINO sees a TFLite file's tensors, but not what its signature calls them.
OTHER_NAMES = {("openvino", "*.tflite")}
NOT_WRITTEN = {"saved_model.pbtxt", "*.pth"}  # other spellings of formats that are


def cases() -> list[Case]:
    """Every runtime of the table that is installed, with each kind of file that it reads."""
    return [
        Case(runtime, pattern)
        for runtime in RUNTIMES.values()
        if is_there(runtime)
        for pattern in (*runtime.own_files, *runtime.also_reads)
        if pattern not in NOT_WRITTEN and is_written(pattern) and (runtime.name, pattern) not in OTHER_NAMES
    ]


@functools.cache
def pixels() -> np.ndarray:
    """Noisy gradients: [8, 224, 224, 3] in 0..255, of which the model thinks different things."""
    random = np.random.default_rng(0)
    ramp = np.linspace(0, 255, SIDE_PX, dtype=np.float32)
    base = np.stack([np.roll(ramp, 24 * photo) for photo in range(PHOTOS)])[:, :, None, None]
    noise = random.uniform(-60, 60, (PHOTOS, SIDE_PX, SIDE_PX, 3)) * random.uniform(0, 1, (PHOTOS, 1, 1, 3))
    return np.clip(base + noise, 0, 255).astype(np.float32)


REFERENCE = """
import sys, numpy as np, tensorflow as tf
classify = tf.saved_model.load(sys.argv[1]).signatures["classify_pixels"]
np.save(sys.argv[3], classify(pixels=tf.constant(np.load(sys.argv[2])))["probabilities"].numpy())
"""


@functools.cache
def reference() -> np.ndarray:
    """What real TensorFlow, in a process of its own, gives for `pixels()`: [8, 1000]. Made once."""
    directory = default_formats_dir()
    stored = BASE / "reference.npy"
    graph = directory / "saved_model.pb"
    with alone_in(BASE):
        if not stored.is_file() or stored.stat().st_mtime < graph.stat().st_mtime:
            np.save(BASE / "pixels.npy", pixels())
            command = [sys.executable, "-c", REFERENCE, directory, BASE / "pixels.npy", stored]
            subprocess.run(list(map(str, command)), check=True, capture_output=True)
        answers: np.ndarray = np.load(stored)
    return answers


def signature_of(model: Model) -> Signature:
    """The one that takes pixels: a SavedModel has several, files of other formats have one."""
    names = [name for name, signature in model.signatures.items() if "pixels" in signature.inputs]
    return model.signatures["classify_pixels" if "classify_pixels" in names else names[0]]


def channels_first(signature: Signature) -> bool:
    shape = signature.inputs["pixels"].shape
    return shape is not None and shape[1] == 3


def ask(model: Model, inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """As the service does: the signature is checked first."""
    signature = signature_of(model)
    signature.check_inputs(inputs)
    return model.infer(signature.name, inputs)


def probabilities(model: Model, images: np.ndarray) -> np.ndarray:
    """What the model thinks of images [n, 224, 224, 3], in the layout that it wants."""
    turned = images.transpose(0, 3, 1, 2) if channels_first(signature_of(model)) else images
    return ask(model, {"pixels": np.ascontiguousarray(turned)})["probabilities"]
