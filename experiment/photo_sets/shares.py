"""From counts to shares and differences with their intervals."""

from __future__ import annotations

from dataclasses import replace

from experiment.photo_sets.counts import SetCounts
from experiment.records import BetweenBackends, Difference, OverPhotos, Share
from experiment.report.proportions import detectable_difference, holm, mcnemar, paired_difference, wilson

CellKey = tuple[str, str]  # variant id, backend name


def over_photos(counts: SetCounts, reference_id: str) -> dict[CellKey, OverPhotos]:
    """What each cell says about answers; Holm's correction covers all differences together."""
    differences = {
        key: found
        for key, cell in counts.cells.items()
        if key[0] != reference_id
        and (found := difference(cell.both, cell.gained, cell.lost, cell.neither)) is not None
    }
    corrected = holm([found.mcnemar_p for found in differences.values()])
    for (key, found), p in zip(list(differences.items()), corrected, strict=True):
        differences[key] = replace(found, mcnemar_p_holm=p)
    return {
        key: OverPhotos(
            top1=share(cell.top1, cell.judged),
            top5=share(cell.top5, cell.judged),
            agreement=share(cell.agreed, cell.compared),
            difference=differences.get(key),
        )
        for key, cell in counts.cells.items()
    }


def between_backends(counts: SetCounts) -> tuple[BetweenBackends, ...]:
    """For each variant, how often two backends give the same top answer."""
    rows = []
    for (variant_id, one, other), (agreed, compared) in counts.between.items():
        found = share(agreed, compared)
        if found is not None:
            rows.append(BetweenBackends(variant_id, (one, other), found))
    return tuple(rows)


def share(count: int, total: int) -> Share | None:
    """So many of `total`, with its interval; None of nothing."""
    if not total:
        return None
    low, high = wilson(count, total)
    return Share(count, total, count / total, low, high)


def difference(both: int, gained: int, lost: int, neither: int) -> Difference | None:
    """Top-1 of one less that of another, from how many photos both, only the one, only the other and
    neither have right. Holm's p is left at its own; None of no photos."""
    photos = both + gained + lost + neither
    if not photos:
        return None
    low, high = paired_difference(both, gained, lost, neither)
    p = mcnemar(gained, lost)
    # With no photo that differs, one more might: its share is not taken to be nothing.
    differing = max(gained + lost, 1) / photos
    return Difference(
        photos=photos,
        gained=gained,
        lost=lost,
        points=100 * (gained - lost) / photos,
        low_points=100 * low,
        high_points=100 * high,
        mcnemar_p=p,
        mcnemar_p_holm=p,
        detectable_points=100 * detectable_difference(differing, photos),
    )
