"""The area under the ROC curve by ranks, with intervals by a bootstrap over photos. Pure arithmetic.

Answers about one photo resemble each other, so it is photos that are drawn anew, each with all its
answers (a cluster bootstrap; Field and Welsh 2007, J. R. Statist. Soc. B 69:369). Intervals are 95 %, by
percentiles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
Weights = NDArray[np.int64]  # [resamples + 1, photos]: how often each photo was drawn; the first row is ones


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval; nan if unknown."""

    value: float
    low: float
    high: float


def drawn(photos: int, seed: int = 0, resamples: int = RESAMPLES) -> Weights:
    """How often each of so many photos stands in the sample itself, and in each resample."""
    random = np.random.default_rng(seed)
    again = random.multinomial(photos, np.full(photos, 1 / photos), size=resamples)
    return np.vstack([np.ones((1, photos), np.int64), again])


def estimate(values: NDArray[np.float64]) -> Estimate:
    """Of the sample's own value, which comes first, and those of the resamples."""
    again = values[1:][~np.isnan(values[1:])]
    if not again.size or np.isnan(values[0]):
        return Estimate(float(values[0]), float("nan"), float("nan"))
    low, high = np.percentile(again, (2.5, 97.5))
    return Estimate(float(values[0]), float(low), float(high))


def areas(
    values: NDArray[np.float64], is_event: NDArray[np.bool_], photo: NDArray[np.int64], weights: Weights
) -> NDArray[np.float64]:
    """For each row of `weights`: how well a *low* value predicts the event; 0.5 is chance.

    The chance that of an event and a non-event, both drawn at random, the event has the lower value;
    ties count half (Mann and Whitney 1947). `photo`: to which photo each value belongs. nan where there are
    only events, or none.
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    events, photos = is_event[order], photo[order]
    found = np.full(len(weights), np.nan)
    for row, weight in enumerate(weights):
        drawn_times = weight[photos].astype(np.float64)
        with_event = np.add.reduceat(drawn_times * events, starts)
        without = np.add.reduceat(drawn_times * ~events, starts)
        pairs = with_event.sum() * without.sum()
        if pairs:
            above = without.sum() - np.cumsum(without)
            found[row] = (with_event * (above + without / 2)).sum() / pairs
    return found


def shares(is_event: NDArray[np.bool_], photo: NDArray[np.int64], weights: Weights) -> NDArray[np.float64]:
    """For each row of `weights` the share of events, 0..1; nan where none of these photos was drawn."""
    photos = weights.shape[1]
    of_photo = np.bincount(photo, minlength=photos).astype(np.float64)
    events = np.bincount(photo, weights=is_event, minlength=photos)
    totals = weights @ of_photo
    found = np.full(len(weights), np.nan)
    np.divide(weights @ events, totals, out=found, where=totals > 0)
    return found
