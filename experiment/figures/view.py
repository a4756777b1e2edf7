"""The exported report as the figures see it: points, series, and what counts as right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from experiment.axes import AXES, settings_words
from experiment.codec import from_dict
from experiment.labels import same_thing
from experiment.records import (
    BackendInfo,
    Cell,
    PhotoSetFacts,
    Plan,
    Recommendation,
    Share,
    Variant,
    is_live,
)
from experiment.report.goals import allowed_fall_points, fall_points, is_too_far
from experiment.wording import count, format_name, sentence, short_label

LATENCIES = {"p50": "p50_ms", "p90": "p90_ms", "p99": "p99_ms", "slowest": "max_ms"}  # field of a cell
MOST_LINES = 12  # in one figure; more can't be told apart


@dataclass(frozen=True, slots=True)
class Point:
    """A cell that answered, with what it stands for."""

    variant: Variant
    backend: BackendInfo
    backend_index: int
    cell: Cell
    p50_ms: float
    latency_ms: float  # the one that is shown: p50, unless View.showing() chose another
    score: float | None  # probability of the expected label, 0..1; None: below the top 5
    is_kept: bool | None  # the answer is as expected; None: nothing to compare with, or a set of photos
    is_less_sure: bool = False  # kept, but less likely by more than the goal's margin
    low: float | None = None  # 95 % interval of the score, 0..1; None: one photo has none
    high: float | None = None

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
    """Points of one backend and one way of making, largest size first: they share a line."""

    name: str  # "8 CPU, JPEG q85"
    points: tuple[Point, ...]
    nth: int = 0  # among the lines of the same backend and format

    @property
    def first(self) -> Point:
        """Stands for all of them where only backend or format matter."""
        return self.points[0]


@dataclass(frozen=True)
class View:
    """What the figures need of a report. What follows from it is worked out once."""

    points: tuple[Point, ...]  # as the report orders them: the reference first
    plan: Plan
    recommendation: Recommendation
    true_label: str | None
    empty_backends: tuple[str, ...]  # names of backends without any answer
    variants: tuple[Variant, ...]
    is_running: bool  # more answers may come
    left_out: int = 0  # points that uncrowded() took away
    photo_set: PhotoSetFacts | None = None  # None: a report of one photo
    latency: str = "p50"  # a key of LATENCIES: what latency_ms of the points is

    @property
    def is_accuracy(self) -> bool:
        """Whether scores tell what is right, and not only what is unchanged."""
        if self.photo_set is None:
            return self.true_label is not None
        return self.photo_set.labelled > 0

    @property
    def expected(self) -> str:
        """The label whose probability is drawn: the true one, or the original's answer."""
        if self.true_label is not None or self.photo_set is not None:
            return self.true_label or ""
        references = (point for point in self.points if point.variant.is_reference)
        first = next(references, None)
        return short_label(first.answer) if first else ""

    @cached_property
    def series(self) -> list[Series]:
        """One line for each backend and way of making, backend by backend. The reference is in none."""
        lines = _lines(point for point in self.points if not point.variant.is_reference)
        for points in lines:
            points.sort(key=lambda point: -point.variant.size_px)
        found, seen = [], Counter[tuple[str, str]]()
        for points in sorted(lines, key=lambda points: points[0].backend_index):
            kind = (points[0].backend.name, points[0].variant.format)
            found.append(Series(self._series_name(points[-1]), tuple(points), seen[kind]))
            seen[kind] += 1
        return found

    @cached_property
    def varied(self) -> frozenset[str]:
        """The axes of which this run tried several values in one format."""
        values = {
            (variant.format, axis, getattr(variant, axis)) for variant in self.variants for axis in AXES
        }
        kinds = Counter((key, axis) for key, axis, value in values if value is not None)
        return frozenset(axis for (_, axis), number in kinds.items() if number > 1)

    @property
    def is_crowded(self) -> bool:
        """Whether there are more lines than can be told apart."""
        return len(self.series) > MOST_LINES

    def uncrowded(self, *, by_engine: bool = False) -> View:
        """This view, or one with only the first way of making of each format where it is crowded.

        With `by_engine` the first of each that resized, so that browser and server stay side by side.
        What is recommended stays in any case.
        """
        if not self.is_crowded:
            return self
        first: dict[tuple[str | None, ...], Series] = {}
        for series in self.series:
            variant = series.first.variant
            kind = (series.first.backend.name, variant.format, variant.engine if by_engine else None)
            first.setdefault(kind, series)
        kept = {point.key for each in first.values() for point in each.points}
        kept |= {point.key for point in (self.recommended(), *self.references) if point}
        points = tuple(point for point in self.points if point.key in kept)
        return replace(self, points=points, left_out=len(self.points) - len(points))

    def showing(self, latency: str) -> View:
        """This view with another latency than p50, of the points that know it; as it is where none does."""
        told = [(point, getattr(point.cell, LATENCIES[latency])) for point in self.points]
        points = tuple(replace(point, latency_ms=value) for point, value in told if value is not None)
        return replace(self, points=points, latency=latency) if points else self

    def _series_name(self, point: Point) -> str:
        """What varies is named even where it is usual: a legend must tell all lines apart."""
        settings = settings_words(point.variant, always=self.varied | {"quality"})
        return f"{point.backend.name}, {format_name(point.variant.format)}{settings}"

    @property
    def references(self) -> list[Point]:
        """The original on each backend that answered it."""
        return [point for point in self.points if point.variant.is_reference]

    def recommended(self) -> Point | None:
        """The point that the recommendation names."""
        wanted = (self.recommendation.variant_id, self.recommendation.backend_name)
        return next((point for point in self.points if point.key == wanted), None)


def view_of(report: Mapping[str, Any]) -> View:
    """Read an exported report. Unknown keys, of later minor versions, are ignored."""
    backends = [from_dict(BackendInfo, backend) for backend in report["backends"]]
    variants = tuple(from_dict(Variant, variant) for variant in report["variants"])
    cells = [from_dict(Cell, cell) for cell in report["cells"]]
    true_label = report["source"]["true_label"]
    told = report.get("photo_set")  # not there before 1.2
    photo_set = None if told is None else from_dict(PhotoSetFacts, told)
    plan = from_dict(Plan, report["plan"])
    points = _points(variants, backends, cells, true_label, plan)
    if photo_set is not None:
        points = [_of_photos(point, photo_set) for point in points]
    answered = {point.backend.name for point in points}
    return View(
        points=tuple(points),
        plan=plan,
        recommendation=from_dict(Recommendation, report["recommendation"]),
        true_label=true_label,
        empty_backends=tuple(info.name for info in backends if info.name not in answered),
        variants=variants,
        is_running=is_live(report["state"]),
        photo_set=photo_set,
    )


def _points(
    variants: Sequence[Variant],
    backends: Sequence[BackendInfo],
    cells: Sequence[Cell],
    true_label: str | None,
    plan: Plan,
) -> list[Point]:
    by_id = {variant.id: variant for variant in variants}
    places = {info.name: place for place, info in enumerate(backends)}
    references = {cell.backend_name: cell for cell in cells if by_id[cell.variant_id].is_reference}

    def is_less_sure(cell: Cell) -> bool:
        fall = fall_points(cell, references.get(cell.backend_name), true_label)
        return plan.keep_top1 and is_too_far(fall, allowed_fall_points(plan))

    return [
        Point(
            variant=by_id[cell.variant_id],
            backend=backends[places[cell.backend_name]],
            backend_index=places[cell.backend_name],
            cell=cell,
            p50_ms=cell.p50_ms,
            latency_ms=cell.p50_ms,
            score=cell.reference_score if true_label is None else _true_score(cell, true_label),
            is_kept=cell.same_top1 if true_label is None else cell.correct_top1,
            is_less_sure=is_less_sure(cell),
        )
        for cell in cells
        if cell.p50_ms is not None
    ]


def _of_photos(point: Point, photo_set: PhotoSetFacts) -> Point:
    """The point with a share of photos in place of one photo's probability."""
    over = point.cell.over_photos
    share: Share | None = None if over is None else over.top1 if photo_set.labelled else over.agreement
    if share is None:
        return replace(point, score=None, is_kept=None)
    return replace(point, score=share.share, is_kept=None, low=share.low, high=share.high)


def _true_score(cell: Cell, true_label: str) -> float | None:
    return next((label.score for label in cell.top if same_thing(label.label, true_label)), None)


class Making(NamedTuple):
    """What variants on one line have in common: their format, and the value of each of AXES."""

    format: str
    quality: int | None
    subsampling: str | None
    engine: str | None
    resampler: str | None  # None: not resized, or by a browser's own canvas


def making(variant: Variant) -> Making:
    """How a variant was made."""
    return Making(*(getattr(variant, key) for key in Making._fields))


def _lines(points: Iterable[Point]) -> list[list[Point]]:
    """Points by backend and way of making. A copy that was not resized begins the line of each filter."""
    lines: dict[tuple[str, Making], list[Point]] = {}
    for point in points:
        lines.setdefault((point.backend.name, making(point.variant)), []).append(point)
    resized: dict[tuple[str, Making], list[list[Point]]] = {}
    for (name, made), line in lines.items():
        if made.resampler is not None:
            resized.setdefault((name, made._replace(resampler=None)), []).append(line)
    for key in resized.keys() & lines.keys():
        for line in resized[key]:
            line.extend(lines[key])
        del lines[key]
    return list(lines.values())


def latency_words(latency: str) -> str:
    """One of LATENCIES within a sentence."""
    return "the slowest of all samples" if latency == "slowest" else latency


def missing_note(view: View) -> str:
    """A sentence on what could not be drawn, or nothing."""
    if not view.points:
        return ""
    notes = []
    if view.left_out:
        notes.append(
            f"Only the first way of making each format is drawn: {count(view.left_out, 'point')} more "
            "would hide it. The trade-off has them all."
        )
    if view.empty_backends:
        notes.append(sentence(f"no results from {', '.join(view.empty_backends)}"))
    return " ".join(notes)
