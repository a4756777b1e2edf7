"""What the reports of the study hold, as the comparisons that the claims are about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from bench.study.pairs import Ratio, time_ratio
from bench.study.runs import Run
from experiment.figures.view import Point, View, view_of

EIGHT, ONE, GPU = "8 CPU", "1 CPU", "GPU"  # the post's backends, which start by themselves


Right = Mapping[str, Mapping[str, bool]]  # variant -> photo -> whether the top answer was right


@dataclass(frozen=True)
class Found:
    """One run and what came of it."""

    run: Run
    model: str  # for people
    report: Mapping[str, Any]
    right: Right = field(default_factory=dict)  # of a run over many photos
    confidences: Sequence[tuple[float, bool]] = ()  # of the photos as they are: top probability, right or not
    machine: str = ""  # another than the study's own

    @cached_property
    def view(self) -> View:
        """The report as figures see it."""
        return view_of(self.report)

    @property
    def title(self) -> str:
        """The model, and the machine where that is another."""
        return f"{self.model} on {self.machine}" if self.machine else self.model


@dataclass(frozen=True, slots=True)
class Compared:
    """A ratio of times, and what it is of."""

    found: Found
    point: Point
    base: Point
    ratio: Ratio

    @property
    def place(self) -> str:
        """Where it was measured: model, backend, size."""
        return f"{self.found.title}, {self.point.backend.name}, {self.point.variant.size_px} px"

    @property
    def is_valid(self) -> bool:
        """Whether both times can be relied on: a busy machine draws every ratio towards 1."""
        return self.point.cell.validity == self.base.cell.validity == "VALID"


def png_over_jpeg(found: Found) -> Iterator[Compared]:
    """The same size on the same backend in both formats, largest first."""
    for point in made(found.view):
        if point.variant.format == "png":
            same = (
                other
                for other in made(found.view)
                if other.variant.format == "jpeg"
                and other.backend == point.backend
                and other.variant.size_px == point.variant.size_px
            )
            yield from _compared(found, point, next(same, None))


def size_over_smallest(found: Found) -> Iterator[Compared]:
    """Each larger JPEG over the smallest one on the same backend; the original too, if it is a JPEG."""
    for point in found.view.points:
        if point.variant.format == "jpeg":
            same = [other for other in made(found.view) if _alike(other, point)]
            base = min(same, key=lambda other: other.variant.size_px, default=None)
            if base is not None and base is not point:
                yield from _compared(found, point, base)


def one_over_other(found: Found, slow: str, fast: str) -> Iterator[Compared]:
    """The same variant on two backends."""
    by_variant = {point.variant.id: point for point in found.view.points if point.backend.name == fast}
    for point in found.view.points:
        if point.backend.name == slow:
            yield from _compared(found, point, by_variant.get(point.variant.id))


def made(view: View) -> list[Point]:
    """All but the original."""
    return [point for point in view.points if not point.variant.is_reference]


def _alike(one: Point, other: Point) -> bool:
    return one.backend == other.backend and one.variant.format == other.variant.format


def _compared(found: Found, point: Point, base: Point | None) -> Iterator[Compared]:
    ratio = time_ratio(point.cell, base.cell) if base else None
    if base and ratio:
        yield Compared(found, point, base, ratio)
