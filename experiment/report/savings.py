"""The large numbers beside a recommendation: so much smaller, so much faster, the same answer."""

from __future__ import annotations

from experiment.records import KeyFigures, Label
from experiment.report.goals import Candidate
from experiment.report.statistics import Ratio, ratio_of_medians
from experiment.wording import ratio

DIGITS = 6  # as the report exports scores


def key_figures(best: Candidate, reference: Candidate | None) -> KeyFigures:
    """The recommended cell beside the original on the same backend; None: that was not answered there."""
    top, before = _top(best), _top(reference)
    faster = _faster(best, reference)
    return KeyFigures(
        smaller_times=None
        if reference is None
        else _six(reference.variant.size_bytes / best.variant.size_bytes),
        faster_times=None if reference is None else _six(ratio(reference.total_ms, best.total_ms)),
        faster_is_clear=faster is not None and not faster.low <= 1 <= faster.high,
        latency_ms=best.total_ms,
        reference_latency_ms=None if reference is None else reference.total_ms,
        size_bytes=best.variant.size_bytes,
        reference_size_bytes=None if reference is None else reference.variant.size_bytes,
        label=top.label if top else None,
        reference_label=before.label if before else None,
        score=round(top.score, DIGITS) if top else None,
        reference_score=round(before.score, DIGITS) if before else None,
        same_answer=best.cell.same_top1,
    )


def _top(candidate: Candidate | None) -> Label | None:
    return candidate.cell.top[0] if candidate is not None and candidate.cell.top else None


def _faster(best: Candidate, reference: Candidate | None) -> Ratio | None:
    """The original's time over this one's, with its interval; None: the same cell, or too few samples."""
    if reference is None or reference.variant == best.variant:
        return None
    samples = [
        [candidate.with_extra(sample_ms) for sample_ms in candidate.cell.samples_ms]
        for candidate in (reference, best)
    ]
    return ratio_of_medians(*samples)


def _six(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
