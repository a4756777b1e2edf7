"""What the student is shown in each step, and what it should say: the same for the same seed and step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.training import views
from models.training.photos import UNKNOWN, Photos
from models.training.recipe import Recipe

COLOUR = 0.2  # gain of each channel: e^-0.2 to e^0.2, most of it common to all three


@dataclass(frozen=True)
class Batch:
    """One step's photos, not yet cropped."""

    squares: np.ndarray  # uint8 [n, h, w, 3]
    boxes: np.ndarray  # float32 [n, 4]
    targets: np.ndarray  # float32 [n, classes], each adding up to 1
    gains: np.ndarray  # float32 [n, 1, 1, 3]
    mix: float  # how much of a photo is itself; the rest is the one opposite in the batch


@dataclass(frozen=True)
class Lessons:
    """Photos with the teacher's labels, split in those to learn from and those held out."""

    photos: Photos
    boxes: np.ndarray  # float32 [n, views, 4]
    labels: np.ndarray  # float16 [n, views, classes]: the teacher's probabilities as they are
    known: np.ndarray  # int [classes]: ImageNet's index of each class
    recipe: Recipe

    def split(self) -> tuple[np.ndarray, np.ndarray]:
        """Indices to learn from, and held out. Together they are all."""
        order = np.random.default_rng([self.recipe.seed, 3]).permutation(len(self.photos))
        held_out = round(len(order) * self.recipe.held_out_share)
        return np.sort(order[held_out:]), np.sort(order[:held_out])

    def names_held_out(self) -> list[str]:
        return [self.photos.names[index] for index in self.split()[1]]

    def answers(self, chosen: np.ndarray) -> np.ndarray:
        """The class that each photo should be called: what its folder tells, else what the teacher says."""
        truth = self.photos.imagenet[chosen, None] == self.known[None]
        return np.asarray(np.where(truth.any(1), truth.argmax(1), self.labels[chosen, 0].argmax(1)))

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches only, but at least one."""
        return max(1, len(self.split()[0]) // self.recipe.batch)

    def order(self, epoch: int) -> np.ndarray:
        """The photos of an epoch, as [steps, batch]."""
        learn, batch = self.split()[0], self.recipe.batch
        random = np.random.default_rng([self.recipe.seed, 4, epoch])
        shuffled = random.permutation(learn)
        return np.resize(shuffled, (self.steps_per_epoch, batch))

    def batch(self, chosen: np.ndarray, step: int) -> Batch:
        """The photos of a step, each in one of its views."""
        random = np.random.default_rng([self.recipe.seed, 5, step])
        view = random.choice(len(views.SHOWN), len(chosen), p=views.SHOWN)
        mix = float(random.beta(self.recipe.mixup, self.recipe.mixup))
        common = random.uniform(-COLOUR, COLOUR, (len(chosen), 1, 1, 1))
        each = random.uniform(-COLOUR, COLOUR, (len(chosen), 1, 1, 3)) / 4
        return Batch(
            squares=self.photos.squares[chosen],
            boxes=views.disturbed(self.boxes[chosen, view], random),
            targets=self.targets(chosen, view),
            gains=np.exp(common + each).astype(np.float32),
            mix=max(mix, 1 - mix),
        )

    def targets(self, chosen: np.ndarray, view: np.ndarray) -> np.ndarray:
        """What the teacher thinks, its doubts spread evenly; half of it the truth where the folder tells it.

        What the teacher gives to classes that the student does not have goes to all in equal parts: a photo
        of something else should leave the student without an opinion.
        """
        given = self.labels[chosen, view].astype(np.float32)
        elsewhere = np.clip(1 - given.sum(1, keepdims=True), 0, 1)
        soft = given + elsewhere / given.shape[1]
        soft /= soft.sum(1, keepdims=True)
        imagenet = self.photos.imagenet[chosen]
        told = (imagenet != UNKNOWN) & np.array(views.SHOWS_THE_THING)[view]
        truth = (imagenet[:, None] == self.known[None]).astype(np.float32)
        share = self.recipe.true_label_share * (told & truth.any(1))[:, None]
        return np.asarray(share * truth + (1 - share) * soft, np.float32)
