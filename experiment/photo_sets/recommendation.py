"""What to serve, by what many photos show: the smallest variant that loses less than the margin."""

from __future__ import annotations

from collections.abc import Sequence

from experiment.photo_sets.goals import set_goals
from experiment.records import (
    BackendInfo,
    Cell,
    OverPhotos,
    PhotoSetFacts,
    Plan,
    Recommendation,
    RunState,
    Variant,
    is_live,
)
from experiment.report.goals import Candidate
from experiment.report.recommendation import choose, doubt
from experiment.wording import difference_words, margin_words, milliseconds, share_words, size


def recommend_for_set(
    plan: Plan,
    state: RunState,
    photo_set: PhotoSetFacts,
    variants: Sequence[Variant],
    backends: Sequence[BackendInfo],
    cells: Sequence[Cell],
) -> Recommendation:
    """The best choice among `cells`, or a sentence that says why there is none."""
    references = {each.backend_name: each for each in cells if _is_reference(each, variants)}
    return choose(
        state,
        variants,
        backends,
        cells,
        set_goals(plan, photo_set.labelled > 0),
        needs_reference=plan.keep_top1,
        why=lambda best: _why(best, references.get(best.backend.name), photo_set, plan, state),
    )


def _is_reference(cell: Cell, variants: Sequence[Variant]) -> bool:
    return any(each.id == cell.variant_id and each.is_reference for each in variants)


def _why(
    best: Candidate, reference: Cell | None, photo_set: PhotoSetFacts, plan: Plan, state: RunState
) -> str:
    over = best.cell.over_photos or OverPhotos(None, None, None, None)
    figures = f"p50 {milliseconds(best.p50_ms)}, {size(best.variant.size_bytes)} (medians)."
    parts = [
        doubt(best, is_live(state)),
        *_answers(over, reference, _within(photo_set, plan), best),
        figures,
    ]
    return " ".join(part for part in parts if part)


def _within(photo_set: PhotoSetFacts, plan: Plan) -> str:
    """Where the answer may change, no margin was asked for."""
    return f", within the margin of {margin_words(photo_set.margin_points)}" if plan.keep_top1 else ""


def _answers(over: OverPhotos, reference: Cell | None, within: str, best: Candidate) -> list[str]:
    """Accuracy where labels allow it, else agreement."""
    if over.top1 is not None:
        words = f"Top-1 {share_words(over.top1)} of {over.top1.total:,} photos"
        before = reference.over_photos if reference is not None else None
        if over.difference is None or before is None or before.top1 is None:
            return [f"{words}."]
        original = f"original {before.top1.share * 100:.1f} %"
        return [f"{words}; {original}; difference {difference_words(over.difference)}{within}."]
    if over.agreement is None or best.variant.is_reference:
        return []
    kept, photos = share_words(over.agreement), f"{over.agreement.total:,} photos"
    return [f"Same top answer as the original for {kept} of {photos}{within}."]
