"""One answer for somebody who has to decide: a conclusion, what it rests on, plots and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from experiment.figures.view import Point, View


@dataclass(frozen=True, slots=True)
class Section:
    """Without figures it is an invitation: `sentence` says what is missing."""

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
    return {
        "title": title,
        "columns": list(columns),
        "rows": [list(row) for row in rows],
        "is_main": is_main,
    }


def subject(view: View) -> Point | None:
    """The recommended cell, else the fastest one of a copy that keeps the answer, else the fastest.

    One whose probability falls too far for the goals does not keep it. None: nothing was answered. The
    original is only taken where it is recommended or alone.
    """
    point = view.recommended()
    if point is not None:
        return point
    copies = [each for each in view.points if not each.variant.is_reference]
    kept = [each for each in copies if each.is_kept and not each.is_less_sure]
    return min(kept or copies or view.points, key=lambda each: each.p50_ms, default=None)


def smaller_copy(view: View) -> Point | None:
    """The subject, or where that is the original: the fastest such copy on its backend."""
    point = subject(view)
    if point is None or not point.variant.is_reference:
        return point
    copies = [
        each
        for each in view.points
        if not each.variant.is_reference and each.backend.name == point.backend.name
    ]
    kept = [each for each in copies if each.is_kept and not each.is_less_sure]
    return min(kept or copies, key=lambda each: each.p50_ms, default=None)
