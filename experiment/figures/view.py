"""The exported report as the figures see it: points, series, and what counts as right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, NamedTuple

from experiment.axes import AXES, settings_words
from experiment.codec import from_dict
from experiment.labels import same_thing
from experiment.records import LoadCurve, OverPhotos, PhotoSetFacts, Recommendation, Share, Variant
from experiment.report.goals import (
    Candidate,
    Results,
    allowed_fall_points,
    candidates_among,
    fall_points,
    is_too_far,
    results_of,
)
from experiment.wording import count, format_name, joined, kind_name, sentence, short_label

LATENCIES = {"p50": "p50_ms", "p90": "p90_ms", "p99": "p99_ms", "slowest": "max_ms"}  # field of a cell
FEW_PHOTOS = 0.25  # of the photos of a set; a point of fewer is hollow, and joined to no other
MOST_LINES = 12  # in one figure; more can't be told apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Point(Candidate):
    """A cell that answered, as figures draw it."""

    backend_index: int
    latency_ms: float  # the one that is shown: p50, unless View.showing() chose another; of the request alone
    score: float | None  # probability of the expected label, 0..1; None: below the top 5
    is_kept: bool | None  # the answer is as expected; None: nothing to compare with, or a set of photos
    is_less_sure: bool = False  # kept, but less likely by more than the goal's margin
    low: float | None = None  # 95 % interval of the score, 0..1; None: one photo has none
    high: float | None = None
    photos: int | None = None  # of a set, that the score is of; None: one photo
    is_few: bool = False  # of a set: below FEW_PHOTOS of its photos, so that it says little beside the others

    @property
    def key(self) -> tuple[str, str]:
        """Variant and backend: unique within a report."""
        return self.variant.id, self.backend.name

    @property
    def shown_ms(self) -> float:
        """`latency_ms` with all that counts beside the request where copies are made as the plan says."""
        return self.with_extra(self.latency_ms)

    @property
    def percent(self) -> float | None:
        """`score` in percent, as it is drawn."""
        return None if self.score is None else round(self.score * 100, 4)

    @property
    def kept(self) -> str | None:
        """`is_kept` as tables have it."""
        return None if self.is_kept is None else "yes" if self.is_kept else "no"

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


@dataclass(frozen=True, kw_only=True)
class View(Results):
    """An exported report as the figures need it. What follows from it is worked out once."""

    points: tuple[Point, ...]  # as the report orders them: the reference first
    recommendation: Recommendation
    photo_set: PhotoSetFacts | None = None  # None: a report of one photo
    load: tuple[LoadCurve, ...] = ()  # of cells that were put under load
    left_out: int = 0  # points that uncrowded() took away
    latency: str = "p50"  # a key of LATENCIES: what latency_ms of the points is

    @property
    def is_accuracy(self) -> bool:
        """Whether scores say what is right, not only what is unchanged."""
        if self.photo_set is None:
            return self.true_label is not None
        return self.photo_set.labelled > 0

    @property
    def expected(self) -> str:
        """The label whose probability is drawn: the true one, or the original's answer."""
        if self.true_label is not None or self.photo_set is not None:
            return self.true_label or ""
        return short_label(self.references[0].answer) if self.references else ""

    @cached_property
    def series(self) -> list[Series]:
        """One line for each backend and way of making, backend by backend. The reference is in none."""
        lines = _lines(point for point in self.points if not point.variant.is_reference)
        for points in lines:
            points.sort(key=lambda point: -point.variant.size_px)
        found, seen = [], Counter[tuple[str, str]]()
        for points in sorted(lines, key=lambda points: points[0].backend_index):
            kind = (points[0].backend.name, points[0].variant.format)
            # What varies is named even where it is usual: the legend must show all lines apart.
            settings = settings_words(points[-1].variant, always=self.varied | {"quality"})
            name = f"{kind[0]}, {format_name(kind[1])}{settings}"
            found.append(Series(name, tuple(points), seen[kind]))
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
        kept = {point.key for one in first.values() for point in one.points}
        kept |= {point.key for point in (self.recommended(), *self.references) if point}
        points = tuple(point for point in self.points if point.key in kept)
        return replace(self, points=points, left_out=len(self.points) - len(points))

    def showing(self, latency: str) -> View:
        """This view with another latency than p50, of the points that know it; as it is where none does."""
        known = [(point, getattr(point.cell, LATENCIES[latency])) for point in self.points]
        points = tuple(replace(point, latency_ms=value) for point, value in known if value is not None)
        return replace(self, points=points, latency=latency) if points else self

    def timed(self) -> View:
        """This view without the points whose whole time is not known, or was measured elsewhere than the plan
        says; as it is where that leaves none."""
        points = tuple(
            point for point in self.points if point.is_made_there and point.extra.making_ms is not None
        )
        return replace(self, points=points) if points else self

    @property
    def references(self) -> list[Point]:
        """The original on each backend that answered it."""
        return [point for point in self.points if point.variant.is_reference]

    @property
    def originals(self) -> list[Series]:
        """Each of `references` by itself: its format and quality may not be those of the lines beside it."""
        return [
            Series(f"{point.backend.name}, {kind_name(point.variant)}", (point,)) for point in self.references
        ]

    def curve(self, key: tuple[str, str]) -> LoadCurve | None:
        """How a cell did under load; None: it was not put under load."""
        return next((curve for curve in self.load if curve.key == key), None)

    def recommended(self) -> Point | None:
        """The point that the recommendation names."""
        wanted = (self.recommendation.variant_id, self.recommendation.backend_name)
        return next((point for point in self.points if point.key == wanted), None)


def view_of(report: Mapping[str, Any]) -> View:
    """Read an exported report. Unknown keys, of later minor versions, are ignored."""
    results, facts = results_of(report), report.get("photo_set")  # no photo_set before 1.2
    photo_set = None if facts is None else from_dict(PhotoSetFacts, facts)
    places = {info.name: place for place, info in enumerate(results.backends)}
    return View(
        **{field.name: getattr(results, field.name) for field in fields(results)},
        points=tuple(
            _point(found, places[found.backend.name], results, photo_set)
            for found in candidates_among(results)
        ),
        recommendation=from_dict(Recommendation, report["recommendation"]),
        photo_set=photo_set,
        load=tuple(from_dict(LoadCurve, row) for row in report.get("load", ())),  # not there before 1.5
    )


def _point(found: Candidate, place: int, results: Results, photo_set: PhotoSetFacts | None) -> Point:
    """Over a set, shares of photos stand in place of one photo's probability."""
    cell, label = found.cell, results.true_label
    fall = fall_points(cell, found.reference, label)
    score, is_kept, low, high = cell.reference_score, cell.same_top1, None, None
    photos, of_all = None, 0
    if photo_set is not None:
        over: OverPhotos | None = cell.over_photos
        share: Share | None = None if over is None else over.top1 if photo_set.labelled else over.agreement
        score, low, high = (share.share, share.low, share.high) if share else (None, None, None)
        photos, of_all = share.total if share else cell.count, photo_set.labelled or photo_set.measured
        is_kept = None
    elif label is not None:
        score = next((guess.score for guess in cell.top if same_thing(guess.label, label)), None)
        is_kept = cell.correct_top1
    return Point(
        **{field.name: getattr(found, field.name) for field in fields(found)},
        backend_index=place,
        latency_ms=found.p50_ms,
        score=score,
        is_kept=is_kept,
        is_less_sure=results.plan.keep_top1 and is_too_far(fall, allowed_fall_points(results.plan)),
        low=low,
        high=high,
        photos=photos,
        is_few=photos is not None and photos < FEW_PHOTOS * of_all,
    )


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
    answered = {cell.backend_name for cell in view.cells if cell.p50_ms is not None}
    silent = [info.name for info in view.backends if info.is_present and info.name not in answered]
    return joined(
        "Only the first combination of settings of each format is drawn. Left out to keep the plot readable: "
        f"{count(view.left_out, 'point')}; the trade-off shows them all."
        if view.left_out
        else "",
        sentence(f"no results from {', '.join(silent)}") if silent else "",
    )
