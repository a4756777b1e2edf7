"""The whole training: photos, teacher, student, temperature, file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from models.problems import ModelProblem
from models.training import photos, state, teacher, views
from models.training.calibration import best_temperature, expected_calibration_error, log_softmax
from models.training.lessons import Lessons
from models.training.recipe import Recipe

WEIGHTS = "demo_weights_fp16.npz"
LOG = "training.log"
HELD_OUT = "held_out.txt"


@dataclass(frozen=True)
class Job:
    """A training and the folder that holds all that is done of it."""

    sources: list[Path]
    teacher: Path
    work: Path
    recipe: Recipe
    start: Path | None = None  # weights to begin with, as `run` writes them

    def run(self, show: Callable[[str], None]) -> Path:
        """Do what is not done yet. Returns the file of weights.

        Raises ModelProblem when photos or teacher are missing or the folder is another training's.
        """
        from models.training.loop import Trainer

        def say(line: str) -> None:
            show(line)
            with (self.work / LOG).open("a", encoding="utf-8") as log:
                log.write(f"{datetime.now():%Y-%m-%d %H:%M:%S} {line}\n")

        lessons = self.lessons(say)
        (self.work / HELD_OUT).write_text("\n".join(lessons.names_held_out()) + "\n", encoding="utf-8")
        arrays = Trainer(lessons, self.work, self._first_arrays).run(say)
        return write_weights(self.work, calibrated(arrays, lessons, say))

    def lessons(self, say: Callable[[str], None]) -> Lessons:
        """Photos and what the teacher says to them, computed once."""
        photos.check(self.sources)
        taught_by = _sha256(self.teacher, "an ImageNet classifier as a TFLite file")
        names = [source.name for source in self.sources]
        self.work.mkdir(parents=True, exist_ok=True)
        depends_on = {"photos": names, "teacher": taught_by} | asdict(self.recipe)
        if self.start:
            depends_on["start"] = _sha256(self.start, "weights as train-demo writes them")
        del depends_on["epochs"]  # the trainer says whether it can change
        state.claim(self.work, depends_on)
        found = photos.gather(self.sources, self.work, say)
        boxes = views.boxes(len(found), self.recipe.seed)
        squares = self.work / photos.SQUARES
        labels = teacher.soft_labels(self.teacher, squares, boxes, self.work / "labels", say)
        return Lessons(found, boxes, labels, teacher.known_classes(), self.recipe)

    def _first_arrays(self) -> Iterator[np.ndarray]:
        from models.training.student import initial_arrays

        if not self.start:
            return initial_arrays(len(teacher.known_classes()), self.recipe.seed)
        with np.load(self.start) as stored:
            arrays = [stored[name].astype(np.float32) for name in stored.files]
        return iter(arrays)


def calibrated(arrays: list[np.ndarray], lessons: Lessons, say: Callable[[str], None]) -> list[np.ndarray]:
    """The same network with the best temperature for the photos held out, put into its head.

    Best is not what makes right answers surest: then it would be as sure of what it can't know. It should
    come close to what it was taught, the teacher's doubts included.
    """
    from models.training.loop import logits_of

    held_out = lessons.split()[1]
    logits = logits_of(arrays, lessons.photos.squares, held_out)
    classes = lessons.answers(held_out)
    temperature = best_temperature(logits, lessons.targets(held_out, np.zeros(len(held_out), int)))
    for name, each in (("as trained", 1.0), (f"temperature {temperature:.2f}", temperature)):
        probabilities = np.exp(log_softmax(logits / each))
        is_right = probabilities.argmax(1) == classes
        error = expected_calibration_error(probabilities.max(1), is_right)
        say(f"{name}: calibration error {error:.3f} on {len(classes)} photos held out")
    *rest, kernel, bias = arrays
    return [*rest, kernel / temperature, bias / temperature]


def write_weights(work: Path, arrays: list[np.ndarray]) -> Path:
    """float16, in the order that `models/demo.py` reads."""
    path = work / WEIGHTS
    partial = path.with_suffix(".partial")
    with partial.open("wb") as stream:
        np.savez_compressed(stream, *[array.astype(np.float16) for array in arrays])
    return partial.rename(path)


def _sha256(path: Path, what: str) -> str:
    if not path.is_file():
        raise ModelProblem(f"there is nothing at {path}: give {what}.")
    return hashlib.sha256(path.read_bytes()).hexdigest()
