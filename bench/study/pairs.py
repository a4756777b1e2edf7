"""Two variants or backends compared on the same requests or photos. Pure arithmetic.

Requests come in blocks, each with every variant once, so the n-th samples of two cells belong
together: a slow moment of the machine meets both.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from experiment.photo_sets.shares import difference
from experiment.records import Cell, Difference
from experiment.report.proportions import holm
from experiment.report.statistics import median_interval


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as long one takes as the other: the median over blocks, with its 95 % interval."""

    value: float
    low: float
    high: float
    blocks: int

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


def time_ratio(one: Cell, other: Cell) -> Ratio | None:
    """`one` over `other`. None where a request failed or its sample was set apart, for then the blocks don't
    match, or below 6 blocks."""
    is_apart = one.disturbed_samples_ms or other.disturbed_samples_ms
    if is_apart or len(one.samples_ms) != len(other.samples_ms):
        return None
    ratios = [a / b for a, b in zip(one.samples_ms, other.samples_ms, strict=True)]
    interval = median_interval(ratios)
    return Ratio(statistics.median(ratios), *interval, len(ratios)) if interval else None


def right_by_variant(rows: Iterable[Mapping[str, str]]) -> dict[str, dict[str, bool]]:
    """Variant -> photo -> whether the top answer was right, from the rows of `--answers`.

    Rows without a label that the model knows are left out. One backend, one answer a photo.
    """
    found: dict[str, dict[str, bool]] = {}
    for row in rows:
        if row["correct_top1"]:
            found.setdefault(row["variant_id"], {})[row["photo"]] = row["correct_top1"] == "true"
    return found


def confidences(rows: Iterable[Mapping[str, str]], variant_id: str) -> list[tuple[float, bool]]:
    """Top probability and whether it was right, of one variant; photos without a known label are left out."""
    return [
        (float(row["top_score"]), row["correct_top1"] == "true")
        for row in rows
        if row["variant_id"] == variant_id and row["correct_top1"]
    ]


def calibration_error(found: Sequence[tuple[float, bool]], bins: int = 15) -> float:
    """Expected calibration error, 0..1: in bins of equal width, how far accuracy is from the probability.

    Guo et al. 2017, ICML. The bins are weighted by their photos. Raises ZeroDivisionError without any.
    """
    parts: dict[int, list[tuple[float, bool]]] = {}
    for score, right in found:
        parts.setdefault(min(int(score * bins), bins - 1), []).append((score, right))
    gaps = (abs(sum(right - score for score, right in part)) for part in parts.values())
    return sum(gaps) / len(found)


def accuracy_difference(one: Mapping[str, bool], other: Mapping[str, bool]) -> Difference | None:
    """Top-1 of `one` less that of `other`, on the photos that both have. Holm's p is left at its own."""
    pairs = [(one[photo], other[photo]) for photo in one.keys() & other.keys()]
    kinds = (True, True), (True, False), (False, True), (False, False)
    return difference(*(pairs.count(kind) for kind in kinds))


def corrected(differences: Sequence[Difference | None]) -> list[Difference | None]:
    """The same with Holm's p, as all of them are looked at together."""
    adjusted = iter(holm([one.mcnemar_p for one in differences if one]))
    return [one and replace(one, mcnemar_p_holm=next(adjusted)) for one in differences]
