"""Which number predicts that a smaller or more strongly compressed copy gets another answer?

For every photo, variant and network: whether the top answer differs from that to the photo itself,
and what could have predicted it. The answers are those of the study's journals.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.study.distances import AS_SOURCE, ByView
from bench.study.ranks import Estimate, Weights, areas, drawn, estimate, shares
from experiment.photo_sets.journal import results_in
from experiment.photo_sets.photo_result import PhotoResult
from experiment.records import Prediction, Variant

ALL = "all"
SAME_PIXELS_AS_PNG = "webp-lossless"  # would only count the same pixels twice


class Change(NamedTuple):
    """One answer, and what was known before it."""

    photo: str
    network: str
    size_px: int
    has_changed: bool
    psnr_source_db: float
    ssim_source: float
    psnr_seen_db: float
    ssim_seen: float
    size_bytes: float
    bytes_ratio: float  # of the photo's file
    side_ratio: float  # of the photo's longest side
    reference_score: float  # the network's probability of its answer to the photo
    reference_margin: float  # by how much that is above the second


# A low value of each is taken to predict a change. The words are for people.
PREDICTORS: Final[Mapping[str, str]] = {
    "ssim_seen": "SSIM as the network sees it",
    "psnr_seen_db": "PSNR as the network sees it",
    "ssim_source": "SSIM at the photo's size",
    "psnr_source_db": "PSNR at the photo's size",
    "side_ratio": "longest side, share of the photo's",
    "bytes_ratio": "bytes, share of the photo's",
    "size_bytes": "bytes",
    "reference_margin": "margin of the first over the second probability",
    "reference_score": "probability of the first answer",
}
COMPARED_WITH = "reference_margin"

SSIM_EDGES = (0.0, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0)
MARGIN_EDGES = (0.0, 0.1, 0.3, 0.6, 1.0)


class Area(NamedTuple):
    """How well one predictor foresees changes, among some of the answers."""

    network: str  # or ALL
    size_px: str  # or ALL
    predictor: str
    answers: int
    photos: int
    changed: int
    auc: Estimate
    less_margin: Estimate  # that much above the area of COMPARED_WITH


class Band(NamedTuple):
    """How many answers change where both numbers lie in a range; the upper end belongs to it."""

    network: str
    ssim_seen: tuple[float, float]
    margin: tuple[float, float]
    answers: int
    photos: int
    share: Estimate


def changes(
    network: str, journals: Iterable[Path], distances: Mapping[str, Mapping[str, ByView]]
) -> Iterator[Change]:
    """Every answer of one network once, though several questions may have asked for it.

    `distances`: by photo and by SHA-256 of the variant.
    """
    seen: set[tuple[str, str]] = set()
    for journal in journals:
        for result in results_in(journal):
            for variant, change in _of_photo(network, result, distances.get(result.name, {})):
                if (result.name, variant.sha256) not in seen:
                    seen.add((result.name, variant.sha256))
                    yield change


def _of_photo(
    network: str, result: PhotoResult, distances: Mapping[str, ByView]
) -> Iterator[tuple[Variant, Change]]:
    answers = {
        measurement.variant_id: measurement.prediction
        for measurement in result.measurements
        if measurement.prediction and measurement.prediction.top and not measurement.is_warmup
    }
    reference = next((answers.get(variant.id) for variant in result.variants if variant.is_reference), None)
    if reference is None:
        return
    for variant in result.variants:
        answer, by_view = answers.get(variant.id), distances.get(variant.sha256)
        is_counted = not variant.is_reference and variant.format != SAME_PIXELS_AS_PNG
        if is_counted and answer and by_view and _is_whole(by_view, network):
            yield variant, _change(network, result, variant, answer, reference, by_view)


def _is_whole(by_view: ByView, network: str) -> bool:
    return all(by_view[view].ssim is not None for view in (AS_SOURCE, network))


def _change(
    network: str,
    result: PhotoResult,
    variant: Variant,
    answer: Prediction,
    reference: Prediction,
    by_view: ByView,
) -> Change:
    first, second = [*(label.score for label in reference.top), 0.0][:2]
    longest_px = max(result.width_px or 0, result.height_px or 0)
    source, own = by_view[AS_SOURCE], by_view[network]
    return Change(
        photo=result.name,
        network=network,
        size_px=variant.size_px,
        has_changed=answer.top[0].label != reference.top[0].label,
        psnr_source_db=_or_infinite(source.psnr_db),
        ssim_source=source.ssim or 0.0,
        psnr_seen_db=_or_infinite(own.psnr_db),
        ssim_seen=own.ssim or 0.0,
        size_bytes=variant.size_bytes,
        bytes_ratio=variant.size_bytes / (result.size_bytes or 1),
        side_ratio=variant.size_px / longest_px,
        reference_score=first,
        reference_margin=first - second,
    )


def _or_infinite(psnr_db: float | None) -> float:
    return math.inf if psnr_db is None else psnr_db


class Columns:
    """Many changes as columns, with the photos numbered."""

    def __init__(self, found: Sequence[Change]):
        names = {name: number for number, name in enumerate(sorted({change.photo for change in found}))}
        self.photo = np.array([names[change.photo] for change in found], np.int64)
        self.network = np.array([change.network for change in found], object)
        self.size_px = np.array([change.size_px for change in found], np.int64)
        self.has_changed = np.array([change.has_changed for change in found], bool)
        self.values = {
            key: np.array([getattr(change, key) for change in found], np.float64) for key in PREDICTORS
        }
        self.weights: Weights = drawn(len(names))

    def among(self) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """All networks together and each alone, with which answers are theirs."""
        yield ALL, np.ones(len(self.photo), bool)
        for name in dict.fromkeys(self.network):
            yield name, self.network == name


def areas_of(columns: Columns, sizes_px: Sequence[int]) -> Iterator[Area]:
    """For all networks and each, over all sizes and within each of `sizes_px`, every predictor."""
    for network, of_network in columns.among():
        yield from _areas(columns, network, ALL, of_network)
        for size_px in sizes_px:
            some = of_network & (columns.size_px == size_px)
            if some.any():
                yield from _areas(columns, network, str(size_px), some)


def _areas(columns: Columns, network: str, size_px: str, some: NDArray[np.bool_]) -> Iterator[Area]:
    photo, changed = columns.photo[some], columns.has_changed[some]
    areas_by = {
        key: areas(values[some], changed, photo, columns.weights) for key, values in columns.values.items()
    }
    counts = int(some.sum()), len(np.unique(photo)), int(changed.sum())
    for key, found in areas_by.items():
        less = estimate(found - areas_by[COMPARED_WITH])
        yield Area(network, size_px, key, *counts, estimate(found), less)


def bands_of(columns: Columns) -> Iterator[Band]:
    """For all networks and each: by SSIM alone, by the margin alone, and by both."""
    whole_ssim, whole_margin = (SSIM_EDGES[0], SSIM_EDGES[-1]), (MARGIN_EDGES[0], MARGIN_EDGES[-1])
    for network, of_network in columns.among():
        for ssim in _ranges(SSIM_EDGES):
            yield from _band(columns, network, of_network, ssim, whole_margin)
        for margin in _ranges(MARGIN_EDGES):
            yield from _band(columns, network, of_network, whole_ssim, margin)
            for ssim in _ranges(SSIM_EDGES):
                yield from _band(columns, network, of_network, ssim, margin)


def _ranges(edges: Sequence[float]) -> list[tuple[float, float]]:
    return list(pairwise(edges))


def _band(
    columns: Columns,
    network: str,
    of_network: NDArray[np.bool_],
    ssim: tuple[float, float],
    margin: tuple[float, float],
) -> Iterator[Band]:
    some = of_network & _within(columns.values["ssim_seen"], ssim)
    some &= _within(columns.values["reference_margin"], margin)
    if some.any():
        photo = columns.photo[some]
        share = estimate(shares(columns.has_changed[some], photo, columns.weights))
        yield Band(network, ssim, margin, int(some.sum()), len(np.unique(photo)), share)


def _within(values: NDArray[np.float64], ends: tuple[float, float]) -> NDArray[np.bool_]:
    """Above the lower end, up to the upper one; the lowest range takes all below, too."""
    low, high = ends
    above = values > low if low > 0 else np.ones(len(values), bool)
    is_within: NDArray[np.bool_] = above & (values <= high)
    return is_within
