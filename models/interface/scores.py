"""Decides from a model's answers to made-up images whether they are probabilities, logits, or neither.

Probabilities add up to 1. What is neither is refused: outputs of detectors, multi-label models and networks
for features can have the shape of scores.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.interface.ends import Ends
from models.interface.pixels import LEAST, Pixels
from models.interface.wanted import LOGITS, PROBABILITIES, Say, ScoresOf, Wanted
from models.problems import ModelProblem, what_went_wrong
from models.task import NEEDED, not_always_one_row, not_one_row
from models.tensors import Tensor

NEARLY = 0.02  # how far a sum of 16-bit probabilities may be from 1
ROUNDED = 1e-3  # how far a probability may be outside of 0..1
INTEGER_STEP = 1 / 256  # of probabilities that were computed as 8-bit integers
LEAST_FEATURES = 16  # so many numbers, some exactly 0 and none less, are the output of a ReLU


def made_up(pixels: Pixels, batch: int) -> list[np.ndarray]:
    """Three batches [batch, ...] of noise as the model takes it: strong, weak, and darker to the left."""
    random = np.random.default_rng(0)
    strong = random.integers(0, 256, (batch, *pixels.side_px, 3)).astype(float)
    ramp = np.linspace(0, 1, pixels.side_px[1])[:, np.newaxis]
    return [_as_taken(levels, pixels) for levels in (strong, 96 + strong / 4, strong * ramp)]


def _as_taken(levels: np.ndarray, pixels: Pixels) -> np.ndarray:
    values = (levels * pixels.scale - np.asarray(pixels.mean)) / np.asarray(pixels.std)
    if pixels.layout == "NCHW":
        values = values.transpose(0, 3, 1, 2)
    if pixels.dtype in LEAST:
        least = LEAST[pixels.dtype]
        values = np.rint(values).clip(least, least + 255)
    image: np.ndarray = values.astype(pixels.dtype)
    return image


def try_scores(
    scores_of: ScoresOf, ends: Ends, pixels: Pixels, refusals: Sequence[type[Exception]] = ()
) -> np.ndarray:
    """Scores [images, classes] for made-up images. Raises ModelProblem for exceptions in `refusals`."""
    batch = (ends.input.shape or (None,))[0] or 1
    try:
        answers = [np.asarray(scores_of(image)) for image in made_up(pixels, batch)]
    except tuple(refusals) as problem:
        height, width = pixels.side_px
        raise ModelProblem(
            f"The model does not take {height}x{width} pixels as {pixels.dtype} {pixels.layout}: "
            f"{what_went_wrong(problem)} Say what it takes with --size, --layout."
        ) from problem
    rows = [rows_of(answer, batch, ends.output) for answer in answers]
    if len({row.shape for row in rows}) > 1:
        raise ModelProblem(not_always_one_row(ends.output))
    return np.concatenate(rows)


def rows_of(answer: np.ndarray, batch: int, output: Tensor) -> np.ndarray:
    """An answer as scores [batch, classes]. Raises ModelProblem if it has more than one row per image."""
    sizes = tuple(answer.shape[1:] if answer.shape[:1] == (batch,) else answer.shape)
    if sum(size != 1 for size in sizes) > 1 or answer.size % batch:
        raise ModelProblem(not_one_row(Tensor(output.name, output.dtype, tuple(answer.shape))))
    if not answer.size:
        raise ModelProblem(not_always_one_row(output))
    return answer.reshape(batch, -1)


def is_logits(scores: np.ndarray, pixels: Pixels, wanted: Wanted, say: Say) -> bool:
    """Whether softmax has to be added to a model whose answers were `scores` [images, classes].

    Raises ModelProblem if they are neither logits nor probabilities, and for fewer than two classes.
    """
    if scores.shape[-1] < 2:
        raise ModelProblem(
            "The model gives one score per image. Pixelcost compares classifiers of two classes or more: "
            "export it with one score for each class."
        )
    if not np.isfinite(scores.astype(float)).all():
        raise ModelProblem(
            "The model answers with NaN or infinity. Its weights may be damaged, or the preprocessing is "
            "not its own (--preprocess, --scale, --mean, --std)."
        )
    scores = (scores.astype(float) - pixels.output_zero_point) * pixels.output_scale
    is_within = scores.min() >= -ROUNDED and scores.max() <= 1 + ROUNDED
    is_distribution = is_within and _add_up_to_1(scores, pixels)
    if wanted.scores:
        return _as_said(wanted.scores, scores, is_within, is_distribution, say)
    if is_distribution:
        say("tried: the scores are probabilities, as their sum is 1 (--logits if not)")
        return False
    if is_within:
        raise ModelProblem(
            f"The outputs are not a classifier's: {_sums(scores)}, as a multi-label model (sigmoid) or an "
            f"object detector gives them. {NEEDED} If the best score of a multi-label model is its answer, "
            "--softmax takes the scores as they are; if they are small logits, say --logits."
        )
    _refuse_features(scores)
    say("tried: the scores are logits, so softmax is added (--softmax if not)")
    return True


def _as_said(said: str, scores: np.ndarray, is_within: bool, is_distribution: bool, say: Say) -> bool:
    if said == PROBABILITIES and not is_within:
        raise ModelProblem(
            f"--softmax: the scores reach from {scores.min():g} to {scores.max():g}, so they are not "
            "probabilities. Leave the option out: softmax is added to logits."
        )
    if said == PROBABILITIES and not is_distribution:
        say(f"WARNING, kept as --softmax says: {_sums(scores)}")
    if said == LOGITS and is_distribution:
        say("WARNING, softmax is added as --logits says: the scores add up to 1, as after a softmax")
    return said == LOGITS


def _add_up_to_1(scores: np.ndarray, pixels: Pixels) -> bool:
    """Whether every row's sum is 1, up to rounding: of many small quantised probabilities most become 0."""
    step = pixels.output_scale if pixels.output_scale != 1 else 0.0
    if np.allclose(scores, np.rint(scores / INTEGER_STEP) * INTEGER_STEP, atol=1e-6, rtol=0):
        step = max(step, INTEGER_STEP)
    least_off = NEARLY + scores.shape[-1] * step / 2
    return bool(np.abs(scores.sum(axis=-1) - 1).max() <= least_off and scores.max() > 0)


def _sums(scores: np.ndarray) -> str:
    sums = scores.sum(axis=-1)
    return (
        f"the scores of {len(sums)} made-up images lie between 0 and 1, but add up to {sums.min():.2g} to "
        f"{sums.max():.2g} instead of 1"
    )


def _refuse_features(scores: np.ndarray) -> None:
    """Raises ModelProblem for vectors of length 1 and for the output of a ReLU: logits are neither."""
    lengths = np.linalg.norm(scores, axis=-1)
    if len(scores) > 1 and np.abs(lengths - 1).max() <= ROUNDED:
        shown = f"each of its answers to {len(scores)} made-up images is a vector of length 1"
    elif scores.shape[-1] >= LEAST_FEATURES and scores.min() == 0 and (scores == 0).any(axis=-1).all():
        shown = f"of its {scores.shape[-1]} numbers some are exactly 0 and none is less, as after a ReLU"
    else:
        return
    raise ModelProblem(
        f"It gives features, not scores of classes: {shown}. {NEEDED} If they are logits, say --logits."
    )
