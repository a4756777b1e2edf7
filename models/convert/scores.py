"""Whether a model's scores are probabilities already, told from its answers to one made-up image."""

from __future__ import annotations

import numpy as np

from models.convert.preprocess import LEAST, Pixels
from models.convert.wanted import LOGITS, Say, Wanted
from models.problems import ModelProblem

NEARLY = 0.02  # how far a sum of 16-bit probabilities may be from 1


def made_up(pixels: Pixels, batch: int) -> np.ndarray:
    """Noise as the model takes it: of all images the one that no model is sure about."""
    sides = (*pixels.side_px, 3) if pixels.layout == "NHWC" else (3, *pixels.side_px)
    noise = np.random.default_rng(0).integers(0, 256, (batch, *sides))
    if pixels.dtype in LEAST:
        return (noise + LEAST[pixels.dtype]).astype(pixels.dtype)
    return (noise / 127.5 - 1).astype(pixels.dtype)


def is_logits(scores: np.ndarray, pixels: Pixels, wanted: Wanted, say: Say) -> bool:
    """From scores [n, classes] as the model gave them. Raises ModelProblem for too few classes."""
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
    if wanted.scores:
        return wanted.scores == LOGITS
    is_quantised = pixels.output_scale != 1
    scores = (scores.astype(float) - pixels.output_zero_point) * pixels.output_scale
    # Many small probabilities are rounded to none, so the sum of quantised ones may be well below 1.
    least = 0.5 if is_quantised else 1 - NEARLY
    sums = scores.sum(axis=-1)
    if scores.min() < 0 or scores.max() > 1:
        say("tried: the scores are logits, so softmax is added (--softmax if not)")
        return True
    if least < sums.min() and sums.max() < 1 + NEARLY:
        say("tried: the scores are probabilities, as their sum is 1 (--logits if not)")
    else:
        say("WARNING, tried: the scores are within 0 and 1, but their sum is not 1: kept (--logits if not)")
    return False
