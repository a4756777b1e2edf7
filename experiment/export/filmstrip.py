"""The filmstrip of a report: what was sent, largest first, with the answer to each, and where it changes.

The reference comes first, then the sizes of one way of encoding, and the copies that a search for the
breaking point tried: all if they were encoded that way too, else only those that are smaller. All answers
are those of one backend: the recommended one, else the first that answered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from experiment.codec import from_dict
from experiment.figures.view import Point, View
from experiment.records import BreakingPoint, SearchStep, Variant
from experiment.wording import format_name, made_as, short_label, short_name

LOSSLESS_QUALITY = 101  # sorts above every quality


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of the strip."""

    key: str  # of its picture
    name: str  # "512 px JPEG", "the original (1920 px JPEG)"
    size_px: int
    size_bytes: int
    quality: int | None  # None: lossless
    answer: str | None = None  # the top label, short; None: no answer
    score: float | None = None  # its probability
    is_kept: bool | None = None  # None: no answer, or nothing to compare it with
    is_chosen: bool = False  # recommended

    @property
    def order(self) -> tuple[int, int]:
        """Largest first, of one size the better one first."""
        return -self.size_px, -(self.quality or LOSSLESS_QUALITY)


@dataclass(frozen=True, slots=True)
class Filmstrip:
    """The frames of one report."""

    backend_name: str | None  # whose answers they show; None: nobody answered
    frames: tuple[Frame, ...]  # the reference first
    others: tuple[Frame, ...]  # variants that were encoded in other ways

    @property
    def last_kept(self) -> Frame | None:
        """The last frame before the first one whose answer is another; None: none is, or nothing was kept."""
        for place, frame in enumerate(self.frames):
            if frame.is_kept is False:
                return self.frames[place - 1] if place else None
        return None


def filmstrip(view: View, report: Mapping[str, Any]) -> Filmstrip | None:
    """The strip of an exported report and the view of it; None for a photo set, or before any variant."""
    if view.photo_set is not None or not view.variants:
        return None
    name = _backend_name(view)
    answers = {point.variant.id: point for point in view.points if point.backend.name == name}
    chosen_id = view.recommendation.variant_id
    frames = {each.id: _frame(each, answers.get(each.id), chosen_id) for each in view.variants}
    reference, *rest = view.variants
    kind = _kind(view, rest)
    own = [frames[each.id] for each in rest if made_as(each) == kind]
    steps = list(
        _steps(report, name, {(each.size_px, each.quality) for each in rest if each.format == "jpeg"})
    )
    least_px = min((frame.size_px for frame in own), default=0)
    is_jpeg = any(each.format == "jpeg" for each in rest if made_as(each) == kind) or not own
    joined = [step for step in steps if is_jpeg or step.size_px < least_px]
    return Filmstrip(
        name,
        (frames[reference.id], *sorted([*own, *joined], key=lambda frame: frame.order)),
        (
            *(frames[each.id] for each in rest if made_as(each) != kind),
            *(step for step in steps if step not in joined),
        ),
    )


def _backend_name(view: View) -> str | None:
    chosen = view.recommendation.backend_name
    return chosen or next((point.backend.name for point in view.points), None)


def _kind(view: View, variants: list[Variant]) -> str | None:
    """How the variants of the strip are encoded: as the recommended one, else as JPEG, else as the first."""
    chosen = [each for each in variants if each.id == view.recommendation.variant_id]
    jpegs = [each for each in variants if each.format == "jpeg"]
    return next((made_as(each) for each in (*chosen, *jpegs, *variants)), None)


def _frame(variant: Variant, point: Point | None, chosen_id: str | None) -> Frame:
    top = point.cell.top[0] if point is not None and point.cell.top else None
    return Frame(
        key=variant.id,
        name=short_name(variant),
        size_px=variant.size_px,
        size_bytes=variant.size_bytes,
        quality=variant.quality,
        answer=None if top is None else short_label(top.label),
        score=None if top is None else top.score,
        is_kept=None if point is None or top is None else point.is_kept,
        is_chosen=variant.id == chosen_id,
    )


def _steps(
    report: Mapping[str, Any], name: str | None, known: set[tuple[int, int | None]]
) -> Iterator[Frame]:
    """The copies of the search on the backend, but those whose size and quality a variant has."""
    found = [from_dict(BreakingPoint, row) for row in report.get("breaking_points", ())]
    for step in (step for point in found if point.backend_name == name for step in point.steps):
        if (step.size_px, step.quality) not in known:
            yield _step_frame(step)


def _step_frame(step: SearchStep) -> Frame:
    return Frame(
        key=step.picture_key,
        name=f"{step.size_px} px {format_name('jpeg')} q{step.quality}",
        size_px=step.size_px,
        size_bytes=step.size_bytes,
        quality=step.quality,
        answer=short_label(step.label),
        score=step.score,
        is_kept=step.kept,
    )
