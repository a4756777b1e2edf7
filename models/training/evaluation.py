"""How good a model is: asked as a client would, and compared with the truth and with its teacher."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from models.training import photos
from models.training.calibration import expected_calibration_error
from models.training.photos import UNKNOWN, File
from models.training.teacher import Teacher, known_classes

Asked = tuple[File, np.ndarray]

AT_ONCE = 16
WEBP = b"RIFF"
ENOUGH_PHOTOS = 20
Z_95 = 1.959964


@dataclass(frozen=True)
class Answers:
    """What model and teacher say to each of n photos."""

    probabilities: np.ndarray  # [n, classes]
    truth: np.ndarray  # int [n]: ImageNet's index, or UNKNOWN
    teacher: np.ndarray  # int [n]: row of the class that the teacher finds most likely among the model's

    def __len__(self) -> int:
        return len(self.truth)

    def only(self, wanted: np.ndarray) -> Answers:
        return Answers(self.probabilities[wanted], self.truth[wanted], self.teacher[wanted])

    @property
    def confidence(self) -> np.ndarray:
        return np.asarray(self.probabilities.max(1))

    def has_in_top(self, classes: np.ndarray, count: int) -> np.ndarray:
        """Whether the row is among the `count` most likely. bool [n]."""
        best = np.argsort(-self.probabilities, 1, kind="stable")[:, :count]
        return np.asarray((best == classes[:, None]).any(1))


def ask(model: Path, teacher: Path, asked: Iterable[File], say: Callable[[str], None] = print) -> Answers:
    """Send the photos as they are to the signature `predict_images`; the teacher sees them squashed.

    A photo that can't be read, or that the model does not take, is named and left out.
    """
    import tensorflow as tf

    predict = tf.saved_model.load(str(model)).signatures["predict_images"]
    teaches, known = Teacher(teacher), known_classes()
    rows: list[np.ndarray] = []
    truth: list[int] = []
    taught: list[int] = []
    for some in _batches(_readable(asked, teaches.side_px, say)):
        images = tf.constant([file.data for file, _ in some])
        rows.extend(predict(images=images)["probabilities"].numpy())
        truth.extend(file.imagenet for file, _ in some)
        taught.extend(int(teaches(square)[known].argmax()) for _, square in some)
    return Answers(np.array(rows), np.array(truth), np.array(taught))


def lines(answers: Answers, labels: list[str]) -> Iterator[str]:
    """The figures as text, one to a line; only those for which there are photos."""
    known = known_classes()
    is_inside = np.isin(answers.truth, known)
    inside = answers.only(is_inside)
    true_rows = np.searchsorted(known, inside.truth)
    yield from _compared("true class", inside, true_rows)
    yield from _worst(inside, true_rows, labels)
    same = answers.only(is_inside | (answers.truth == UNKNOWN))
    yield from _compared("teacher", same, same.teacher)
    outside = answers.only(~is_inside & (answers.truth != UNKNOWN))
    if len(outside):
        sure = int(np.sum(outside.confidence >= 0.5))
        yield f"  classes it does not know: {len(outside)} photos, confidence {outside.confidence.mean():.3f}"
        yield f"    0.5 or more: {share(sure, len(outside))}"
    if len(answers) == 1:
        best = np.argsort(-answers.probabilities[0])[:3]
        yield "  " + ", ".join(f"{labels[row]} {answers.probabilities[0, row]:.2f}" for row in best)


def share(hits: int, count: int) -> str:
    """As per cent with its 95 % interval (Wilson 1927)."""
    low, high = wilson(hits, count)
    return f"{hits / count:.1%} ({low:.1%} to {high:.1%})"


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share, 0..1."""
    middle = (hits + Z_95**2 / 2) / (count + Z_95**2)
    half = Z_95 * math.sqrt(hits * (count - hits) / count + Z_95**2 / 4) / (count + Z_95**2)
    return max(0.0, middle - half), min(1.0, middle + half)


def _compared(name: str, answers: Answers, classes: np.ndarray) -> Iterator[str]:
    if not len(answers):
        return
    first, five = (answers.has_in_top(classes, count) for count in (1, 5))
    error = expected_calibration_error(answers.confidence, first)
    yield f"  {name}: {len(answers)} photos, confidence {answers.confidence.mean():.3f}"
    yield f"    top-1 {share(int(first.sum()), len(first))}, top-5 {share(int(five.sum()), len(five))}"
    yield f"    calibration error {error:.3f}"


def _worst(answers: Answers, classes: np.ndarray, labels: list[str]) -> Iterator[str]:
    """The three classes in which it is least often right, of those with photos enough to say so."""
    is_right = answers.has_in_top(classes, 1)
    rows, counts = np.unique(classes, return_counts=True)
    often = [(float(is_right[classes == row].mean()), row) for row in rows[counts >= ENOUGH_PHOTOS]]
    if often:
        yield "    least often right: " + ", ".join(
            f"{labels[row]} {part:.0%}" for part, row in sorted(often)[:3]
        )


def _readable(asked: Iterable[File], side_px: int, say: Callable[[str], None]) -> Iterator[Asked]:
    """Each photo with its square."""
    for file in asked:
        if file.data.startswith(WEBP):
            say(f"left out {file.name}: a WebP, which the model does not read")
            continue
        try:
            yield file, photos.read_square(file.data, side_px)
        except (OSError, ValueError, Image.DecompressionBombError) as problem:
            say(f"left out {file.name}: {problem}")


def _batches(asked: Iterable[Asked]) -> Iterator[list[Asked]]:
    waiting = iter(asked)
    while some := list(itertools.islice(waiting, AT_ONCE)):
        yield some
