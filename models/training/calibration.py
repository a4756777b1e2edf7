"""Whether confidence can be taken at its word: expected calibration error, and the temperature against it."""

from __future__ import annotations

import numpy as np

BINS = 15  # Guo et al. 2017, "On calibration of modern neural networks"
TEMPERATURES = np.geomspace(0.25, 4.0, 129)


def expected_calibration_error(confidence: np.ndarray, is_right: np.ndarray) -> float:
    """Mean gap between confidence and share of right answers in 15 equal bins, weighted by their photos.

    Both [n], confidence in 0..1. Returns 0..1; nan without photos.
    """
    which = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [abs(np.sum(confidence[which == i] - is_right[which == i])) for i in range(BINS)]
    return float(np.sum(gaps) / len(confidence)) if len(confidence) else float("nan")


def best_temperature(logits: np.ndarray, targets: np.ndarray) -> float:
    """By what to divide the logits to come closest to the target probabilities, both [n, classes]."""
    surprise = [-np.sum(targets * log_softmax(logits / each)) for each in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(surprise))])


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last dimension."""
    shifted = logits - logits.max(-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)))
