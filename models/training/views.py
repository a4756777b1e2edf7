"""The fixed crops of each photo that the teacher labels once and the student sees again and again.

A student that sees what its teacher saw learns more than one that has to believe the label of the whole
photo for every crop (Beyer et al., "Knowledge distillation: a good teacher is patient and consistent").
"""

from __future__ import annotations

import numpy as np

# Least and greatest share of the photo's area. The small crops show fur, sky or wall: the teacher is unsure
# there, and the student learns to be.
AREAS = ((1.0, 1.0), (0.35, 1.0), (0.35, 1.0), (0.35, 1.0), (0.12, 0.35), (0.03, 0.12))
SHOWN = (0.25, 0.2, 0.2, 0.2, 0.1, 0.05)  # how often the student sees each
SHOWS_THE_THING = (True, True, True, True, False, False)  # so that the folder's name is true for the crop
STRETCH = 0.25  # width to height: e^-0.25 to e^0.25
JITTER = 0.02  # of the photo's side: how far the student's crop is off the teacher's


def boxes(count: int, seed: int) -> np.ndarray:
    """Top, left, bottom, right in 0..1 of every view: float32 [count, views, 4]."""
    random = np.random.default_rng([seed, 1])
    shape = (count, len(AREAS))
    least, most = np.array(AREAS).T
    area = random.uniform(least, most, shape)
    stretch = np.exp(random.uniform(-STRETCH, STRETCH, shape) / 2)
    height = np.minimum(np.sqrt(area) / stretch, 1.0)
    width = np.minimum(np.sqrt(area) * stretch, 1.0)
    height[:, 0] = width[:, 0] = 1.0  # the first view is the whole photo
    top = random.uniform(0, 1, shape) * (1 - height)
    left = random.uniform(0, 1, shape) * (1 - width)
    return np.stack([top, left, top + height, left + width], -1).astype(np.float32)


def disturbed(chosen: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The boxes [n, 4] moved a little and half of them mirrored (right before left)."""
    moved = np.clip(chosen + random.uniform(-JITTER, JITTER, chosen.shape), 0, 1)
    mirrored = random.random(len(chosen)) < 0.5
    moved[mirrored] = moved[mirrored][:, [0, 3, 2, 1]]
    return moved.astype(np.float32)
