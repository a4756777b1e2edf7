"""The exported report as the figures see it: points, series, and what counts as right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiment.codec import from_dict
from experiment.labels import same_thing
from experiment.records import BackendInfo, Cell, Plan, Recommendation, Variant
from experiment.wording import format_name, sentence, short_label


@dataclass(frozen=True, slots=True)
class Point:
    """A cell that answered, with what it stands for."""

    variant: Variant
    backend: BackendInfo
    backend_index: int
    cell: Cell
    p50_ms: float
    score: float | None  # probability of the expected label, 0..1; None: below the top 5
    is_kept: bool | None  # the answer is as expected; None: nothing to compare with

    @property
    def key(self) -> tuple[str, str]:
        """Tells this point from all others."""
        return self.variant.id, self.backend.name

    @property
    def percent(self) -> float | None:
        """`score` in percent, as it is drawn."""
        return None if self.score is None else round(self.score * 100, 4)

    @property
    def answer(self) -> str:
        """The top label; empty when the backend gave none."""
        return self.cell.top[0].label if self.cell.top else ""


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one backend and one format, largest size first: they share a line."""

    name: str  # "8 CPU, JPEG q85"
    points: tuple[Point, ...]

    @property
    def first(self) -> Point:
        """Stands for all of them where only backend or format matter."""
        return self.points[0]


@dataclass(frozen=True, slots=True)
class View:
    """What the figures need of a report."""

    points: tuple[Point, ...]  # as the report orders them: the reference first
    plan: Plan
    recommendation: Recommendation
    true_label: str | None
    empty_backends: tuple[str, ...]  # names of backends without any answer
    variants: tuple[Variant, ...]
    is_running: bool  # more answers may come

    @property
    def expected(self) -> str:
        """The label whose probability is drawn: the true one, or the original's answer."""
        if self.true_label is not None:
            return self.true_label
        references = (each for each in self.points if each.variant.is_reference)
        first = next(references, None)
        return short_label(first.answer) if first else ""

    @property
    def series(self) -> list[Series]:
        """One line for each backend and format, backend by backend. The reference is in none."""
        lines: dict[tuple[str, str, int | None], list[Point]] = {}
        for each in self.points:
            if not each.variant.is_reference:
                key = (each.backend.name, each.variant.format, each.variant.quality)
                lines.setdefault(key, []).append(each)
        for points in lines.values():
            points.sort(key=lambda each: -each.variant.size_px)
        by_backend = sorted(lines.values(), key=lambda points: points[0].backend_index)
        return [Series(_series_name(points[0]), tuple(points)) for points in by_backend]

    @property
    def references(self) -> list[Point]:
        """The original on each backend that answered it."""
        return [each for each in self.points if each.variant.is_reference]

    def recommended(self) -> Point | None:
        """The point that the recommendation names."""
        wanted = (self.recommendation.variant_id, self.recommendation.backend_name)
        return next((each for each in self.points if each.key == wanted), None)


def view_of(report: Mapping[str, Any]) -> View:
    """Read an exported report. Unknown keys, of later minor versions, are ignored."""
    backends = [from_dict(BackendInfo, each) for each in report["backends"]]
    variants = tuple(from_dict(Variant, each) for each in report["variants"])
    cells = [from_dict(Cell, each) for each in report["cells"]]
    true_label = report["source"]["true_label"]
    points = _points(variants, backends, cells, true_label)
    answered = {each.backend.name for each in points}
    return View(
        points=tuple(points),
        plan=from_dict(Plan, report["plan"]),
        recommendation=from_dict(Recommendation, report["recommendation"]),
        true_label=true_label,
        empty_backends=tuple(each.name for each in backends if each.name not in answered),
        variants=variants,
        is_running=report["state"] in {"queued", "running"},
    )


def _points(
    variants: Sequence[Variant],
    backends: Sequence[BackendInfo],
    cells: Sequence[Cell],
    true_label: str | None,
) -> list[Point]:
    by_id = {each.id: each for each in variants}
    places = {each.name: place for place, each in enumerate(backends)}
    return [
        Point(
            variant=by_id[cell.variant_id],
            backend=backends[places[cell.backend_name]],
            backend_index=places[cell.backend_name],
            cell=cell,
            p50_ms=cell.p50_ms,
            score=cell.reference_score if true_label is None else _true_score(cell, true_label),
            is_kept=cell.same_top1 if true_label is None else cell.correct_top1,
        )
        for cell in cells
        if cell.p50_ms is not None
    ]


def _true_score(cell: Cell, true_label: str) -> float | None:
    return next((each.score for each in cell.top if same_thing(each.label, true_label)), None)


def _series_name(point: Point) -> str:
    quality = f" q{point.variant.quality}" if point.variant.quality is not None else ""
    return f"{point.backend.name}, {format_name(point.variant.format)}{quality}"


def missing_note(view: View) -> str:
    """A sentence on backends that could not be drawn, or nothing."""
    names = view.empty_backends
    if not names or not view.points:
        return ""
    return sentence(f"no results from {', '.join(names)}")
