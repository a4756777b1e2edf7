"""The teacher: an ImageNet classifier as a TFLite file, asked once for every view of every photo."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from models.demo_files import IMAGENET_INDEX
from models.problems import ModelProblem
from models.sniff import Damaged
from models.tflite_reader import read

IMAGENET_ROWS = (1000, 1001)  # 1001: row 0 is "background"
PR_SET_PDEATHSIG = 1  # linux/prctl.h
CHUNK = 256  # photos whose labels lie in one file: what a killed run loses


class Teacher:
    """Squares of uint8 pixels to probabilities over ImageNet's 1000 classes."""

    def __init__(self, path: Path):
        """Raises ModelProblem when the file is no classifier that can teach."""
        import tensorflow as tf

        try:
            read(path)  # TensorFlow follows the tables of a damaged file to its own end
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it says that LiteRT is to replace it
                self._run = tf.lite.Interpreter(str(path), num_threads=1)
            self._run.allocate_tensors()
        except (OSError, ValueError, Damaged) as problem:
            raise ModelProblem(f"{path} can't be read as a TFLite model: {problem}") from problem
        (self._input, *_), (self._output, *_) = self._run.get_input_details(), self._run.get_output_details()
        self.side_px = int(self._input["shape"][1])
        if self._input["dtype"] != np.uint8 or self._output["shape"][-1] not in IMAGENET_ROWS:
            raise ModelProblem(
                f"{path} can't teach: needed are uint8 pixels in and {IMAGENET_ROWS[0]} or {IMAGENET_ROWS[1]}"
                f" classes out, it has {self._input['dtype'].__name__} and {self._output['shape'][-1]}."
            )

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 [side_px, side_px, 3] to float32 [1000], adding up to 1 or less: small ones are rounded."""
        self._run.set_tensor(self._input["index"], pixels[None])
        self._run.invoke()
        answer: np.ndarray = self._run.get_tensor(self._output["index"])[0]
        scale, zero = self._output["quantization"]
        return np.asarray((answer[-1000:].astype(np.float32) - zero) * (scale or 1.0), np.float32)


def known_classes() -> np.ndarray:
    """ImageNet's index of each row of the demo model's head: int [306]."""
    return np.loadtxt(IMAGENET_INDEX, dtype=np.int64)


def soft_labels(
    teacher: Path, squares: Path, boxes: np.ndarray, work: Path, say: Callable[[str], None]
) -> np.ndarray:
    """What the teacher says to each view: float16 [photos, views, 306], its probabilities as they are.

    What is missing to 1 it gave to classes that the demo model does not know. One process for each core,
    since the interpreter holds Python's lock; chunks that lie in `work` already are not asked again.
    """
    work.mkdir(exist_ok=True)
    starts = range(0, len(boxes), CHUNK)
    paths = [work / f"{start:06d}.npy" for start in starts]
    missing = [(start, path) for start, path in zip(starts, paths, strict=True) if not path.exists()]
    if missing:
        Teacher(teacher)  # so that a wrong file is reported from here
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(os.cpu_count(), spawn, _start, (teacher, squares)) as pool:
            asked = [
                pool.submit(_label, start, boxes[start : start + CHUNK], path) for start, path in missing
            ]
            for count, each in enumerate(asked, 1):
                each.result()
                say(f"teacher: {count} of {len(asked)} chunks of {CHUNK} photos")
    return np.concatenate([np.load(path) for path in paths])


_ours: tuple[Teacher, np.ndarray]


def _start(teacher: Path, squares: Path) -> None:
    global _ours  # noqa: PLW0603 - what a worker process holds from chunk to chunk
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # it would wait for work for ever
    _ours = Teacher(teacher), np.load(squares, mmap_mode="r")


def _label(start: int, boxes: np.ndarray, path: Path) -> None:
    teacher, squares = _ours
    known = known_classes()
    labels = [
        [teacher(_crop(squares[start + number], box, teacher.side_px))[known] for box in views]
        for number, views in enumerate(boxes)
    ]
    partial = path.with_suffix(".partial")
    with partial.open("wb") as stream:
        np.save(stream, np.array(labels, np.float16))
    partial.rename(path)


def _crop(square: np.ndarray, box: np.ndarray, side_px: int) -> np.ndarray:
    """uint8 [side_px, side_px, 3] of what lies in the box."""
    top, left, bottom, right = (float(edge) * len(square) for edge in box)
    photo = Image.fromarray(square)
    view = photo.resize((side_px, side_px), Image.Resampling.BILINEAR, box=(left, top, right, bottom))
    return np.asarray(view)
