"""Trains the student, epoch by epoch, and goes on where it was stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from models.demo import SIDE_PX, Network, Weights
from models.problems import ModelProblem
from models.training import state
from models.training.lessons import Batch, Lessons
from models.training.student import Student

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # Adam's own
SERVED_AT_ONCE = 64
DECAYED_RANK = 2  # kernels; not the biases and batch norms


class Trainer:
    """The student with its optimiser: AdamW (Loshchilov and Hutter 2019)."""

    def __init__(self, lessons: Lessons, work: Path, begin_with: Callable[[], Iterator[np.ndarray]]):
        """Goes on where `work` says, else begins with those arrays, in the order of the file."""
        self.lessons, self.work = lessons, work
        self.recipe = lessons.recipe
        found = state.load(work)
        if found and not self.recipe.can_go_on(found.epochs_done, found.epochs_planned):
            raise ModelProblem(
                f"the training in {work} already closes at {found.epochs_planned} epochs, so it can't become "
                f"one of {self.recipe.epochs}. Go on with --epochs {found.epochs_planned}."
            )
        self.student = Student(iter(found.variable) if found else begin_with())
        self.epochs_done = found.epochs_done if found else 0
        learning = self.student.learning
        self.first = _moments(found.first_moment if found else None, learning)
        self.second = _moments(found.second_moment if found else None, learning)
        self._type = tf.bfloat16 if self.recipe.bfloat16 else tf.float32
        self._step = tf.function(self._one_step)

    def run(self, say: Callable[[str], None]) -> list[np.ndarray]:
        """Train what is left. Returns the arrays in the order of the file, float32."""
        while self.epochs_done < self.recipe.epochs:
            began = time.monotonic()
            loss, side_px = self._epoch()
            self.epochs_done += 1
            self._save()
            took_s = time.monotonic() - began
            photos = self.lessons.steps_per_epoch * self.recipe.batch
            say(
                f"epoch {self.epochs_done} of {self.recipe.epochs}: {side_px} px, loss {loss:.3f}, "
                f"{photos / took_s:.0f} photos/s, {took_s:.0f} s; agrees with the teacher on "
                f"{self._agreement():.1%} of the photos held out"
            )
        return self.student.arrays()

    def _epoch(self) -> tuple[float, int]:
        """Mean loss, and the side of the crops in px."""
        per_epoch = self.lessons.steps_per_epoch
        losses = []
        for number, chosen in enumerate(self.lessons.order(self.epochs_done)):
            step = self.epochs_done * per_epoch + number
            side_px = self.recipe.side_px(step / per_epoch)
            rate = self.recipe.rate((step + 1) / per_epoch)
            batch = self.lessons.batch(chosen, step)
            numbers = tf.constant(step + 1.0), tf.constant(rate)
            losses.append(self._step(*_tensors(batch), *numbers, side_px=side_px))
        return float(np.mean(losses)), side_px

    def _one_step(
        self,
        squares: tf.Tensor,
        boxes: tf.Tensor,
        targets: tf.Tensor,
        gains: tf.Tensor,
        mix: tf.Tensor,
        number: tf.Tensor,
        rate: tf.Tensor,
        side_px: int,
    ) -> tf.Tensor:
        crops = tf.image.crop_and_resize(squares, boxes, tf.range(len(boxes)), [side_px, side_px])
        crops = tf.clip_by_value(crops * gains, 0.0, 255.0)
        pixels = tf.cast(_mixed(crops, mix), self._type)
        with tf.GradientTape() as tape:
            logits = self.student(pixels)
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(_mixed(targets, mix), logits))
        gradients = tape.gradient(loss, self.student.learning)
        powers = tf.pow(BETA_1, number), tf.pow(BETA_2, number)
        for each in zip(self.student.learning, self.first, self.second, gradients, strict=True):
            self._apply(*each, powers, rate)
        return loss

    def _apply(
        self,
        variable: tf.Variable,
        first: tf.Variable,
        second: tf.Variable,
        gradient: tf.Tensor,
        powers: tuple[tf.Tensor, tf.Tensor],
        rate: tf.Tensor,
    ) -> None:
        if len(variable.shape) >= DECAYED_RANK:
            variable.assign_sub(rate * self.recipe.weight_decay * variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=first.handle,
            v=second.handle,
            beta1_power=powers[0],
            beta2_power=powers[1],
            lr=rate,
            beta1=BETA_1,
            beta2=BETA_2,
            epsilon=EPSILON,
            grad=gradient,
        )

    def _agreement(self) -> float:
        """Share of the photos held out that teacher and student call the same, seen whole."""
        held_out = self.lessons.split()[1]
        logits = logits_of(self.student.arrays(), self.lessons.photos.squares, held_out)
        return float(np.mean(logits.argmax(1) == self.lessons.labels[held_out, 0].argmax(1)))

    def _save(self) -> None:
        moments = [[each.numpy() for each in kind] for kind in (self.first, self.second)]
        state.save(
            self.work, state.State(self.epochs_done, self.recipe.epochs, self.student.arrays(), *moments)
        )


def logits_of(arrays: list[np.ndarray], squares: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """What the network says to whole photos when it serves: float32 [chosen, classes]."""
    serve = tf.function(Network(Weights(iter(arrays))))
    pixels = (tf.image.resize(squares[part], [SIDE_PX, SIDE_PX]) for part in _parts(chosen))
    return np.concatenate([serve(part).numpy() for part in pixels])


def _parts(chosen: np.ndarray) -> list[np.ndarray]:
    return [chosen[start : start + SERVED_AT_ONCE] for start in range(0, len(chosen), SERVED_AT_ONCE)]


def _moments(found: list[np.ndarray] | None, learning: list[tf.Variable]) -> list[tf.Variable]:
    values = found or [np.zeros(each.shape, np.float32) for each in learning]
    return [tf.Variable(value, trainable=False) for value in values]


def _tensors(batch: Batch) -> list[tf.Tensor]:
    arrays = batch.squares, batch.boxes, batch.targets, batch.gains, np.float32(batch.mix)
    return [tf.constant(array) for array in arrays]


def _mixed(values: tf.Tensor, mix: tf.Tensor) -> tf.Tensor:
    return mix * values + (1 - mix) * tf.reverse(values, [0])
