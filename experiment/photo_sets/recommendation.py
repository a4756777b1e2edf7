"""What to serve, by what many photos show: the smallest variant that loses less than the margin."""

from __future__ import annotations

from experiment.photo_sets.goals import set_goals
from experiment.records import Cell, OverPhotos, PhotoSetFacts, Recommendation
from experiment.report.goals import Candidate, Results
from experiment.report.recommendation import choose, doubt
from experiment.wording import difference_words, joined, margin_words, milliseconds, share_words, size


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
        why=lambda best: _why(best, references.get(best.backend.name), within, results.is_running),
    )


def _why(best: Candidate, reference: Cell | None, within: str, is_running: bool) -> str:
    over = best.cell.over_photos or OverPhotos(None, None, None, None)
    figures = f"p50 {milliseconds(best.p50_ms)}, {size(best.variant.size_bytes)} (medians)."
    return joined(doubt(best, is_running), _answers(over, reference, within, best), figures)


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
