"""What to serve, by what many photos show: the smallest variant that loses less than the margin.

"Serve" is an order, and takes at least LEAST_PHOTOS_TO_ORDER photos that were compared. With 30 the interval
of a share is up to 34 points wide, but the goals judge its lower end, so a variant that meets them has been
shown to; below that a handful of alike photos could do it. The choice then is one "for these 12 photos".
"""

from __future__ import annotations

from experiment.photo_sets.goals import set_goals
from experiment.records import Cell, OverPhotos, PhotoSetFacts, Plan, Recommendation
from experiment.report.goals import Candidate, Results
from experiment.report.recommendation import choose, doubt, time_parts
from experiment.wording import count, difference_words, joined, margin_words, share_words, size

LEAST_PHOTOS_TO_ORDER = 30


def recommend_for_set(results: Results, photo_set: PhotoSetFacts) -> Recommendation:
    """The best choice by many photos, or a sentence that says why there is none."""
    ids = {variant.id for variant in results.variants if variant.is_reference}
    references = {cell.backend_name: cell for cell in results.cells if cell.variant_id in ids}
    margin = margin_words(photo_set.margin_points)
    within = f", within the margin of {margin}" if results.plan.keep_top1 else ""
    return choose(
        results,
        set_goals(results.plan, photo_set.labelled > 0),
        needs_reference=results.plan.keep_top1,
        lead=lambda best: _lead(best, results.plan, photo_set.measured),
        why=lambda best: _why(best, references.get(best.backend.name), within, results),
    )


def _lead(best: Candidate, plan: Plan, measured: int) -> str:
    """An order only where enough photos were compared, and only of what had to keep the answers."""
    if plan.keep_top1 and compared_photos(best) >= LEAST_PHOTOS_TO_ORDER:
        return "Serve"
    return "For this photo:" if measured == 1 else f"For these {count(measured, 'photo')}:"


def compared_photos(candidate: Candidate) -> int:
    """Photos that say whether this variant keeps the answers; for the original itself, those it answered."""
    over = candidate.cell.over_photos
    if candidate.variant.is_reference or over is None:
        return candidate.cell.count
    if over.difference is not None:
        return over.difference.photos
    return over.agreement.total if over.agreement is not None else 0


def _why(best: Candidate, reference: Cell | None, within: str, results: Results) -> str:
    over = best.cell.over_photos or OverPhotos(None, None, None, None)
    parts = [*time_parts(best, results.plan.copies), size(best.variant.size_bytes)]
    figures = f"{', '.join(parts)} (medians)."
    return joined(doubt(best, results.is_running), _answers(over, reference, within, best), figures)


def _answers(over: OverPhotos, reference: Cell | None, within: str, best: Candidate) -> str:
    """Accuracy where labels allow it, else agreement."""
    if over.top1 is not None:
        words = f"Top-1 {share_words(over.top1)} of {over.top1.total:,} photos"
        before = reference.over_photos if reference is not None else None
        if over.difference is None or before is None or before.top1 is None:
            return f"{words}."
        original = f"original {before.top1.share * 100:.1f} %"
        return f"{words}; {original}; difference {difference_words(over.difference)}{within}."
    if over.agreement is None or best.variant.is_reference:
        return ""
    kept, photos = share_words(over.agreement), f"{over.agreement.total:,} photos"
    return f"Same top answer as the original for {kept} of {photos}{within}."
