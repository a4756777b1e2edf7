"""One answer for somebody who has to decide: a conclusion, what it rests on, plots and tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from experiment.figures.view import Point, View

NOTHING_YET = "Nothing was measured yet."


@dataclass(frozen=True, slots=True)
class Section:
    """Without figures `sentence` says what is missing."""

    title: str
    sentence: str
    warnings: tuple[str, ...] = ()  # read these first
    notes: tuple[str, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    tables: tuple[Mapping[str, Any], ...] = ()


def table_of(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], is_main: bool = False
) -> dict[str, Any]:
    """A table as the page and the HTML report take it; a value is text, a number or None.

    The main one of a section is never folded.
    """
    return {"title": title, "columns": list(columns), "rows": [list(row) for row in rows], "is_main": is_main}


def subject(view: View) -> Point | None:
    """The cell that conclusions are about: the recommended one, else the fastest copy that keeps the answer.

    A copy whose probability falls too far for the goals does not keep it. The original is only taken if it is
    recommended or alone. None: nothing was answered.
    """
    return view.recommended() or _fastest_copy(view.points) or _fastest(view.points)


def smaller_copy(view: View) -> Point | None:
    """The subject, or where that is the original: the fastest such copy on its backend."""
    chosen = subject(view)
    if chosen is None or not chosen.variant.is_reference:
        return chosen
    return _fastest_copy([point for point in view.points if point.backend.name == chosen.backend.name])


def _fastest_copy(points: Iterable[Point]) -> Point | None:
    copies = [point for point in points if not point.variant.is_reference]
    return _fastest([point for point in copies if point.is_kept and not point.is_less_sure] or copies)


def _fastest(points: Iterable[Point]) -> Point | None:
    return min(points, key=lambda point: point.p50_ms, default=None)
